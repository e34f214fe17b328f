"""What a step writes down: always under its lease, together with the queue entry that goes on.

Every open job has one chain of queue entries. Each entry carries the number of its step, and the
write that queues the next one makes the older ones void, so that an entry which runs twice, or is
found after a crash, starts no second chain. A call beside the chain (a webhook, a person's look)
queues nothing: the chain goes on by itself.
"""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from hamyon.kit import leases
from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction, transaction
from hamyon.orders import store
from hamyon.orders.service import settle
from hamyon.orders.types import Accepted, Claim, JobEnd, JobId, JobState, Needs, Order

ENTRYPOINT: Final = "advance"
OVERDUE_RECHECK_S: Final = 30.0
"""How often at most an order past its deadline is asked about; a webhook comes by itself."""
LATE_RECHECK_S: Final = 600.0
"""How often an order that is settled already is still asked about, for a late picture."""
STARTED_PRIORITY: Final = 0
"""Work that has begun goes before work that has not: orders' own priorities are negative."""
SAVE_FOR_S: Final = 120.0
log = structlog.get_logger(__name__)


async def accepted(needs: Needs, claim: Claim, outcome: Accepted) -> None:
    """Save the provider's id, whatever it takes: without it the work is paid for and lost."""
    kept = await leases.written(lambda: _save_id(needs, claim, outcome), within_s=SAVE_FOR_S)
    reach("submit.saved")
    if not kept:
        log.warning(
            "lease lost after acceptance",
            job_id=str(claim.job_id),
            provider_job_id=outcome.provider_job_id,
        )
    elif outcome.poll_after_s <= 0:
        needs.waker.wake()


async def _save_id(needs: Needs, claim: Claim, outcome: Accepted) -> bool:
    async with transaction(needs.pool) as connection:
        step = await store.mark_running(connection, claim, provider_job_id=outcome.provider_job_id)
        if step is None:
            return False
        # Beside the chain, too: an adopted job should not wait for the chain's next turn.
        await kit_store.add_job(
            connection,
            ENTRYPOINT,
            payload(claim.job_id, None if claim.beside else step),
            delay=timedelta(seconds=outcome.poll_after_s),
        )
        await settle.announce(connection, claim.order_id)
    return True


async def put_back(
    needs: Needs,
    claim: Claim,
    state: JobState,
    *,
    delay_s: float,
    attempts: int | None = None,
    fetches: int | None = None,
) -> None:
    """Give the job back for later, and queue the chain's next step."""
    if claim.settled:
        delay_s = max(delay_s, LATE_RECHECK_S)
    elif not claim.sendable:
        delay_s = max(delay_s, OVERDUE_RECHECK_S)
    waits = state is JobState.QUEUED
    async with transaction(needs.pool) as connection:
        if waits:
            await store.lock_order(connection, claim.order_id)
        step = await store.put_back(
            connection,
            claim,
            state=state,
            attempts=claim.attempts if attempts is None else attempts,
            fetches=claim.fetches if fetches is None else fetches,
        )
        if step is None:
            log.warning("lease lost", job_id=str(claim.job_id))
            return
        if waits:
            await store.back_to_queue(connection, claim.order_id)
        if not claim.beside:
            await kit_store.add_job(
                connection,
                ENTRYPOINT,
                payload(claim.job_id, step),
                priority=claim.priority if waits else STARTED_PRIORITY,
                delay=timedelta(seconds=delay_s),
            )


async def end(needs: Needs, claim: Claim, how: JobEnd) -> None:
    """End the job, and with the last one the order; a deadlock runs it again with the same keys."""

    async def use_case(connection: Connection) -> Order | None:
        order = await settle.end_job(connection, needs.rules, claim, how)
        await kit_store.mark_handled(connection, source=claim.engine, subject=str(claim.job_id))
        reach("settle.before_commit")
        return order

    order = await in_transaction(needs.pool, use_case)
    reach("settle.committed")
    age_s = max(time.time() - claim.created_at.timestamp(), 0.0)
    needs.metrics.job(claim.engine, claim.model_key, how.state, age_s)
    if order is not None:
        needs.metrics.settlement(order.product, order.state)


async def again(needs: Needs, job_id: JobId, step: int | None, *, delay_s: float) -> None:
    """Run the same queue entry later."""
    async with needs.pool.acquire() as connection:
        await kit_store.add_job(
            connection, ENTRYPOINT, payload(job_id, step), delay=timedelta(seconds=delay_s)
        )


def lease_kept(needs: Needs, claim: Claim) -> AbstractAsyncContextManager[None]:
    """Renews the lease while the step goes on, however slow the provider is."""
    lease_s = needs.settings.worker_lease_s

    async def renew() -> bool:
        return await store.renew_lease(needs.pool, claim, lease_s=lease_s)

    return leases.kept(renew, lease_s=lease_s)


def payload(job_id: JobId, step: int | None) -> str:
    """A queue entry: a step of the chain, or with None a call beside it."""
    return f"{job_id}:{'once' if step is None else step}"


def parse_payload(raw: str) -> tuple[JobId, int | None]:
    """``payload`` read back."""
    job_id, _, step = raw.partition(":")
    return JobId(UUID(job_id)), None if step == "once" else int(step)
