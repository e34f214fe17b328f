"""The outbox of what must be told. Slices write to it; ``messages`` sends."""

from __future__ import annotations

from collections.abc import Sequence

from hamyon.kit.db import Connection, Pool
from hamyon.notices import store
from hamyon.notices.types import Notice, WrittenNotice


async def tell(connection: Connection, notice: Notice) -> bool:
    """Write a notice in the transaction that makes it true. False: it was written before."""
    return await store.insert_notice(connection, notice)


async def unsent(
    connection: Connection | Pool, *, after_id: int = 0, limit: int = 100
) -> Sequence[WrittenNotice]:
    """Notices that nobody was told yet, oldest first, behind ``after_id``."""
    return await store.unsent_notices(connection, after_id=after_id, limit=limit)
