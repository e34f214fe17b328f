"""Statements that show who invited whom and what it brought. They read people, write nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from hamyon.kit.db import Connection, Pool, Record
from hamyon.rewards.types import Relative

# What $1 earned by the person u: without what is held, and without what refunds took.
_EARNED: Final = """(
    SELECT coalesce(jsonb_object_agg(asset, total), '{}') FROM (
        SELECT asset, sum(amount - taken_back) AS total FROM bonuses
        WHERE from_user_id = u.id AND user_id = $1 AND state = 'granted'
        GROUP BY asset HAVING sum(amount - taken_back) > 0
    ) per_asset) AS earned"""
_HAS_PAID: Final = """EXISTS (
    SELECT FROM bonuses WHERE from_user_id = u.id AND kind = 'referral')"""


def _relative(row: Record) -> Relative:
    return Relative(
        row["id"],
        row["username"],
        row["created_at"],
        row["is_blocked"],
        row["has_paid"],
        row["earned"],
    )


async def paid_invited_count(connection: Connection | Pool, user_id: int) -> int:
    """How many of those whom a person invited have paid, ever and anything."""
    count = await connection.fetchval(
        """
        SELECT count(DISTINCT from_user_id) FROM bonuses
        WHERE user_id = $1 AND kind = 'referral'
        """,
        user_id,
    )
    return int(count)


async def earned(connection: Connection | Pool, user_id: int) -> Mapping[str, int]:
    """What inviting brought a person, by asset: granted, without what refunds took."""
    rows = await connection.fetch(
        """
        SELECT asset, sum(amount - taken_back) AS total FROM bonuses
        WHERE user_id = $1 AND from_user_id IS NOT NULL AND state = 'granted'
        GROUP BY asset HAVING sum(amount - taken_back) > 0 ORDER BY asset
        """,
        user_id,
    )
    return {row["asset"]: int(row["total"]) for row in rows}


async def inviter(connection: Connection | Pool, user_id: int, inviter_id: int) -> Relative | None:
    """Who invited a person, and what he earned by that one."""
    row = await connection.fetchrow(
        f"""
        SELECT i.id, i.username, i.created_at, i.blocked_at IS NOT NULL AS is_blocked,
               {_HAS_PAID} AS has_paid, {_EARNED}
        FROM users i, users u WHERE i.id = $1 AND u.id = $2
        """,  # noqa: S608 -- the parts are ours
        inviter_id,
        user_id,
    )
    return _relative(row) if row is not None else None


async def invited_page(
    connection: Connection | Pool,
    user_id: int,
    *,
    before: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[Relative]:
    """Whom a person invited, newest first, and what each one brought him."""
    rows = await connection.fetch(
        f"""
        SELECT u.id, u.username, u.created_at, u.blocked_at IS NOT NULL AS is_blocked,
               {_HAS_PAID} AS has_paid, {_EARNED}
        FROM users u
        WHERE u.referrer_id = $1
          AND ($2::timestamptz IS NULL OR (u.created_at, u.id) < ($2, $3))
        ORDER BY u.created_at DESC, u.id DESC LIMIT $4
        """,  # noqa: S608
        user_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )
    return [_relative(row) for row in rows]


async def has_blocked_invited(connection: Connection | Pool, user_id: int) -> bool:
    """Whether anybody whom a person invited is blocked."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM users WHERE referrer_id = $1 AND blocked_at IS NOT NULL)",
        user_id,
    )
    return cast("bool", found)


async def joined_in_a_crowd(connection: Connection | Pool, user_id: int, *, crowd: int) -> bool:
    """Whether ``crowd`` of those whom a person invited came within 24 hours, and none ever paid."""
    found = await connection.fetchval(
        f"""
        SELECT EXISTS (
            SELECT FROM (
                SELECT count(*) OVER a_day AS joins, bool_or(has_paid) OVER a_day AS any_paid
                FROM (
                    SELECT u.created_at, {_HAS_PAID} AS has_paid
                    FROM users u WHERE u.referrer_id = $1
                ) invited
                WINDOW a_day AS (
                    ORDER BY created_at
                    RANGE BETWEEN interval '24 hours' PRECEDING AND CURRENT ROW)
            ) days
            WHERE joins >= $2 AND NOT any_paid)
        """,  # noqa: S608
        user_id,
        crowd,
    )
    return cast("bool", found)
