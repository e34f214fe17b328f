"""Statements of whoever sends broadcasts: the lease, recipients in hand, results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.messages.types import Topic
from hamyon.messages.types.broadcast import BroadcastId, BroadcastState, Recipient, Result


@dataclass(frozen=True, slots=True)
class Claimed:
    """Recipients in hand; ``after_id`` is the last id that was looked at, None when none was left.

    Fewer recipients than asked for may come with it: some were not to be written to any more.
    """

    recipients: Sequence[Recipient]
    after_id: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A channel's row is ours. ``wait_s`` is how long the channel wants to be left alone yet."""

    wait_s: float


async def is_wanted(connection: Connection | Pool, channel: str) -> bool:
    """Whether a broadcast runs and nobody sends it. Writes nothing, so every worker may look."""
    wanted = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM broadcasts WHERE state = 'running')
           AND NOT EXISTS (SELECT FROM broadcast_pumps WHERE channel = $1 AND lease_until > now())
        """,
        channel,
    )
    return cast("bool", wanted)


async def take(
    connection: Connection | Pool, channel: str, *, lease: UUID, lease_s: float
) -> Taken | None:
    """Become the one who sends through a channel; None when somebody else is."""
    row = await connection.fetchrow(
        """
        INSERT INTO broadcast_pumps AS p (channel, lease, lease_until)
        VALUES ($1, $2, now() + make_interval(secs => $3))
        ON CONFLICT (channel) DO UPDATE
        SET lease = excluded.lease, lease_until = excluded.lease_until
        WHERE p.lease_until IS NULL OR p.lease_until <= now()
        RETURNING CASE WHEN not_before > now()
                       THEN extract(epoch FROM not_before - now()) ELSE 0 END::float8 AS wait_s
        """,
        channel,
        lease,
        lease_s,
    )
    return Taken(row["wait_s"]) if row is not None else None


async def renew(
    connection: Connection | Pool,
    channel: str,
    *,
    lease: UUID,
    lease_s: float,
    broadcast_id: BroadcastId | None,
) -> tuple[bool, BroadcastState | None]:
    """Stay the one who sends: whether we still are, and the state of the broadcast at hand."""
    row = await connection.fetchrow(
        """
        WITH kept AS (
            UPDATE broadcast_pumps SET lease_until = now() + make_interval(secs => $3)
            WHERE channel = $1 AND lease = $2 RETURNING true
        )
        SELECT EXISTS (SELECT FROM kept) AS kept,
               (SELECT state FROM broadcasts WHERE id = $4) AS state
        """,
        channel,
        lease,
        lease_s,
        broadcast_id,
    )
    assert row is not None
    return row["kept"], BroadcastState(row["state"]) if row["state"] is not None else None


async def give_up(connection: Connection | Pool, channel: str, *, lease: UUID) -> None:
    """Let whoever comes next send at once."""
    await connection.execute(
        """
        UPDATE broadcast_pumps SET lease = NULL, lease_until = NULL
        WHERE channel = $1 AND lease = $2
        """,
        channel,
        lease,
    )


async def leave_alone(
    connection: Connection | Pool, channel: str, *, lease: UUID, wait_s: float
) -> None:
    """The channel wants no message for so long, from whomever."""
    await connection.execute(
        """
        UPDATE broadcast_pumps
        SET not_before = greatest(not_before, now() + make_interval(secs => $3))
        WHERE channel = $1 AND lease = $2
        """,
        channel,
        lease,
        wait_s,
    )


async def next_running(connection: Connection | Pool) -> BroadcastId | None:
    """The broadcast that was started first of those that run."""
    number = await connection.fetchval(
        "SELECT id FROM broadcasts WHERE state = 'running' ORDER BY started_at, id LIMIT 1"
    )
    return BroadcastId(number) if number is not None else None


async def let_go(
    connection: Connection | Pool, broadcast_id: BroadcastId, *, channel: str, lease: UUID
) -> None:
    """Nobody has a recipient in hand any more: what a dead process had, or what we have left.

    Changes nothing without the lease, because then they are in somebody else's hands.
    """
    await connection.execute(
        """
        WITH ours AS MATERIALIZED (
            SELECT FROM broadcast_pumps
            WHERE channel = $2 AND lease = $3 AND lease_until > now() FOR SHARE
        )
        UPDATE broadcast_recipients SET state = 'pending'
        WHERE broadcast_id = $1 AND state = 'sending' AND EXISTS (SELECT FROM ours)
        """,
        broadcast_id,
        channel,
        lease,
    )


async def claim(
    connection: Connection | Pool,
    broadcast_id: BroadcastId,
    *,
    channel: str,
    lease: UUID,
    after_id: int,
    limit: int,
    tried: bool = False,
) -> Claimed:
    """Take the next recipients behind ``after_id`` in hand, by their ids; none without the lease.

    ``tried``: those for whom it was tried before, else those for whom it was not. Whom we may not
    write to since the recipients were chosen is not sent anything: he ends here as blocked. The
    lease's row is held for the statement, so that a successor cannot come in between.
    """
    rows = await connection.fetch(
        """
        WITH ours AS MATERIALIZED (
            SELECT FROM broadcast_pumps
            WHERE channel = $2 AND lease = $3 AND lease_until > now() FOR SHARE
        ), next AS MATERIALIZED (
            SELECT user_id FROM broadcast_recipients
            WHERE broadcast_id = $1 AND user_id > $4 AND state = 'pending'
              AND (attempts > 0) = $6 AND EXISTS (SELECT FROM ours)
            ORDER BY user_id LIMIT $5
        ), judged AS MATERIALIZED (
            SELECT next.user_id,
                CASE WHEN u.blocked_at IS NOT NULL THEN 'blocked by an operator'
                     WHEN x.user_id IS NOT NULL THEN 'unreachable: ' || x.reason
                     WHEN NOT n.enabled THEN 'has switched news off' END AS bar
            FROM next JOIN users u ON u.id = next.user_id
            LEFT JOIN unreachable x ON x.user_id = next.user_id AND x.channel = $2
            LEFT JOIN notification_preferences n ON n.user_id = next.user_id AND n.topic = $7
        )
        UPDATE broadcast_recipients r
        SET state = CASE WHEN bar IS NULL THEN 'sending' ELSE 'blocked' END,
            error = coalesce(bar, r.error)
        FROM judged
        WHERE r.broadcast_id = $1 AND r.user_id = judged.user_id
        RETURNING r.user_id, r.attempts, r.error, bar IS NULL AS is_open
        """,
        broadcast_id,
        channel,
        lease,
        after_id,
        limit,
        tried,
        Topic.NEWS.value,
    )
    found = [
        Recipient(row["user_id"], row["attempts"], row["error"]) for row in rows if row["is_open"]
    ]
    found.sort(key=lambda recipient: recipient.user_id)
    is_last = len(rows) < limit
    return Claimed(found, None if is_last else max(row["user_id"] for row in rows))


async def record(
    connection: Connection | Pool,
    broadcast_id: BroadcastId,
    results: Sequence[Result],
    *,
    channel: str,
) -> BroadcastState:
    """Write down what became of recipients, and hear in which state the broadcast is now.

    It needs no lease: what happened has happened, whoever comes to tell it. One who was reached
    stays reached.
    """
    state = await connection.fetchval(
        """
        WITH result AS MATERIALIZED (
            SELECT * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[])
                AS r (user_id, state, error, gone)
        ), written AS (
            UPDATE broadcast_recipients b
            SET state = r.state, error = r.error, attempts = b.attempts + 1,
                sent_at = CASE WHEN r.state = 'sent' THEN clock_timestamp() END
            FROM result r
            WHERE b.broadcast_id = $1 AND b.user_id = r.user_id
              AND (b.state IN ('pending', 'sending') OR (r.state = 'sent' AND b.state <> 'sent'))
        ), unreached AS (
            INSERT INTO unreachable (user_id, channel, reason)
            SELECT user_id, $6, gone FROM result WHERE gone IS NOT NULL
            ON CONFLICT (user_id, channel)
            DO UPDATE SET reason = excluded.reason, since = excluded.since
        )
        SELECT state FROM broadcasts WHERE id = $1
        """,
        broadcast_id,
        [result.user_id for result in results],
        [result.state.value for result in results],
        [result.error for result in results],
        [result.gone for result in results],
        channel,
    )
    return BroadcastState(state)


async def has_open(connection: Connection, broadcast_id: BroadcastId) -> bool:
    """Whether anybody is still to be written to."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM broadcast_recipients
                       WHERE broadcast_id = $1 AND state IN ('pending', 'sending'))
        """,
        broadcast_id,
    )
    return cast("bool", found)


async def take_back(connection: Connection, broadcast_id: BroadcastId, error: str) -> None:
    """Those who failed for one reason are to be written to again; ``error`` stays beside them."""
    await connection.execute(
        """
        UPDATE broadcast_recipients SET state = 'pending'
        WHERE broadcast_id = $1 AND state = 'failed' AND error = $2
        """,
        broadcast_id,
        error,
    )
