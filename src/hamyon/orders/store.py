"""The statements of orders and their jobs. Writes after a claim are fenced by its lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.ledger.types import Finding
from hamyon.orders.types import (
    Claim,
    Held,
    Job,
    JobEnd,
    JobEnds,
    JobId,
    JobState,
    Order,
    OrderId,
    OrderState,
    ProviderJob,
    StoredOutput,
)

ORDER_COLUMNS = """
    id, user_id, product, model_key, engine, state, input, asset, price, charged, trial, deliver,
    error_code, error_message, error_retryable, created_at, started_at, finished_at, deadline_at,
    settled_at
"""
JOB_COLUMNS = "id, order_id, ordinal, state, outputs, error_code, error_message, error_retryable"


def _order(row: Record) -> Order:
    return Order(**{**row, "state": OrderState(row["state"])})


def _job(row: Record) -> Job:
    return Job(
        **{
            **row,
            "state": JobState(row["state"]),
            "outputs": [StoredOutput(**output) for output in row["outputs"]],
        }
    )


# --- working on a job -----------------------------------------------------------------------------


async def claim_job(
    pool: Pool,
    job_id: JobId,
    *,
    lease: UUID,
    lease_s: float,
    step: int | None,
    quiet_s: float | None = None,
) -> Claim | Held | None:
    """Take a job, committed when this returns.

    ``step`` is the number of the chain's queue entry, None for a call beside the chain. None: the
    job has ended, the entry is void, or the job was asked about in the last ``quiet_s`` seconds.
    """
    row = await pool.fetchrow(
        """
        SELECT was, held_s, sendable, (job).order_id, (job).engine, (job).provider_path,
               (job).provider_job_id, (job).attempts, (job).fetches, (job).submitted_at,
               ("order").model_key, ("order").input, ("order").priority, ("order").created_at,
               ("order").settled_at IS NOT NULL AS settled
        FROM job_claim($1, $2, $3, $4, $5)
        """,
        job_id,
        lease,
        lease_s,
        step,
        quiet_s,
    )
    if row is None:
        return None
    values = dict(row)
    held_s = values.pop("held_s")
    if held_s is not None:
        return Held(held_s)
    values["was"] = JobState(values["was"])
    return Claim(job_id=job_id, lease=lease, beside=step is None, **values)


async def renew_lease(pool: Pool, claim: Claim, *, lease_s: float) -> bool:
    """Keep a job for another ``lease_s`` from now. False: the lease was lost."""
    status = await pool.execute(
        """
        UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $3)
        WHERE id = $1 AND lease = $2
        """,
        claim.job_id,
        claim.lease,
        lease_s,
    )
    return status == "UPDATE 1"


async def mark_running(connection: Connection, claim: Claim, *, provider_job_id: str) -> int | None:
    """The provider has it under this id. The chain's next step; None: the lease was lost."""
    return cast(
        "int | None",
        await connection.fetchval(
            """
            UPDATE jobs SET state = 'running', provider_job_id = $3, submitted_at = now(),
                polled_at = now(), step = step + $4, lease = NULL, lease_until = NULL
            WHERE id = $1 AND lease = $2 RETURNING step
            """,
            claim.job_id,
            claim.lease,
            provider_job_id,
            0 if claim.beside else 1,
        ),
    )


async def put_back(
    connection: Connection, claim: Claim, *, state: JobState, attempts: int, fetches: int
) -> int | None:
    """Give the lease back without an end: to ask again later.

    The chain's next step; None: the lease was lost.
    """
    return cast(
        "int | None",
        await connection.fetchval(
            """
            UPDATE jobs SET state = $3, attempts = $4, fetches = $5, polled_at = now(),
                step = step + $6, lease = NULL, lease_until = NULL
            WHERE id = $1 AND lease = $2 RETURNING step
            """,
            claim.job_id,
            claim.lease,
            state,
            attempts,
            fetches,
            0 if claim.beside else 1,
        ),
    )


