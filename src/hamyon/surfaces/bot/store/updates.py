"""Statements about updates: kept before Telegram may forget them, and done one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hamyon.kit.db import Pool


@dataclass(frozen=True, slots=True)
class Claim:
    """An update that this process alone may handle until its lease is over."""

    bot_id: int
    update_id: int
    lease: UUID
    attempts: int
    body: Mapping[str, object]
    created_at: datetime


async def keep(
    pool: Pool, bot_id: int, update_id: int, person_id: int, body: Mapping[str, object]
) -> None:
    """Keep an update, unless it is here already, done or not."""
    await pool.execute(
        """
        INSERT INTO bot_updates (bot_id, update_id, person_id, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        bot_id,
        update_id,
        person_id,
        dict(body),
    )


async def claim(
    pool: Pool, bot_id: int, person_id: int, *, lease: UUID, lease_s: float
) -> Claim | float | None:
    """A person's first open update; or, when another process has it in hand or it must rest, for
    how many seconds at most. None: nothing of his is open."""
    row = await pool.fetchrow(
        """
        WITH first AS (
            SELECT bot_id, update_id,
                   greatest(not_before, coalesce(lease_until, not_before)) AS free_at
            FROM bot_updates WHERE bot_id = $1 AND person_id = $2 AND NOT done
            ORDER BY update_id LIMIT 1 FOR UPDATE
        ), claimed AS (
            UPDATE bot_updates u
            SET lease = $3, lease_until = now() + make_interval(secs => $4),
                attempts = attempts + 1
            FROM first
            WHERE u.bot_id = first.bot_id AND u.update_id = first.update_id
              AND first.free_at <= now()
            RETURNING u.update_id, u.attempts, u.body, u.created_at
        )
        SELECT claimed.update_id, attempts, body, created_at,
               CASE WHEN claimed.update_id IS NULL
                    THEN extract(epoch FROM first.free_at - now())::float8 END AS wait_s
        FROM first LEFT JOIN claimed ON true
        """,
        bot_id,
        person_id,
        lease,
        lease_s,
    )
    if row is None:
        return None
    if row["update_id"] is None:
        return max(float(row["wait_s"]), 0.0)
    return Claim(bot_id, row["update_id"], lease, row["attempts"], row["body"], row["created_at"])


async def renew(pool: Pool, claim: Claim, *, lease_s: float) -> bool:
    """Still working on it. False: it is somebody else's by now."""
    row = await pool.fetchrow(
        """
        UPDATE bot_updates SET lease_until = now() + make_interval(secs => $4)
        WHERE bot_id = $1 AND update_id = $2 AND lease = $3 AND NOT done RETURNING true
        """,
        claim.bot_id,
        claim.update_id,
        claim.lease,
        lease_s,
    )
    return row is not None


async def finish(pool: Pool, claim: Claim) -> None:
    """It had its effect; when it comes again, nothing happens. What it said is forgotten."""
    await pool.execute(
        """
        UPDATE bot_updates SET done = true, body = NULL
        WHERE bot_id = $1 AND update_id = $2 AND lease = $3
        """,
        claim.bot_id,
        claim.update_id,
        claim.lease,
    )


async def put_off(pool: Pool, claim: Claim, *, delay_s: float) -> None:
    """It could not be handled now; whoever looks after ``delay_s`` may try again."""
    await pool.execute(
        """
        UPDATE bot_updates
        SET lease = NULL, lease_until = NULL, not_before = now() + make_interval(secs => $4)
        WHERE bot_id = $1 AND update_id = $2 AND lease = $3 AND NOT done
        """,
        claim.bot_id,
        claim.update_id,
        claim.lease,
        delay_s,
    )


async def left_behind(pool: Pool, bot_id: int, *, limit: int) -> Sequence[int]:
    """People with an open update that nobody works on."""
    rows = await pool.fetch(
        """
        SELECT DISTINCT person_id FROM bot_updates
        WHERE bot_id = $1 AND NOT done AND created_at < now() - interval '1 s'
          AND not_before <= now() AND coalesce(lease_until, '-infinity') <= now()
        LIMIT $2
        """,
        bot_id,
        limit,
    )
    return [row["person_id"] for row in rows]


async def forget_updates(pool: Pool, *, older_than: timedelta) -> None:
    """Telegram keeps an update for 24 hours; what is older does not come again."""
    await pool.execute(
        "DELETE FROM bot_updates WHERE done AND created_at < now() - $1::interval", older_than
    )
