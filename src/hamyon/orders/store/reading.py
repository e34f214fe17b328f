"""Orders as their owners and operators read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.orders.store.rows import JOB_COLUMNS, ORDER_COLUMNS, read_job, read_order
from hamyon.orders.types import (
    Job,
    Order,
    OrderId,
)


async def get(connection: Connection | Pool, order_id: OrderId) -> Order | None:
    """An order by its id."""
    row = await connection.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1",  # noqa: S608
        order_id,
    )
    return read_order(row) if row else None


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
            read_job(
                cast("Record", {**job, "id": UUID(job["id"]), "order_id": UUID(job["order_id"])})
            )
            for job in values.pop("jobs")
        ]
        found.append((read_order(cast("Record", values)), jobs))
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
    return [read_order(row) for row in rows]