async def end_job(connection: Connection, claim: Claim, end: JobEnd) -> bool:
    """Write how a job ended. False: the lease was lost, and nothing was written."""
    status = await connection.execute(
        """
        UPDATE jobs SET state = $3, outputs = $4, error_code = $5, error_message = $6,
            error_retryable = $7, cost_micro_usd = coalesce($8, cost_micro_usd),
            finished_at = now(), lease = NULL, lease_until = NULL
        WHERE id = $1 AND lease = $2
        """,
        claim.job_id,
        claim.lease,
        end.state,
        [_plain(output) for output in end.outputs],
        end.error_code,
        end.error_message,
        end.error_retryable,
        end.cost_micro_usd,
    )
    return status == "UPDATE 1"


def _plain(output: StoredOutput) -> dict[str, object]:
    return {name: getattr(output, name) for name in StoredOutput.__slots__}


async def end_open_jobs(
    connection: Connection, order_id: OrderId, *, states: Sequence[JobState], end: JobEnd
) -> int:
    """End those jobs of a locked order that stand in one of ``states`` and that no worker holds."""
    status = await connection.execute(
        """
        UPDATE jobs SET state = $3, error_code = $4, error_message = $5, error_retryable = $6,
            finished_at = now(), lease = NULL, lease_until = NULL
        WHERE order_id = $1 AND state = ANY ($2) AND coalesce(lease_until < now(), true)
        """,
        order_id,
        list(states),
        end.state,
        end.error_code,
        end.error_message,
        end.error_retryable,
    )
    return int(status.rsplit(" ", 1)[1])


# --- orders ---------------------------------------------------------------------------------------


async def lock_order(connection: Connection, order_id: OrderId) -> Order | None:
    """The order, locked: the first lock of every use case that ends something."""
    row = await connection.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
        order_id,
    )
    return _order(row) if row else None


async def jobs_of(connection: Connection | Pool, order_id: OrderId) -> Sequence[Job]:
    """An order's jobs in their order."""
    rows = await connection.fetch(
        f"SELECT {JOB_COLUMNS} FROM jobs WHERE order_id = $1 ORDER BY ordinal",  # noqa: S608
        order_id,
    )
    return [_job(row) for row in rows]


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


# --- reading --------------------------------------------------------------------------------------


async def get(connection: Connection | Pool, order_id: OrderId) -> Order | None:
    """An order by its id."""
    row = await connection.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1",  # noqa: S608
        order_id,
    )
    return _order(row) if row else None


async def history(
    connection: Connection | Pool,
    *,
    user_id: int,
    product: str,
    states: Sequence[str],
    before: UUID | None,
    limit: int,
) -> Sequence[tuple[Order, Sequence[Job]]]:
    """A person's orders with their jobs, newest first, in one query."""
    rows = await connection.fetch(
        f"""
        WITH page AS MATERIALIZED (
            SELECT {ORDER_COLUMNS} FROM orders
            WHERE user_id = $1 AND product = $2
              AND (cardinality($3::text[]) = 0 OR state = ANY ($3))
              AND ($4::uuid IS NULL OR id < $4)
            ORDER BY id DESC LIMIT $5
        )
        SELECT page.*, (
            SELECT coalesce(jsonb_agg(to_jsonb(job) ORDER BY job.ordinal), '[]')
            FROM (SELECT {JOB_COLUMNS} FROM jobs WHERE order_id = page.id) job
        ) AS jobs
        FROM page ORDER BY id DESC
        """,  # noqa: S608 -- the columns are constants of this module
        user_id,
        product,
        list(states),
        before,
        limit,
    )
    found = []
    for row in rows:
        values = dict(row)
        jobs = [
            _job(cast("Record", {**job, "id": UUID(job["id"]), "order_id": UUID(job["order_id"])}))
            for job in values.pop("jobs")
        ]
        found.append((_order(cast("Record", values)), jobs))
    return found


async def queued_ahead(connection: Connection | Pool, order_id: OrderId, *, at_most: int) -> int:
    """How many queued orders run before this one, counted up to ``at_most``."""
    return cast(
        "int",
        await connection.fetchval(
            """
            SELECT count(*) FROM (
                SELECT 1 FROM orders o, (SELECT priority, id FROM orders WHERE id = $1) mine
                WHERE o.state = 'queued' AND (o.priority > mine.priority
                    OR (o.priority = mine.priority AND o.id < mine.id))
                LIMIT $2
            ) ahead
            """,
            order_id,
            at_most,
        ),
    )


