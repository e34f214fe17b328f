"""Statements about trials. Reserving one is SQL's ``trial_reserve``: a product's submit calls it in
its own round trip."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from hamyon.kit.db import Connection, Pool


async def trial(
    connection: Connection | Pool, *, user_id: int, product: str
) -> tuple[int, datetime | None]:
    """How many trials are reserved or used, and when the last one was."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS used, max(reserved_at) AS last_used_at FROM trial_uses
        WHERE user_id = $1 AND product = $2 AND state <> 'returned'
        """,
        user_id,
        product,
    )
    assert row is not None
    return row["used"], row["last_used_at"]


async def end_trial(connection: Connection, *, order_id: UUID, state: str) -> None:
    """Write what became of a reserved trial, once."""
    await connection.execute(
        """
        UPDATE trial_uses SET state = $2, ended_at = now()
        WHERE order_id = $1 AND state = 'reserved'
        """,
        order_id,
        state,
    )
