"""What people and operators decide about an order: cancel it, or charge or release it in review."""

from __future__ import annotations

from typing import Final, Literal, assert_never

from hamyon.kit.db import Connection, in_transaction
from hamyon.orders import store
from hamyon.orders.errors import NotCancelable, NothingToCharge, NotInReview, OrderNotFound
from hamyon.orders.service import settle
from hamyon.orders.service.advance import advance
from hamyon.orders.types import JobEnd, JobState, Needs, Order, OrderId, OrderState

CANCELED: Final = JobEnd(JobState.CANCELED)


async def cancel(needs: Needs, order: Order) -> None:
    """Stop an order: at once what was not sent, else by the provider where it can.

    A running one settles as the provider says. Raises NotCancelable when nothing could be stopped.
    """
    state, stopped = await in_transaction(needs.pool, _cancel_unsent, needs, order.id)
    if state in {OrderState.QUEUED, OrderState.RUNNING}:
        engine = needs.engines.get(order.engine)
        for job_id, provider_job_id in await store.provider_jobs_of(needs.pool, order.id):
            if engine is not None and provider_job_id and await engine.cancel(provider_job_id):
                stopped = True
                await advance(needs, job_id, None)
    if not stopped:
        raise NotCancelable(status=state)


async def _cancel_unsent(
    connection: Connection, needs: Needs, order_id: OrderId
) -> tuple[OrderState, bool]:
    """How the order stands now, and whether a job of it was still waiting and is canceled."""
    order = await store.lock_order(connection, order_id)
    if order is None:
        raise OrderNotFound
    if order.state not in {OrderState.QUEUED, OrderState.RUNNING}:
        return order.state, False
    canceled = await store.end_open_jobs(
        connection, order_id, states=[JobState.QUEUED], end=CANCELED
    )
    settled = await settle.settle_if_ended(connection, needs.rules, order) if canceled else None
    return (settled or order).state, canceled > 0


async def resolve(
    connection: Connection, needs: Needs, order_id: OrderId, decision: Literal["charge", "release"]
) -> Order:
    """End a review. ``charge`` takes the price of what lies in our storage, ``release`` nothing.

    After a release nothing is ever charged. Raises OrderNotFound, NotInReview, NothingToCharge.
    """
    order = await store.lock_order(connection, order_id)
    if order is None:
        raise OrderNotFound
    if order.state is not OrderState.REVIEW:
        raise NotInReview(state=order.state)
    jobs = await store.jobs_of(connection, order_id)
    match decision:
        case "charge":
            charged = needs.rules[order.product].capture_amount(order, jobs)
            if charged == 0:
                raise NothingToCharge
        case "release":
            charged = 0
        case _:
            assert_never(decision)
    return await settle.settle(connection, needs.rules, order, jobs, charged=charged)
