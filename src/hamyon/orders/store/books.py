"""Counts for operators, and the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding
from hamyon.orders.store.rows import ORDER_COLUMNS, read_order
from hamyon.orders.types import (
    JobEnds,
    JobState,
    Order,
    OrderId,
    ProviderJob,
)


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
    return [read_order(row) for row in rows]


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
