"""A payment with all that stands behind it, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hamyon.payments.types.payment import Mismatch, Payment, Refund


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """What somebody told us about a charge, as it came. ``handled_at`` None: yet without effect."""

    source: str
    key: str
    received_at: datetime
    handled_at: datetime | None
    body: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One side of a transfer; ``user_id`` None: a system account."""

    key: str
    kind: str
    user_id: int | None
    role: str
    asset: str
    amount: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Details:
    """Events, ledger and refunds are oldest first, mismatches newest first."""

    payment: Payment
    events: Sequence[InboxEvent]
    ledger: Sequence[LedgerEntry]
    refunds: Sequence[Refund]
    mismatches: Sequence[Mismatch]
