"""What other slices may hold of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class TransferKind(StrEnum):
    """Why money moved, as people see it in their history."""

    DEPOSIT = "deposit"
    GENERATION = "generation"
    TRAINING = "training"
    TRAFFIC_EARNING = "traffic_earning"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"
    ADMIN_ADJUSTMENT = "admin_adjustment"
    WELCOME = "welcome"
    REFERRAL_BONUS = "referral_bonus"
    DAILY_BONUS = "daily_bonus"
    PROMO_CODE = "promo_code"
    REFUND = "refund"
    DEBT = "debt"


WALLET = "wallet"
DEBT = "debt"

AMOUNT_LIMIT: Final = 2**53 - 1
"""The largest amount and the largest balance, in minor units: what all readers of JSON keep exact.
The database enforces the same number (migration 0004)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One side of a transfer: ``amount`` minor units into an account (negative: out of it).

    ``user_id`` None names a system account by its ``role``, for example ``sales:stars``.
    """

    user_id: int | None
    role: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer to be posted; its lines sum to zero per asset."""

    kind: TransferKind
    key: str
    actor: str
    lines: Sequence[Line]
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A wallet in minor units. ``posted`` is what a person has, ``held`` what orders set aside."""

    asset: str
    posted: int
    held: int

    @property
    def available(self) -> int:
        """What can be spent."""
        return self.posted - self.held


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line of a person's history."""

    id: int
    kind: str
    amount: int
    balance_after: int
    reference: str | None
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """What all wallets together gained and lost of an asset by transfers of one kind."""

    kind: TransferKind
    asset: str
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class WalletEffect:
    """What one transfer, with the debt that it paid off, did to a wallet.

    Balances are what could be spent just before and just after it.
    """

    transfer_id: int
    old_available: int
    new_available: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant. An audit without findings is sound."""

    check: str
    subject: str
    detail: str
