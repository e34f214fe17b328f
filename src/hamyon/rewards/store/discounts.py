"""Statements about one-time discounts."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.rewards.types import Discount, DiscountId


async def insert_discount(connection: Connection, user_id: int, product: str, percent: int) -> bool:
    """Offer a discount; False when this person had one for this product before."""
    row = await connection.fetchrow(
        """
        INSERT INTO discounts (user_id, product, percent) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, product) DO NOTHING RETURNING true
        """,
        user_id,
        product,
        percent,
    )
    return row is not None


async def open_discount(
    connection: Connection | Pool, user_id: int, product: str
) -> Discount | None:
    """A discount that no payment used."""
    row = await connection.fetchrow(
        """
        SELECT id, percent FROM discounts
        WHERE user_id = $1 AND product = $2 AND used_by IS NULL
        """,
        user_id,
        product,
    )
    return Discount(DiscountId(row["id"]), row["percent"]) if row is not None else None


async def was_offered(connection: Connection | Pool, user_id: int, product: str) -> bool:
    """Whether there ever was a discount, used or not."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM discounts WHERE user_id = $1 AND product = $2)",
        user_id,
        product,
    )
    return cast("bool", found)


async def use_discount(connection: Connection, discount_id: int, payment_id: UUID) -> bool:
    """Let a payment use a discount; False when another one did, or there is none."""
    row = await connection.fetchrow(
        """
        UPDATE discounts SET used_by = $2, used_at = coalesce(used_at, now())
        WHERE id = $1 AND (used_by IS NULL OR used_by = $2) RETURNING true
        """,
        discount_id,
        payment_id,
    )
    return row is not None
