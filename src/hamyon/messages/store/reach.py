"""Statements about people whom a channel cannot reach."""

from __future__ import annotations

from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.messages.types import GoneReason


async def put(
    connection: Connection, user_id: int, channel: str, reason: GoneReason, *, now: datetime
) -> None:
    """He cannot be reached, as was found just now."""
    await connection.execute(
        """
        INSERT INTO unreachable (user_id, channel, reason, since) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, channel)
        DO UPDATE SET reason = excluded.reason, since = excluded.since
        """,
        user_id,
        channel,
        reason,
        now,
    )


async def delete(connection: Connection | Pool, user_id: int, channel: str) -> bool:
    """He can be reached. False: nobody doubted it."""
    status = await connection.execute(
        "DELETE FROM unreachable WHERE user_id = $1 AND channel = $2", user_id, channel
    )
    return status == "DELETE 1"


async def since(connection: Connection | Pool, user_id: int, channel: str) -> datetime | None:
    """Since when he is known not to be reached; None when he can be."""
    found: datetime | None = await connection.fetchval(
        "SELECT since FROM unreachable WHERE user_id = $1 AND channel = $2", user_id, channel
    )
    return found
