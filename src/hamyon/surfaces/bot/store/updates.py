"""Statements about updates: Telegram sends each one until somebody has answered for it."""

from __future__ import annotations

from datetime import timedelta

from hamyon.kit.db import Connection, Pool


async def claim(
    pool: Pool, bot_id: int, update_id: int, *, lease: timedelta
) -> tuple[int, bool] | None:
    """Take an update: how often it was tried with this time, and whether it is done already.

    None: another process has it in hand.
    """
    row = await pool.fetchrow(
        """
        INSERT INTO bot_updates AS known (bot_id, update_id, lease_until)
        VALUES ($1, $2, now() + $3)
        ON CONFLICT (bot_id, update_id) DO UPDATE
        SET attempts = known.attempts + 1, lease_until = now() + $3
        WHERE known.done OR known.lease_until <= now()
        RETURNING attempts, done
        """,
        bot_id,
        update_id,
        lease,
    )
    return None if row is None else (row["attempts"], row["done"])


async def renew(pool: Pool, bot_id: int, update_id: int, *, lease: timedelta) -> bool:
    """Still working on it. False: it is done."""
    row = await pool.fetchrow(
        """
        UPDATE bot_updates SET lease_until = now() + $3
        WHERE bot_id = $1 AND update_id = $2 AND NOT done RETURNING true
        """,
        bot_id,
        update_id,
        lease,
    )
    return row is not None


async def finish(pool: Pool, bot_id: int, update_id: int) -> None:
    """It had its effect; when it comes again, nothing happens."""
    await pool.execute(
        "UPDATE bot_updates SET done = true WHERE bot_id = $1 AND update_id = $2",
        bot_id,
        update_id,
    )


async def let_go(pool: Pool, bot_id: int, update_id: int) -> None:
    """It could not be handled now; whoever gets it next may try at once."""
    await pool.execute(
        """
        UPDATE bot_updates SET lease_until = now()
        WHERE bot_id = $1 AND update_id = $2 AND NOT done
        """,
        bot_id,
        update_id,
    )


async def forget_updates(connection: Connection | Pool, *, older_than: timedelta) -> None:
    """Telegram keeps an update for 24 hours; what is older does not come again."""
    await connection.execute(
        "DELETE FROM bot_updates WHERE created_at < now() - $1::interval", older_than
    )