async def queued_count(connection: Connection | Pool, *, at_most: int) -> int:
    """How many orders wait, counted up to ``at_most``."""
    return cast(
        "int",
        await connection.fetchval(
            "SELECT count(*) FROM (SELECT 1 FROM orders WHERE state = 'queued' LIMIT $1) waiting",
            at_most,
        ),
    )


async def in_state(
    connection: Connection | Pool, *, state: str, before: UUID | None, limit: int
) -> Sequence[Order]:
    """Orders of one state for the operators, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {ORDER_COLUMNS} FROM orders
        WHERE state = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
        """,  # noqa: S608
        state,
        before,
        limit,
    )
    return [_order(row) for row in rows]


# --- sweeps ---------------------------------------------------------------------------------------


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


# --- statistics and audit -------------------------------------------------------------------------


async def counts_since(
    connection: Connection | Pool, *, since: datetime
) -> Sequence[Mapping[str, object]]:
    """Orders by product, model and state, with mean seconds from creation to end and costs."""
    rows = await connection.fetch(
        """
        SELECT o.product, o.model_key AS model, o.state, count(*) AS count,
               avg(extract(epoch FROM o.finished_at - o.created_at))::float8 AS mean_s,
               coalesce(sum(o.charged), 0)::bigint AS charged,
               coalesce(sum(j.cost), 0)::bigint AS cost_micro_usd,
               coalesce(sum(j.uncertain), 0)::bigint AS uncertain_jobs
        FROM orders o
        CROSS JOIN LATERAL (
            SELECT sum(cost_micro_usd) AS cost,
                   count(*) FILTER (WHERE state = 'uncertain') AS uncertain
            FROM jobs WHERE order_id = o.id) j
        WHERE o.created_at >= $1
        GROUP BY o.product, o.model_key, o.state ORDER BY o.product, o.model_key, o.state
        """,
        since,
    )
    return [dict(row) for row in rows]


async def active_people(connection: Connection | Pool, *, since: datetime) -> int:
    """How many people ordered something."""
    return cast(
        "int",
        await connection.fetchval(
            "SELECT count(DISTINCT user_id) FROM orders WHERE created_at >= $1", since
        ),
    )


async def people_at_work(
    connection: Connection | Pool, *, since: Sequence[datetime]
) -> Sequence[int]:
    """How many different people ordered something, since each of the given moments."""
    rows = await connection.fetch(
        """
        SELECT (SELECT count(DISTINCT user_id) FROM orders WHERE created_at >= moment) AS people
        FROM unnest($1::timestamptz[]) WITH ORDINALITY AS given (moment, place) ORDER BY place
        """,
        list(since),
    )
    return [row["people"] for row in rows]


async def recent_of(connection: Connection | Pool, *, user_id: int, limit: int) -> Sequence[Order]:
    """A person's newest orders of all products."""
    rows = await connection.fetch(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 ORDER BY id DESC LIMIT $2",  # noqa: S608
        user_id,
        limit,
    )
    return [_order(row) for row in rows]


async def provider_jobs(
    connection: Connection | Pool, order_ids: Sequence[OrderId]
) -> Sequence[ProviderJob]:
    """The jobs of several orders with the provider's ids, by order and place."""
    rows = await connection.fetch(
        """
        SELECT id, order_id, state, engine, provider_job_id,
               jsonb_array_length(outputs) AS outputs, cost_micro_usd, error_code, error_message,
               submitted_at, finished_at
        FROM jobs WHERE order_id = ANY ($1) ORDER BY order_id, ordinal
        """,
        list(order_ids),
    )
    return [ProviderJob(**{**row, "state": JobState(row["state"])}) for row in rows]


async def job_ends_since(connection: Connection | Pool, *, since: datetime) -> Sequence[JobEnds]:
    """How the jobs of orders that were settled since then ended, by engine."""
    rows = await connection.fetch(
        """
        SELECT j.engine,
               count(*) FILTER (WHERE j.state = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE j.state = 'failed') AS failed,
               count(*) FILTER (WHERE j.state = 'refused') AS refused,
               count(*) FILTER (WHERE j.state = 'canceled') AS canceled,
               coalesce(sum(j.cost_micro_usd), 0)::bigint AS cost_micro_usd
        FROM orders o JOIN jobs j ON j.order_id = o.id
        WHERE o.settled_at >= $1
        GROUP BY j.engine ORDER BY j.engine
        """,
        since,
    )
    return [JobEnds(**row) for row in rows]


