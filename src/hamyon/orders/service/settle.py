"""How an order ends, exactly once.

Whoever ends a job locks the order first and counts the open jobs in a later statement: two last
jobs that end together settle once. Everything here runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection
from hamyon.ledger import service as ledger
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders import store
from hamyon.orders.types import (
    OPEN_JOB_STATES,
    Claim,
    Job,
    JobEnd,
    JobState,
    Order,
    OrderId,
    OrderState,
    ProductRules,
)

CHANNEL: Final = "hamyon_orders"
"""The signal that an order moved; its payload is the order's id."""

Rules = Mapping[str, ProductRules]


async def end_job(connection: Connection, rules: Rules, claim: Claim, end: JobEnd) -> Order | None:
    """End a job under its lease, and with the last one the order.

    Returns the order when this settled it or brought a late picture; None otherwise, also when the
    lease was lost: then somebody else works on the job, and nothing was written.
    """
    order = await store.lock_order(connection, claim.order_id)
    if order is None or not await store.end_job(connection, claim, end):
        return None
    return await settle_if_ended(connection, rules, order)


async def settle_if_ended(connection: Connection, rules: Rules, order: Order) -> Order | None:
    """Settle a locked order when none of its jobs is open; a settled one gets what came late."""
    jobs = await store.jobs_of(connection, order.id)
    if order.settled_at is not None:
        return await _give_late(connection, rules, order, jobs)
    if any(job.state in OPEN_JOB_STATES for job in jobs):
        return None
    charged = rules[order.product].capture_amount(order, jobs) if order.price else 0
    return await settle(connection, rules, order, jobs, charged=charged)


async def settle(
    connection: Connection, rules: Rules, order: Order, jobs: Sequence[Job], *, charged: int
) -> Order:
    """Capture ``charged``, release the rest, and write all that follows from the end.

    The caller has locked the order and knows that it is not settled.
    """
    assert order.settled_at is None
    if order.price:
        await ledger.capture(
            connection,
            f"order:{order.id}",
            amount=charged,
            kind=rules[order.product].transfer_kind,
            to_role=f"revenue:{order.product}",
            transfer_key=f"capture:{order.id}",
            reference=str(order.id),
        )
    settled = replace(_ended(order, jobs), charged=charged)
    await store.settle(connection, settled)
    await rules[order.product].on_settled(connection, settled)
    await _tell(connection, rules, settled, f"settled:{order.id}")
    return settled


def _ended(order: Order, jobs: Sequence[Job]) -> Order:
    """The order's last state and, when it brought nothing, the reason for people."""
    if any(job.outputs for job in jobs):
        return replace(
            order,
            state=OrderState.COMPLETED,
            error_code=None,
            error_message=None,
            error_retryable=False,
        )
    if jobs and all(job.state is JobState.CANCELED for job in jobs):
        return replace(order, state=OrderState.CANCELED, error_retryable=True)
    # A refusal is the most telling reason: sending the same again would not help.
    ends = sorted(jobs, key=lambda job: job.state is not JobState.REFUSED)
    first = next((job for job in ends if job.error_code), None)
    return replace(
        order,
        state=OrderState.FAILED,
        error_code=first.error_code if first else "deadline_passed",
        error_message=first.error_message if first else None,
        error_retryable=first.error_retryable if first else True,
    )


async def _give_late(
    connection: Connection, rules: Rules, order: Order, jobs: Sequence[Job]
) -> Order | None:
    """The picture of an order whose money went back is the person's, for free."""
    if order.state is OrderState.COMPLETED or not any(job.outputs for job in jobs):
        return None
    late = replace(order, state=OrderState.COMPLETED, error_code=None, error_message=None)
    await store.complete_late(connection, order.id)
    await _tell(connection, rules, late, f"late:{order.id}")
    return late


async def _tell(connection: Connection, rules: Rules, order: Order, key: str) -> None:
    facts = rules[order.product].delivery(order)
    await notices.tell(
        connection, Notice(key=key, user_id=order.user_id, kind=f"order_{order.state}", facts=facts)
    )
    await announce(connection, order.id)


async def announce(connection: Connection, order_id: OrderId) -> None:
    """Signal, with the commit, that an order moved."""
    await kit_store.notify(connection, CHANNEL, str(order_id))
