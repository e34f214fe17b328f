"""The kit's own statements: keys of idempotency, the inbox, the queue, signals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from hamyon.kit.db import Connection, Pool, refusals
from hamyon.kit.errors import IdempotencyMismatch

REFUSALS = {"idempotency_mismatch": IdempotencyMismatch}


async def claim_key(
    connection: Connection, *, caller: str, user_id: int, route: str, key: str, input_hash: bytes
) -> dict[str, object] | None:
    """Claim a key in the caller's transaction: None for the first, else the first one's answer.

    A racing claim of the same key waits here until the other transaction ends.
    Raises IdempotencyMismatch when the key stands for another input.
    """
    with refusals(REFUSALS):
        answer = await connection.fetchval(
            "SELECT idempotency_claim($1, $2, $3, $4, $5)", caller, user_id, route, key, input_hash
        )
    return cast("dict[str, object] | None", answer)


async def answer_key(
    connection: Connection,
    *,
    caller: str,
    user_id: int,
    route: str,
    key: str,
    answer: dict[str, object],
) -> None:
    """Keep the first answer beside its key, in the transaction that claimed it."""
    await connection.execute(
        "SELECT idempotency_answer($1, $2, $3, $4, $5)", caller, user_id, route, key, answer
    )


async def store_event(
    connection: Connection | Pool, *, source: str, event_key: str, subject: str, body: bytes
) -> int | None:
    """Keep an outside event as it came. Its id, or None when it is here already.

    ``subject`` names what of ours it is about, an order's job for example.
    """
    return cast(
        "int | None",
        await connection.fetchval(
            """
            INSERT INTO inbox (source, event_key, subject, body) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            source,
            event_key,
            subject,
            body,
        ),
    )


async def events_about(
    connection: Connection | Pool, *, source: str, subject: str
) -> Sequence[bytes]:
    """The bodies of the events about one thing of ours, oldest first."""
    rows = await connection.fetch(
        "SELECT body FROM inbox WHERE source = $1 AND subject = $2 ORDER BY id", source, subject
    )
    return [row["body"] for row in rows]


async def mark_handled(connection: Connection | Pool, *, source: str, subject: str) -> None:
    """Say that the events about a thing have had their effect."""
    await connection.execute(
        """
        UPDATE inbox SET handled_at = now()
        WHERE source = $1 AND subject = $2 AND handled_at IS NULL
        """,
        source,
        subject,
    )


async def add_job(
    connection: Connection,
    entrypoint: str,
    payload: str,
    *,
    priority: int = 0,
    delay: timedelta = timedelta(0),
    dedupe_key: str | None = None,
) -> None:
    """Queue a job in the caller's transaction; no second one while ``dedupe_key`` waits or runs."""
    await connection.execute(
        "SELECT queue_add($1, $2, $3, $4, $5)", entrypoint, payload, priority, delay, dedupe_key
    )


async def queue_depth(connection: Connection | Pool) -> tuple[int, float]:
    """How many jobs are due, and how long the oldest of them has waited, in seconds."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS depth,
               coalesce(extract(epoch FROM now() - min(execute_after)), 0)::float8 AS oldest_s
        FROM pgqueuer WHERE status = 'queued' AND execute_after <= now()
        """
    )
    assert row is not None
    return row["depth"], row["oldest_s"]


async def queue_by_entrypoint(connection: Connection | Pool) -> Sequence[dict[str, object]]:
    """The queue by entry point: what waits, is due, is worked on, was given up, and how old.

    ``held_back`` are jobs that wait for a later moment, ``retried`` those that failed before.
    """
    rows = await connection.fetch(
        """
        SELECT entrypoint,
               count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS due,
               count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS held_back,
               count(*) FILTER (WHERE status = 'picked') AS running,
               count(*) FILTER (WHERE status IN ('failed', 'exception')) AS failed,
               count(*) FILTER (WHERE status IN ('queued', 'picked') AND attempts > 0) AS retried,
               coalesce(extract(epoch FROM now() - min(execute_after)
                   FILTER (WHERE status = 'queued' AND execute_after <= now())), 0)::float8
                   AS oldest_s
        FROM pgqueuer GROUP BY entrypoint ORDER BY entrypoint
        """
    )
    return [dict(row) for row in rows]


async def prune_queue_log(connection: Connection, *, older_than: timedelta) -> int:
    """Forget the queue's log of long finished jobs. Returns how many rows went."""
    status = await connection.execute(
        "DELETE FROM pgqueuer_log WHERE created < now() - $1::interval", older_than
    )
    return int(status.rsplit(" ", 1)[1])


async def notify(connection: Connection | Pool, channel: str, payload: str) -> None:
    """Send a signal; inside a transaction it goes out with the commit."""
    await connection.execute("SELECT pg_notify($1, $2)", channel, payload)


async def database_time(connection: Connection | Pool) -> datetime:
    """The database's clock: proof that it answers."""
    return cast("datetime", await connection.fetchval("SELECT clock_timestamp()"))