async def awaiting_people(connection: Connection | Pool) -> tuple[int, int]:
    """Orders in review, and jobs of which nobody knows whether the provider took them."""
    row = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM orders WHERE state = 'review') AS review,
               (SELECT count(*) FROM jobs WHERE state = 'uncertain') AS uncertain
        """
    )
    assert row is not None
    return row["review"], row["uncertain"]


async def audit(connection: Connection | Pool, *, since: datetime | None) -> Sequence[Finding]:
    """Broken invariants between orders, their jobs and their holds."""
    rows = await connection.fetch(
        """
        WITH looked_at AS (
            SELECT o.id, o.state, o.price, o.charged, o.settled_at FROM orders o
            WHERE $1::timestamptz IS NULL OR o.settled_at IS NULL OR o.settled_at >= $1
        )
        SELECT 'settled_as_charged' AS check, o.id::text AS subject,
               format('order charged %s, hold %s captured %s', o.charged, h.state, h.captured)
                   AS detail
        FROM looked_at o LEFT JOIN hold_outcomes h ON h.key = 'order:' || o.id
        WHERE o.settled_at IS NOT NULL AND o.price > 0
          AND (h.key IS NULL OR h.state = 'open' OR h.captured <> o.charged)
        UNION ALL
        SELECT 'open_order_is_held', o.id::text, format('hold %s of %s', h.state, h.amount)
        FROM looked_at o LEFT JOIN hold_outcomes h ON h.key = 'order:' || o.id
        WHERE o.settled_at IS NULL AND o.price > 0
          AND (h.key IS NULL OR h.state <> 'open' OR h.amount <> o.price)
        UNION ALL
        SELECT 'free_order_has_no_hold', o.id::text, format('hold of %s', h.amount)
        FROM looked_at o JOIN hold_outcomes h ON h.key = 'order:' || o.id
        WHERE o.price = 0
        UNION ALL
        SELECT 'hold_has_live_order', h.key, format('hold of %s for %s', h.amount, h.user_id)
        FROM hold_outcomes h
        WHERE h.state = 'open' AND h.key LIKE 'order:%'
          AND NOT EXISTS (SELECT FROM orders o
              WHERE o.id = substr(h.key, 7)::uuid AND o.settled_at IS NULL)
        UNION ALL
        SELECT 'charged_once', o.id::text, format('%s charges of %s', count(*), -sum(t.amount))
        FROM looked_at o
        JOIN transfer_totals t ON t.reference = o.id::text AND t.kind IN ('generation', 'training')
            AND t.role = 'wallet'
        GROUP BY o.id, o.charged
        HAVING count(*) > 1 OR -sum(t.amount) IS DISTINCT FROM o.charged
        UNION ALL
        SELECT 'refunded_within_charge', o.id::text,
               format('refunded %s of %s', sum(t.amount), o.charged)
        FROM (
            SELECT DISTINCT reference FROM transfer_totals
            WHERE kind = 'refund' AND role = 'wallet'
              AND ($1::timestamptz IS NULL OR created_at >= $1)
        ) refunded
        JOIN orders o ON o.id = CASE WHEN refunded.reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-'
            THEN refunded.reference::uuid END
        JOIN transfer_totals t ON t.reference = refunded.reference AND t.kind = 'refund'
            AND t.role = 'wallet'
        GROUP BY o.id, o.charged
        HAVING sum(t.amount) > coalesce(o.charged, 0)
        UNION ALL
        SELECT 'charged_for_something', o.id::text, format('charged %s for no picture', o.charged)
        FROM looked_at o
        WHERE o.charged > 0 AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.order_id = o.id AND jsonb_array_length(j.outputs) > 0)
        UNION ALL
        SELECT 'completed_has_picture', o.id::text, o.state
        FROM looked_at o
        WHERE o.state = 'completed' AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.order_id = o.id AND jsonb_array_length(j.outputs) > 0)
        UNION ALL
        SELECT 'ended_jobs_are_settled', o.id::text, o.state
        FROM looked_at o
        WHERE o.settled_at IS NULL AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.order_id = o.id
              AND j.state IN ('queued', 'submitting', 'running', 'uncertain'))
        """,
        since,
    )
    return [Finding(row["check"], row["subject"], row["detail"]) for row in rows]
