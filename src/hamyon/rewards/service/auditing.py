"""The audit of rewards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding
from hamyon.rewards.store import auditing as store


async def audit(connection: Connection | Pool, since: datetime | None = None) -> Sequence[Finding]:
    """Broken invariants of rewards. Empty is sound."""
    return await store.audit(connection, since=since)
