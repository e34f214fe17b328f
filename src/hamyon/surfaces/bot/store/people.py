"""Statements about people, for showing."""

from __future__ import annotations

from typing import cast

from hamyon.kit.db import Connection, Pool


async def pictures_made(connection: Connection | Pool, user_id: int) -> int:
    """How many pictures were made for a person."""
    count = await connection.fetchval(
        """
        SELECT coalesce(sum(jsonb_array_length(jobs.outputs)), 0)
        FROM orders JOIN jobs ON jobs.order_id = orders.id
        WHERE orders.user_id = $1 AND jobs.state = 'succeeded'
        """,
        user_id,
    )
    return int(cast("int", count))
