"""Statements about redemptions, and percentages that wait for a payment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.rewards.types import PromoTerms, PromoUse

_USE: Final = "id, code, user_id, use, asset, amount, percent, payment_id, used_at"


def _use(row: Record) -> PromoUse:
    return PromoUse(**dict(row))


async def lock_oldest_waiting(connection: Connection, user_id: int) -> PromoUse | None:
    """A person's oldest percentage that no payment used yet, locked.

    A payment that waits here for another one goes on to the next percentage when that one is used.
    """
    row = await connection.fetchrow(
        f"""
        SELECT {_USE} FROM promo_uses
        WHERE user_id = $1 AND percent IS NOT NULL AND payment_id IS NULL
        ORDER BY id LIMIT 1 FOR NO KEY UPDATE
        """,  # noqa: S608 -- the columns are ours
        user_id,
    )
    return _use(row) if row is not None else None


async def spend_waiting(connection: Connection, use_id: int, payment_id: UUID) -> bool:
    """Give a locked percentage to a payment; False when that payment has used one already."""
    row = await connection.fetchrow(
        """
        UPDATE promo_uses SET payment_id = $2
        WHERE id = $1 AND NOT EXISTS (
            SELECT FROM bonuses WHERE payment_id = $2 AND kind = 'promo_percent')
        RETURNING true
        """,
        use_id,
        payment_id,
    )
    return row is not None


async def uses_by(connection: Connection, code: str, user_id: int) -> int:
    """How often a person redeemed a code."""
    count = await connection.fetchval(
        "SELECT count(*) FROM promo_uses WHERE code = $1 AND user_id = $2", code, user_id
    )
    return int(count)


async def insert_use(
    connection: Connection, code: str, user_id: int, use: int, terms: PromoTerms, *, now: datetime
) -> PromoUse:
    """Write a redemption with what it gives, whatever the code gives later."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO promo_uses (code, user_id, use, asset, amount, percent, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_USE}
        """,  # noqa: S608
        code,
        user_id,
        use,
        terms.asset,
        terms.amount,
        terms.percent,
        now,
    )
    assert row is not None
    return _use(row)


async def uses_page(
    connection: Connection | Pool, code: str, *, before_id: int | None, limit: int
) -> Sequence[PromoUse]:
    """Who redeemed a code, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_USE} FROM promo_uses
        WHERE code = $1 AND id < coalesce($2::bigint, 9223372036854775807)
        ORDER BY id DESC LIMIT $3
        """,  # noqa: S608
        code,
        before_id,
        limit,
    )
    return [_use(row) for row in rows]
