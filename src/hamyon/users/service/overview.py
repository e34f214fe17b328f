"""People as operators look at them: all in numbers, and one with what surrounds him."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hamyon.kit.db import Connection, Pool
from hamyon.users.store import overview as store
from hamyon.users.types import PeopleCounts, SessionRecord


async def counts(connection: Connection | Pool, *, now: datetime, zone: ZoneInfo) -> PeopleCounts:
    """How many people there are, and who is new by the calendar of ``zone`` (weeks from Monday)."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return await store.counts(
        connection,
        day=today,
        # Days are counted on the calendar, so a week with a change of clocks is a week too.
        week=today - timedelta(days=today.weekday()),
        month=today.replace(day=1),
    )


async def invited_count(connection: Connection | Pool, user_id: int) -> int:
    """How many people came through this one."""
    return await store.invited_count(connection, user_id)


async def sessions_of(
    connection: Connection | Pool, user_id: int, *, limit: int
) -> Sequence[SessionRecord]:
    """A person's newest login sessions, ended ones too."""
    return await store.sessions_of(connection, user_id, limit=limit)
