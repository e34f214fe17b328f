"""Reading orders as their owner sees them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hamyon.kit.db import Pool
from hamyon.orders import store
from hamyon.orders.errors import OrderNotFound
from hamyon.orders.service.advance import look
from hamyon.orders.types import Job, Needs, Order, OrderId, OrderState

REFRESH_EVERY_S = 2.0
POSITION_MAX = 1000
ACTIVE_STATES = (OrderState.QUEUED, OrderState.RUNNING, OrderState.REVIEW)


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its jobs; ``queue_position`` from 1 while it waits, else None."""

    order: Order
    jobs: Sequence[Job]
    queue_position: int | None


async def own_order(pool: Pool, order_id: OrderId, user_id: int) -> Order:
    """A person's own order. Somebody else's raises OrderNotFound as an absent one does."""
    order = await store.get(pool, order_id)
    if order is None or order.user_id != user_id:
        raise OrderNotFound
    return order


async def view(pool: Pool, order: Order) -> OrderView:
    """The order with its jobs and its place in the queue."""
    jobs = await store.jobs_of(pool, order.id)
    position = None
    if order.state is OrderState.QUEUED:
        position = 1 + await store.queued_ahead(pool, order.id, at_most=POSITION_MAX)
    return OrderView(order, jobs, position)


async def history(
    pool: Pool,
    user_id: int,
    *,
    product: str,
    states: Sequence[str] = (),
    before: UUID | None = None,
    limit: int = 20,
) -> Sequence[OrderView]:
    """A person's orders of a product, newest first, in one query."""
    found = await store.history(
        pool, user_id=user_id, product=product, states=states, before=before, limit=limit
    )
    return [OrderView(order, jobs, None) for order, jobs in found]


async def refresh(needs: Needs, order: Order) -> None:
    """Ask the provider once now, unless it was asked in the last two seconds."""
    if order.state not in ACTIVE_STATES:
        return
    for job_id, provider_job_id in await store.provider_jobs_of(needs.pool, order.id):
        if provider_job_id:
            await look(needs, job_id, quiet_s=REFRESH_EVERY_S)


class Waiting:
    """How many orders wait, counted at most once a second: a place in the queue is for people, and
    counting it for every submit would cost more than the submit."""

    def __init__(self) -> None:
        self._count = 0
        self._counted_at = float("-inf")
        self._lock = asyncio.Lock()

    async def position(self, pool: Pool) -> int:
        """About the place of an order that was submitted just now, from 1."""
        if time.monotonic() - self._counted_at > 1.0 and not self._lock.locked():
            async with self._lock:
                self._count = await store.queued_count(pool, at_most=POSITION_MAX)
                self._counted_at = time.monotonic()
        else:
            self._count = min(self._count + 1, POSITION_MAX)
        return max(self._count, 1)
