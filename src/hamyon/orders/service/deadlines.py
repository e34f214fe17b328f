"""What happens to orders that time runs out on, and to jobs that were left behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, in_transaction
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders import store
from hamyon.orders.service import settle
from hamyon.orders.service.advance import ENTRYPOINT
from hamyon.orders.types import JobEnd, JobState, Needs, OrderId, OrderState

BATCH: Final = 200
SILENT_S: Final = 120.0
LATE_RESULTS: Final = timedelta(days=7)
"""How long a provider may still bring a picture for an order that was released."""
NEVER_SENT: Final = JobEnd(JobState.FAILED, (), "deadline_passed", None, True)

log = structlog.get_logger(__name__)


async def sweep(needs: Needs) -> None:
    """One round over all that is overdue; every minute, on one worker, safe to run twice."""
    for order_id in await store.overdue(needs.pool, limit=BATCH):
        await in_transaction(needs.pool, _overdue, needs, order_id)
    for order_id in await store.review_over(needs.pool, limit=BATCH):
        await in_transaction(needs.pool, _review_over, needs, order_id)
    strays = await store.stray_jobs(needs.pool, silent_s=SILENT_S, limit=BATCH)
    async with needs.pool.acquire() as connection:
        for job_id in strays:
            await kit_store.add_job(
                connection, ENTRYPOINT, str(job_id), dedupe_key=f"stray:{job_id}"
            )
    if strays:
        log.warning("jobs left behind", count=len(strays))
        needs.waker.wake()
    await store.forget_late_jobs(needs.pool, older_than=LATE_RESULTS)


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
            facts={"order_id": str(order_id), "product": order.product, "price": order.price},
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
