"""Whether payments, refunds and the ledger tell one story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding
from hamyon.payments.store import books


async def audit(connection: Connection | Pool, since: datetime | None = None) -> Sequence[Finding]:
    """Broken invariants of payments. Empty is sound."""
    return await books.audit(connection, since=since)
