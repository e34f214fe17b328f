"""Statements about notices on their way. Every write behind a claim names its lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.messages.types.delivery import (
    DeliveryClaim,
    DeliveryHeld,
    DeliveryId,
    DeliveryState,
)


async def insert(
    connection: Connection,
    notice_id: int,
    user_ids: Sequence[int],
    channel: str,
    *,
    muted: frozenset[int],
) -> Sequence[DeliveryId]:
    """One delivery for each of them, once; the new ones that must be sent.

    Whoever is among ``muted`` has his in its last state already.
    """
    rows = await connection.fetch(
        """
        INSERT INTO deliveries (notice_id, user_id, channel, state, ended_at)
        SELECT $1, one.user_id, $3, CASE WHEN one.muted THEN 'muted' ELSE 'pending' END,
               CASE WHEN one.muted THEN now() END
        FROM (SELECT user_id, user_id = ANY ($4::bigint[]) AS muted
              FROM unnest($2::bigint[]) AS user_id) one
        ON CONFLICT (notice_id, user_id, channel) DO NOTHING
        RETURNING id, state
        """,
        notice_id,
        list(user_ids),
        channel,
        list(muted),
    )
    return [DeliveryId(row["id"]) for row in rows if row["state"] == DeliveryState.PENDING]


async def claim(
    pool: Pool, delivery_id: DeliveryId, *, attempt: int, lease: UUID, lease_s: float
) -> DeliveryClaim | DeliveryHeld | None:
    """Take up a delivery for the attempt that follows ``attempt`` earlier ones.

    None: that attempt was made, or there is nothing to send any more. A worker that died in the
    middle of it has left its lease, and the attempt is taken over when that has run out.
    """
    row = await pool.fetchrow(
        """
        UPDATE deliveries
        SET attempts = $2 + 1, lease = $3, lease_until = now() + make_interval(secs => $4)
        WHERE id = $1 AND state = 'pending'
          AND (attempts = $2 AND lease IS NULL OR attempts = $2 + 1 AND lease_until < now())
        RETURNING id, notice_id, user_id, channel, step, attempts, doubts, lease, created_at
        """,
        delivery_id,
        attempt,
        lease,
        lease_s,
    )
    if row is not None:
        return DeliveryClaim(**row)
    for_s = await pool.fetchval(
        """
        SELECT extract(epoch FROM lease_until - now())::float8 FROM deliveries
        WHERE id = $1 AND state = 'pending' AND attempts = $2 + 1 AND lease IS NOT NULL
        """,
        delivery_id,
        attempt,
    )
    return DeliveryHeld(for_s) if for_s is not None else None


async def renew_lease(pool: Pool, claim: DeliveryClaim, *, lease_s: float) -> bool:
    """False: the lease is lost."""
    status = await pool.execute(
        """
        UPDATE deliveries SET lease_until = now() + make_interval(secs => $3)
        WHERE id = $1 AND lease = $2
        """,
        claim.id,
        claim.lease,
        lease_s,
    )
    return status == "UPDATE 1"


async def record_step(
    pool: Pool, claim: DeliveryClaim, step: int, message_ids: Sequence[int], *, is_last: bool
) -> bool:
    """The message number ``step`` has arrived, or needs no sending. False: the lease is lost, or
    that was written down before."""
    status = await pool.execute(
        """
        UPDATE deliveries
        SET step = step + 1, sent = sent || jsonb_build_array($4::jsonb), error = NULL, doubts = 0,
            state = CASE WHEN $5 THEN 'sent' ELSE state END,
            ended_at = CASE WHEN $5 THEN now() END,
            lease = CASE WHEN $5 THEN NULL ELSE lease END,
            lease_until = CASE WHEN $5 THEN NULL ELSE lease_until END
        WHERE id = $1 AND lease = $2 AND step = $3
        """,
        claim.id,
        claim.lease,
        step,
        list(message_ids),
        is_last,
    )
    return status == "UPDATE 1"


async def end(
    connection: Connection | Pool,
    claim: DeliveryClaim,
    state: DeliveryState,
    *,
    error: str | None = None,
) -> bool:
    """It goes no further. False: the lease is lost."""
    status = await connection.execute(
        """
        UPDATE deliveries
        SET state = $3, error = $4, ended_at = now(), lease = NULL, lease_until = NULL
        WHERE id = $1 AND lease = $2
        """,
        claim.id,
        claim.lease,
        state,
        error,
    )
    return status == "UPDATE 1"


async def postpone(
    connection: Connection, claim: DeliveryClaim, *, delay_s: float, error: str, doubts: int
) -> bool:
    """Give it back for another attempt. False: the lease is lost."""
    status = await connection.execute(
        """
        UPDATE deliveries
        SET next_at = now() + make_interval(secs => $3), error = $4, doubts = $5,
            lease = NULL, lease_until = NULL
        WHERE id = $1 AND lease = $2
        """,
        claim.id,
        claim.lease,
        delay_s,
        error,
        doubts,
    )
    return status == "UPDATE 1"


async def put_back(connection: Connection, claim: DeliveryClaim, *, delay_s: float) -> bool:
    """Give it back as if this attempt had not been. False: the lease is lost."""
    status = await connection.execute(
        """
        UPDATE deliveries
        SET next_at = now() + make_interval(secs => $3), attempts = attempts - 1,
            lease = NULL, lease_until = NULL
        WHERE id = $1 AND lease = $2
        """,
        claim.id,
        claim.lease,
        delay_s,
    )
    return status == "UPDATE 1"


async def left_behind(
    connection: Connection, *, silent_s: float, limit: int
) -> Sequence[tuple[DeliveryId, int]]:
    """Deliveries that somebody should have taken up so long ago, with the attempts before the one
    that is due. Each is named once in ``silent_s``."""
    rows = await connection.fetch(
        """
        WITH late AS (
            SELECT id FROM deliveries
            WHERE state = 'pending' AND next_at < now() - make_interval(secs => $1)
              AND (lease IS NULL OR lease_until < now())
            ORDER BY next_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE deliveries d SET next_at = now() FROM late WHERE d.id = late.id
        RETURNING d.id, d.attempts - (d.lease IS NOT NULL)::integer AS attempt
        """,
        silent_s,
        limit,
    )
    return [(DeliveryId(row["id"]), row["attempt"]) for row in rows]


async def gone_of(
    connection: Connection, user_id: int, channel: str, *, since: datetime
) -> Sequence[tuple[DeliveryId, int]]:
    """What could not be brought to a person: the deliveries and their notices, oldest first."""
    rows = await connection.fetch(
        """
        SELECT id, notice_id FROM deliveries
        WHERE user_id = $1 AND channel = $2 AND state = 'gone' AND created_at > $3 ORDER BY id
        """,
        user_id,
        channel,
        since,
    )
    return [(DeliveryId(row["id"]), row["notice_id"]) for row in rows]


async def reopen(connection: Connection, delivery_id: DeliveryId) -> int | None:
    """Try again to bring what could not be brought; the attempts before. None: it is under way."""
    attempts: int | None = await connection.fetchval(
        """
        UPDATE deliveries
        SET state = 'pending', ended_at = NULL, error = NULL, next_at = now()
        WHERE id = $1 AND state = 'gone' RETURNING attempts
        """,
        delivery_id,
    )
    return attempts
