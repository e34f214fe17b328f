"""Statements about daily bonuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from hamyon.kit.db import Connection, Pool


async def insert_claim(
    connection: Connection,
    user_id: int,
    product: str,
    *,
    day: date,
    asset: str,
    rewards: Sequence[int],
    now: datetime,
) -> tuple[int, int] | None:
    """Write a day's claim: ``(streak, amount)``; None when the day was claimed already.

    A claim of the same day that is under way is waited for.
    """
    row = await connection.fetchrow(
        """
        WITH before AS (
            SELECT coalesce((
                SELECT streak FROM daily_bonuses
                WHERE user_id = $1 AND product = $2 AND day = $3::date - 1), 0) AS streak
        )
        INSERT INTO daily_bonuses (user_id, product, day, streak, asset, amount, claimed_at)
        SELECT $1, $2, $3, before.streak + 1, $4,
               ($5::bigint[])[1 + before.streak % cardinality($5::bigint[])], $6
        FROM before
        ON CONFLICT (user_id, product, day) DO NOTHING RETURNING streak, amount
        """,
        user_id,
        product,
        day,
        asset,
        list(rewards),
        now,
    )
    return (row["streak"], row["amount"]) if row is not None else None


async def last_claim(
    connection: Connection | Pool, user_id: int, product: str, *, until: date
) -> tuple[date, int] | None:
    """The newest claimed day, not after ``until``, and the streak that it made."""
    row = await connection.fetchrow(
        """
        SELECT day, streak FROM daily_bonuses
        WHERE user_id = $1 AND product = $2 AND day <= $3 ORDER BY day DESC LIMIT 1
        """,
        user_id,
        product,
        until,
    )
    return (row["day"], row["streak"]) if row is not None else None
