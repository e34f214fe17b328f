"""How orders end, and what time does to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hamyon.kit.db import Connection, Pool
from hamyon.orders.store.rows import JOB_COLUMNS, ORDER_COLUMNS, read_job, read_order
from hamyon.orders.types import (
    Job,
    JobId,
    Order,
    OrderId,
)


async def lock_order(connection: Connection, order_id: OrderId) -> Order | None:
    """The order, locked: the first lock of every use case that ends something."""
    row = await connection.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
        order_id,
    )
    return read_order(row) if row else None


async def jobs_of(connection: Connection | Pool, order_id: OrderId) -> Sequence[Job]:
    """An order's jobs in their order."""
    rows = await connection.fetch(
        f"SELECT {JOB_COLUMNS} FROM jobs WHERE order_id = $1 ORDER BY ordinal",  # noqa: S608
        order_id,
    )
    return [read_job(row) for row in rows]


async def provider_jobs_of(
    connection: Connection | Pool, order_id: OrderId
) -> Sequence[tuple[JobId, str | None]]:
    """The open jobs of an order with the provider's ids."""
    rows = await connection.fetch(
        """
        SELECT id, provider_job_id FROM jobs
        WHERE order_id = $1 AND state IN ('queued', 'submitting', 'running', 'uncertain')
        ORDER BY ordinal
        """,
        order_id,
    )
    return [(row["id"], row["provider_job_id"]) for row in rows]


async def settle(connection: Connection, order: Order) -> None:
    """Write the end of a locked, unsettled order."""
    await connection.execute(
        """
        UPDATE orders SET state = $2, charged = $3, error_code = $4, error_message = $5,
            error_retryable = $6, review_until = NULL, finished_at = now(), settled_at = now()
        WHERE id = $1 AND settled_at IS NULL
        """,
        order.id,
        order.state,
        order.charged,
        order.error_code,
        order.error_message,
        order.error_retryable,
    )


async def back_to_queue(connection: Connection, order_id: OrderId) -> None:
    """A locked order none of whose jobs has been sent waits again."""
    await connection.execute(
        """
        UPDATE orders SET state = 'queued', started_at = NULL
        WHERE id = $1 AND state = 'running'
          AND NOT EXISTS (SELECT FROM jobs WHERE order_id = $1 AND state <> 'queued')
        """,
        order_id,
    )


async def complete_late(connection: Connection, order_id: OrderId) -> None:
    """A picture came after the money had gone back: the order has it, and nothing is charged."""
    await connection.execute(
        """
        UPDATE orders SET state = 'completed', error_code = NULL, error_message = NULL,
            error_retryable = false, finished_at = now()
        WHERE id = $1 AND settled_at IS NOT NULL
        """,
        order_id,
    )


async def to_review(connection: Connection, order_id: OrderId, *, period: timedelta) -> None:
    """Hand a locked order to the operators; the hold stays."""
    await connection.execute(
        "UPDATE orders SET state = 'review', review_until = now() + $2::interval WHERE id = $1",
        order_id,
        period,
    )


async def overdue(pool: Pool, *, limit: int) -> Sequence[OrderId]:
    """Orders past their deadline that nobody decided about."""
    rows = await pool.fetch(
        """
        SELECT id FROM orders
        WHERE state IN ('queued', 'running') AND deadline_at < now()
        ORDER BY deadline_at LIMIT $1
        """,
        limit,
    )
    return [row["id"] for row in rows]


async def review_over(pool: Pool, *, limit: int) -> Sequence[OrderId]:
    """Orders whose time for the operators is over."""
    rows = await pool.fetch(
        """
        SELECT id FROM orders WHERE state = 'review' AND review_until < now()
        ORDER BY review_until LIMIT $1
        """,
        limit,
    )
    return [row["id"] for row in rows]


async def restart_stray_jobs(
    connection: Connection, *, silent_s: float, limit: int
) -> Sequence[tuple[JobId, int]]:
    """Jobs at a provider that nobody has asked about for so long: their queue entry was lost.

    Returns them with the step of the chain that must be queued now; older entries are void.
    """
    rows = await connection.fetch(
        """
        WITH stray AS (
            SELECT j.id FROM jobs j JOIN orders o ON o.id = j.order_id AND o.settled_at IS NULL
            WHERE j.state IN ('submitting', 'running', 'uncertain')
              AND coalesce(j.lease_until < now(), true)
              AND coalesce(j.polled_at, j.lease_until, '-infinity')
                  < now() - make_interval(secs => $1)
            ORDER BY j.lease_until NULLS FIRST LIMIT $2 FOR NO KEY UPDATE OF j SKIP LOCKED
        )
        UPDATE jobs j SET step = step + 1, polled_at = now()
        FROM stray WHERE j.id = stray.id RETURNING j.id, j.step
        """,
        silent_s,
        limit,
    )
    return [(row["id"], row["step"]) for row in rows]


async def forget_late_jobs(pool: Pool, *, older_than: timedelta) -> int:
    """End open jobs of orders settled so long ago that no provider will still answer."""
    status = await pool.execute(
        """
        UPDATE jobs j SET state = 'failed', error_code = 'deadline_passed', finished_at = now(),
            lease = NULL, lease_until = NULL
        FROM orders o
        WHERE o.id = j.order_id AND o.settled_at < now() - $1::interval
          AND j.state IN ('queued', 'submitting', 'running', 'uncertain')
          AND coalesce(j.lease_until < now(), true)
        """,
        older_than,
    )
    return int(status.rsplit(" ", 1)[1])
