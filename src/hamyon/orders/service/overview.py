"""Orders as operators look at them: with the provider's ids, over all people, and in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.orders import store
from hamyon.orders.errors import OrderNotFound
from hamyon.orders.types import JobEnds, Order, OrderId, OrderState, ProviderJob


@dataclass(frozen=True, slots=True)
class OperatorsView:
    """An order with its calls of the provider."""

    order: Order
    jobs: Sequence[ProviderJob]


async def in_state(
    connection: Connection | Pool, state: OrderState, *, before: UUID | None, limit: int
) -> tuple[Sequence[OperatorsView], UUID | None]:
    """A page of one state, newest first, and the id that the next page lies before."""
    found = await store.in_state(connection, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    return await _with_jobs(connection, page), page[-1].id if len(found) > limit else None


async def recent(
    connection: Connection | Pool, user_id: int, *, limit: int
) -> Sequence[OperatorsView]:
    """A person's newest orders of all products."""
    found = await store.recent_of(connection, user_id=user_id, limit=limit)
    return await _with_jobs(connection, found)


async def view(connection: Connection | Pool, order_id: OrderId) -> OperatorsView:
    """One order. Raises OrderNotFound."""
    order = await store.get(connection, order_id)
    if order is None:
        raise OrderNotFound
    return (await _with_jobs(connection, [order]))[0]


async def _with_jobs(
    connection: Connection | Pool, orders: Sequence[Order]
) -> Sequence[OperatorsView]:
    jobs = await store.provider_jobs(connection, [order.id for order in orders])
    return [
        OperatorsView(order, [job for job in jobs if job.order_id == order.id]) for order in orders
    ]


# --- in numbers -----------------------------------------------------------------------------------


async def counts_since(
    connection: Connection | Pool, since: datetime
) -> Sequence[Mapping[str, Any]]:
    """Orders by ``product``, ``model`` and ``state``: ``count``, ``mean_s``, costs, doubts."""
    rows = await store.counts_since(connection, since=since)
    return cast("Sequence[Mapping[str, Any]]", rows)


async def people_at_work(connection: Connection | Pool, since: Sequence[datetime]) -> Sequence[int]:
    """How many different people ordered something, since each of the given moments."""
    return await store.people_at_work(connection, since=since)


async def job_ends_since(connection: Connection | Pool, since: datetime) -> Mapping[str, JobEnds]:
    """How the jobs of orders that were settled since then ended, by engine."""
    ends = await store.job_ends_since(connection, since=since)
    return {one.engine: one for one in ends}


async def awaiting_people(connection: Connection | Pool) -> tuple[int, int]:
    """Orders in review, and jobs of which nobody knows whether the provider took them."""
    return await store.awaiting_people(connection)
