"""Whether a channel reaches a person, as it said itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, Pool
from hamyon.messages.kinds import LASTING_FOR, LASTING_KINDS
from hamyon.messages.service import entries
from hamyon.messages.store import deliveries
from hamyon.messages.store import reach as store
from hamyon.messages.types import GoneReason
from hamyon.notices import service as notices

TELEGRAM: Final = "telegram"
DOUBT_AFTER: Final = timedelta(days=1)
"""So long nobody is bothered; then the next message tries again whether he has come back."""


async def note_gone(
    connection: Connection, user_id: int, reason: GoneReason, *, channel: str = TELEGRAM
) -> None:
    """The channel says that somebody cannot be reached."""
    now = await kit_store.database_time(connection)
    await store.put(connection, user_id, channel, reason, now=now)


async def note_return(connection: Connection, user_id: int, *, channel: str = TELEGRAM) -> int:
    """Somebody is there: he wrote, or let the bot write again. Cheap when nobody doubted it.

    Queues anew what he waited for in the last days and was not told, as how his orders ended;
    returns how many. The caller wakes the queue after the commit.
    """
    if not await store.delete(connection, user_id, channel):
        return 0
    since = await kit_store.database_time(connection) - LASTING_FOR
    gone = await deliveries.gone_of(connection, user_id, channel, since=since)
    notice_ids = [notice_id for _, notice_id in gone]
    lasting = await notices.of_kinds(connection, notice_ids, LASTING_KINDS)
    count = 0
    for delivery_id, notice_id in gone:
        if notice_id not in lasting:
            continue
        attempt = await deliveries.reopen(connection, delivery_id)
        if attempt is not None:
            await entries.add(connection, delivery_id, attempt)
            count += 1
    return count


async def is_reachable(
    connection: Connection | Pool, user_id: int, *, channel: str = TELEGRAM
) -> bool:
    """Whether the channel last said that it reaches him; so it is for everybody it never tried."""
    return await store.since(connection, user_id, channel) is None


async def doubt(
    connection: Connection | Pool, user_id: int, channel: str
) -> Literal["fresh", "old"] | None:
    """Whether somebody could not be reached lately; an old doubt is worth another try."""
    since = await store.since(connection, user_id, channel)
    if since is None:
        return None
    is_old = await kit_store.database_time(connection) - since > DOUBT_AFTER
    return "old" if is_old else "fresh"
