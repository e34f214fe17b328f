"""What happens to orders that time runs out on, and to jobs that were left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol

import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.db import LOST_DATABASE, Connection, Pool, in_transaction, transaction
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders import store
from hamyon.orders.service import record, settle
from hamyon.orders.service.advance import NEVER_SENT
from hamyon.orders.types import JobState, Needs, OrderId, OrderState

BATCH: Final = 200
SILENT_S: Final = 120.0
LATE_RESULTS: Final = timedelta(days=7)
"""How long a provider may still bring a picture for an order that was released."""

log = structlog.get_logger(__name__)


class Find(Protocol):
    """Lists orders that time ran out on."""

    async def __call__(self, pool: Pool, *, limit: int) -> Sequence[OrderId]: ...


Decide = Callable[[Connection, Needs, OrderId], Awaitable[None]]


async def sweep(needs: Needs) -> None:
    """One round over all that is overdue; every minute, on one worker, safe to run twice."""
    await _each(needs, store.overdue, _overdue)
    await _each(needs, store.review_over, _review_over)
    await _restart_strays(needs)
    await store.forget_late_jobs(needs.pool, older_than=LATE_RESULTS)


async def _each(needs: Needs, find: Find, decide: Decide) -> None:
    """Decide about all that is found; one that cannot be decided must not hold up the others."""
    failed: set[OrderId] = set()
    while True:
        found = await find(needs.pool, limit=BATCH + len(failed))
        fresh = [order_id for order_id in found if order_id not in failed]
        for order_id in fresh:
            try:
                await in_transaction(needs.pool, decide, needs, order_id)
            except LOST_DATABASE:
                raise
            except Exception:
                failed.add(order_id)
                log.exception("overdue order left as it is", order_id=str(order_id))
        if len(fresh) < BATCH:
            return


async def _restart_strays(needs: Needs) -> None:
    async with transaction(needs.pool) as connection:
        strays = await store.restart_stray_jobs(connection, silent_s=SILENT_S, limit=BATCH)
        for job_id, step in strays:
            await kit_store.add_job(connection, record.ENTRYPOINT, record.payload(job_id, step))
    if strays:
        log.warning("jobs left behind", count=len(strays))
        needs.waker.wake()


async def _overdue(connection: Connection, needs: Needs, order_id: OrderId) -> None:
    """Release what was surely never sent; hand to operators what the provider may have made."""
    order = await store.lock_order(connection, order_id)
    if order is None or order.state not in {OrderState.QUEUED, OrderState.RUNNING}:
        return
    await store.end_open_jobs(connection, order_id, states=[JobState.QUEUED], end=NEVER_SENT)
    if await settle.settle_if_ended(connection, needs.rules, order) is not None:
        return
    await store.to_review(connection, order_id, period=needs.settings.order_review)
    await notices.tell(
        connection,
        Notice(
            key=f"review:{order_id}",
            user_id=None,
            kind="order_review",
            facts={
                "order_id": str(order_id),
                "product": order.product,
                "asset": order.asset,
                "price": order.price,
            },
        ),
    )
    await settle.announce(connection, order_id)


async def _review_over(connection: Connection, needs: Needs, order_id: OrderId) -> None:
    """Nobody decided: charge for what was delivered, give the rest back.

    The open jobs stay open: a picture that still comes is a gift.
    """
    order = await store.lock_order(connection, order_id)
    if order is None or order.state is not OrderState.REVIEW:
        return
    jobs = await store.jobs_of(connection, order_id)
    charged = needs.rules[order.product].capture_amount(order, jobs) if order.price else 0
    await settle.settle(connection, needs.rules, order, jobs, charged=charged)
