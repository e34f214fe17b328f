"""Statements that count people, and show one person's surroundings, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.users.types import PeopleCounts, SessionRecord


async def counts(
    connection: Connection | Pool, *, day: datetime, week: datetime, month: datetime
) -> PeopleCounts:
    """How many people there are, are blocked, and came since each of the moments."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS total,
               count(*) FILTER (WHERE created_at >= $1) AS new_today,
               count(*) FILTER (WHERE created_at >= $2) AS new_week,
               count(*) FILTER (WHERE created_at >= $3) AS new_month,
               count(*) FILTER (WHERE blocked_at IS NOT NULL) AS blocked
        FROM users
        """,
        day,
        week,
        month,
    )
    assert row is not None
    return PeopleCounts(**dict(row))


async def invited_count(connection: Connection | Pool, user_id: int) -> int:
    """How many people came through this one."""
    row = await connection.fetchrow(
        "SELECT count(*) AS people FROM users WHERE referrer_id = $1", user_id
    )
    assert row is not None
    people: int = row["people"]
    return people


async def sessions_of(
    connection: Connection | Pool, user_id: int, *, limit: int
) -> Sequence[SessionRecord]:
    """A person's newest login sessions, ended ones too."""
    rows = await connection.fetch(
        """
        SELECT id, origin, address, created_at, ended_at, end_reason FROM login_sessions
        WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
        """,
        user_id,
        limit,
    )
    return [SessionRecord(**dict(row)) for row in rows]
