"""The outbox of what must be told. Slices write to it; ``messages`` sends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hamyon.kit import queue
from hamyon.kit.db import Connection, Pool
from hamyon.notices import store
from hamyon.notices.types import Notice, WrittenNotice

ENTRYPOINT: Final = "notice"
"""The queue's entry point that passes a notice on; its payload is the notice's id."""


async def tell(connection: Connection, notice: Notice) -> bool:
    """Write a notice in the transaction that makes it true, and queue it.

    False: it was written before.
    """
    number = await store.insert_notice(connection, notice)
    if number is None:
        return False
    await queue.add_at_once(connection, ENTRYPOINT, str(number))
    return True


async def unsent(
    connection: Connection | Pool, *, after_id: int = 0, limit: int = 100
) -> Sequence[WrittenNotice]:
    """Notices that were not passed on yet, oldest first, behind ``after_id``."""
    return await store.unsent_notices(connection, after_id=after_id, limit=limit)


async def take(connection: Connection, notice_id: int) -> WrittenNotice | None:
    """A notice to pass on in this transaction, which alone may do it; None when it is done.

    Say ``passed_on`` in the same transaction.
    """
    return await store.notice(connection, notice_id)


async def passed_on(connection: Connection, notice_id: int) -> None:
    """Whoever must learn of it is written down."""
    await store.mark_sent(connection, notice_id)


async def of_kinds(
    connection: Connection | Pool, notice_ids: Collection[int], kinds: Collection[str]
) -> frozenset[int]:
    """Which of these notices are of one of the kinds."""
    return await store.of_kinds(connection, notice_ids, kinds)


async def read(connection: Connection | Pool, notice_id: int) -> WrittenNotice | None:
    """A notice as it was written."""
    return await store.read_notice(connection, notice_id)
