"""The worker's road: one step of one job, safe to run again from the start at any point.

claim (committed) -> ask the provider (no transaction open) -> write down what it said, under the
lease. A worker that dies leaves a lease behind; the next one finds out how far it came.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final, assert_never
from uuid import UUID

import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.ids import new_id
from hamyon.orders import store
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.service import settle
from hamyon.orders.service.collect import collect
from hamyon.orders.service.request import build_request
from hamyon.orders.types import (
    Accepted,
    Canceled,
    Claim,
    Engine,
    Failed,
    Finished,
    Held,
    JobEnd,
    JobId,
    JobState,
    Needs,
    Order,
    PollOutcome,
    ProviderClass,
    Refused,
    Running,
    SubmitOutcome,
    Unknown,
)

ENTRYPOINT: Final = "advance"
SUBMITS_MAX: Final = 5
"""Submissions that the provider surely did not accept, before the job is given up."""
FETCHES_MAX: Final = 6
"""Tries to fetch the outputs of a finished job."""
RECHECK: Final = timedelta(seconds=2)
LATE_RECHECK: Final = timedelta(minutes=10)
"""How often an order that is settled already is still asked about, for a late picture."""
STARTED_PRIORITY: Final = 0
"""Work that has begun goes before work that has not: orders' own priorities are negative."""

log = structlog.get_logger(__name__)


async def advance(needs: Needs, job_id: JobId, *, once: bool = False) -> None:
    """Take one step with a job.

    Every open job has one chain of queue entries that ask about it again and again; ``once`` is a
    call beside the chain (a webhook, a refresh) and starts no second one.
    """
    claim = await store.claim_job(
        needs.pool, job_id, lease=new_id(), lease_s=needs.settings.worker_lease_s
    )
    if claim is None:
        return
    if isinstance(claim, Held):
        delay = min(claim.for_s, 1.0) if once else claim.for_s
        await _again(needs, job_id, delay_s=delay + 0.05, once=once)
        return
    reach("claim.committed")
    engine = needs.engines.get(claim.engine)
    if engine is None:
        # The engine was switched off while it had work: keep the job for when it is back.
        log.error("no such engine", engine=claim.engine, job_id=str(job_id))
        await _put_back(needs, claim, claim.was, delay_s=60, once=once)
        return
    with needs.slots.take(engine) as has_room:
        if not has_room:
            await _put_back(needs, claim, claim.was, delay_s=0.5, once=once)
            return
        await _step(needs, engine, claim, once=once)


async def _step(needs: Needs, engine: Engine, claim: Claim, *, once: bool) -> None:
    match claim.was:
        case JobState.QUEUED:
            await _submit(needs, engine, claim, once=once)
        case JobState.SUBMITTING | JobState.UNCERTAIN:
            await _find_out(needs, engine, claim, once=once)
        case JobState.RUNNING:
            await _ask(needs, engine, claim, once=once)
        case JobState.SUCCEEDED | JobState.REFUSED | JobState.FAILED | JobState.CANCELED:
            raise AssertionError(f"claimed an ended job: {claim.was}")
        case _:
            assert_never(claim.was)


# --- submitting -----------------------------------------------------------------------------------


async def _submit(needs: Needs, engine: Engine, claim: Claim, *, once: bool) -> None:
    wait_s = await needs.outages.wait_s(engine.name)
    if wait_s > 0:
        state = JobState.QUEUED if claim.was is JobState.QUEUED else JobState.UNCERTAIN
        await _put_back(needs, claim, state, delay_s=min(wait_s, 30.0), once=once)
        return
    reach("submit.before")
    started = time.monotonic()
    outcome = await engine.submit(await build_request(needs, claim))
    _count_call(needs, engine, "submit", outcome, started)
    reach("submit.sent")
    await _submitted(needs, engine, claim, outcome, once=once)


async def _submitted(
    needs: Needs, engine: Engine, claim: Claim, outcome: SubmitOutcome, *, once: bool
) -> None:
    match outcome:
        case Accepted():
            await needs.outages.note_success(engine.name)
            await _accepted(needs, claim, outcome, once=once)
        case Finished():
            await needs.outages.note_success(engine.name)
            await _collect(needs, engine, claim, outcome, once=once)
        case Refused():
            await _end(needs, claim, _refusal(outcome))
        case Failed():
            await _not_accepted(needs, engine, claim, outcome, once=once)
        case Unknown():
            await needs.outages.note_outage(engine.name, outcome.message)
            log.warning("unknown submission", job_id=str(claim.job_id), why=outcome.message)
            # Without a lease's end in sight the next step would wait for it: look soon.
            await _put_back(
                needs, claim, JobState.UNCERTAIN, delay_s=RECHECK.total_seconds(), once=once
            )
        case _:
            assert_never(outcome)


async def _accepted(needs: Needs, claim: Claim, outcome: Accepted, *, once: bool) -> None:
    async with needs.pool.acquire() as connection, connection.transaction():
        kept = await store.mark_running(connection, claim, provider_job_id=outcome.provider_job_id)
        if kept:
            await kit_store.add_job(
                connection,
                ENTRYPOINT,
                payload(claim.job_id, once=once and claim.was is not JobState.QUEUED),
                delay=timedelta(seconds=outcome.poll_after_s),
            )
            await settle.announce(connection, claim.order_id)
    reach("submit.saved")
    if not kept:
        log.warning("lease lost after acceptance", job_id=str(claim.job_id))
    elif outcome.poll_after_s <= 0:
        needs.waker.wake()


async def _not_accepted(
    needs: Needs, engine: Engine, claim: Claim, outcome: Failed, *, once: bool
) -> None:
    """It was surely not accepted: try again while that can help, then give up."""
    if outcome.outage:
        await needs.outages.note_outage(engine.name, outcome.message)
    attempts = claim.attempts + 1
    if not outcome.retryable or attempts >= SUBMITS_MAX:
        await _end(needs, claim, _failure(outcome))
        return
    delay_s = max(outcome.retry_after_s or 0, min(2.0**attempts, 30.0))
    await _put_back(needs, claim, JobState.QUEUED, delay_s=delay_s, attempts=attempts, once=once)


async def _find_out(needs: Needs, engine: Engine, claim: Claim, *, once: bool) -> None:
    """A worker died while submitting, or the provider did not answer: was it accepted?"""
    match engine.provider_class:
        case ProviderClass.REPEATABLE:
            # Same key, same bytes: the provider itself makes it once.
            await _submit(needs, engine, claim, once=once)
        case ProviderClass.ADOPTABLE:
            if adopted := await _adopted(needs, claim):
                await _accepted(needs, claim, Accepted(adopted, 0), once=once)
            else:
                await _leave_uncertain(needs, claim, once=once)
        case ProviderClass.OPAQUE:
            await _leave_uncertain(needs, claim, once=once)
        case _:
            assert_never(engine.provider_class)


async def _adopted(needs: Needs, claim: Claim) -> str | None:
    """The provider's id out of a callback that names our job."""
    engine = needs.engines[claim.engine]
    for body in await kit_store.events_about(
        needs.pool, source=claim.engine, subject=str(claim.job_id)
    ):
        if provider_job_id := engine.job_id_of_event(body):
            return provider_job_id
    return None


async def _leave_uncertain(needs: Needs, claim: Claim, *, once: bool) -> None:
    """Never resubmit: a callback, an operator or the deadline decides."""
    if claim.was is not JobState.UNCERTAIN:
        log.warning("uncertain submission", job_id=str(claim.job_id))
    await _put_back(needs, claim, JobState.UNCERTAIN, delay_s=30, once=once)


# --- asking ---------------------------------------------------------------------------------------


async def _ask(needs: Needs, engine: Engine, claim: Claim, *, once: bool) -> None:
    assert claim.provider_job_id is not None
    reach("poll.before")
    started = time.monotonic()
    outcome = await engine.poll(claim.provider_job_id)
    _count_call(needs, engine, "poll", outcome, started)
    reach("poll.asked")
    await _asked(needs, engine, claim, outcome, once=once)


async def _asked(
    needs: Needs, engine: Engine, claim: Claim, outcome: PollOutcome, *, once: bool
) -> None:
    recheck_s = RECHECK.total_seconds()
    match outcome:
        case Running():
            await needs.outages.note_success(engine.name)
            await _put_back(needs, claim, JobState.RUNNING, delay_s=outcome.poll_after_s, once=once)
        case Finished():
            await needs.outages.note_success(engine.name)
            await _collect(needs, engine, claim, outcome, once=once)
        case Refused():
            await _end(needs, claim, _refusal(outcome))
        case Failed(outage=True):
            await needs.outages.note_outage(engine.name, outcome.message)
            delay_s = max(outcome.retry_after_s or 0, recheck_s)
            await _put_back(needs, claim, JobState.RUNNING, delay_s=delay_s, once=once)
        case Failed():
            await _end(needs, claim, _failure(outcome))
        case Canceled():
            await _end(needs, claim, JobEnd(JobState.CANCELED))
        case Unknown():
            await needs.outages.note_outage(engine.name, outcome.message)
            await _put_back(needs, claim, JobState.RUNNING, delay_s=recheck_s, once=once)
        case _:
            assert_never(outcome)


async def _collect(
    needs: Needs, engine: Engine, claim: Claim, outcome: Finished, *, once: bool
) -> None:
    try:
        # The lease outlives the download, or another worker would start on it.
        async with asyncio.timeout(needs.settings.worker_lease_s * 0.75):
            stored, failure = await collect(needs, engine, claim, outcome.outputs)
    except TimeoutError:
        stored, failure = [], DownloadFailed("the download took too long", permanent=False)
    is_last = claim.fetches + 1 >= FETCHES_MAX
    if failure is not None and not is_last and not failure.permanent:
        await _fetch_again(needs, claim, failure, once=once)
        return
    reach("collect.stored")
    if stored:
        end = JobEnd(JobState.SUCCEEDED, stored, cost_micro_usd=outcome.cost_micro_usd)
    else:
        end = JobEnd(JobState.FAILED, (), "bad_output", str(failure)[:500], error_retryable=True)
    await _end(needs, claim, end)


async def _fetch_again(needs: Needs, claim: Claim, failure: DownloadFailed, *, once: bool) -> None:
    fetches = claim.fetches + 1
    log.warning("output not fetched", job_id=str(claim.job_id), tries=fetches, why=str(failure))
    # Class A has no id to ask about: the repetition of the request is the question.
    state = JobState.RUNNING if claim.provider_job_id else JobState.UNCERTAIN
    await _put_back(
        needs, claim, state, delay_s=min(2.0**fetches, 30.0), fetches=fetches, once=once
    )


# --- writing down ---------------------------------------------------------------------------------


async def _end(needs: Needs, claim: Claim, end: JobEnd) -> None:
    """End the job, and with the last one the order; a deadlock runs it again with the same keys."""

    async def use_case(connection: Connection) -> Order | None:
        order = await settle.end_job(connection, needs.rules, claim, end)
        await kit_store.mark_handled(connection, source=claim.engine, subject=str(claim.job_id))
        reach("settle.before_commit")
        return order

    order = await in_transaction(needs.pool, use_case)
    reach("settle.committed")
    age_s = max(time.time() - claim.created_at.timestamp(), 0.0)
    needs.metrics.job(claim.engine, claim.model_key, end.state, age_s)
    if order is not None:
        needs.metrics.settlement(order.product, order.state)


async def _put_back(
    needs: Needs,
    claim: Claim,
    state: JobState,
    *,
    delay_s: float,
    once: bool,
    attempts: int | None = None,
    fetches: int | None = None,
) -> None:
    """Give the job back for later, and keep its chain going."""
    async with needs.pool.acquire() as connection, connection.transaction():
        kept = await store.put_back(
            connection,
            claim,
            state=state,
            attempts=claim.attempts if attempts is None else attempts,
            fetches=claim.fetches if fetches is None else fetches,
        )
        # The chain of a queued job is the one that submits it, so it may not end beside it.
        if kept and (not once or claim.was is JobState.QUEUED):
            if claim.settled:
                delay_s = max(delay_s, LATE_RECHECK.total_seconds())
            await kit_store.add_job(
                connection,
                ENTRYPOINT,
                str(claim.job_id),
                priority=claim.priority if state is JobState.QUEUED else STARTED_PRIORITY,
                delay=timedelta(seconds=delay_s),
            )


async def _again(needs: Needs, job_id: JobId, *, delay_s: float, once: bool) -> None:
    async with needs.pool.acquire() as connection:
        await kit_store.add_job(
            connection, ENTRYPOINT, payload(job_id, once=once), delay=timedelta(seconds=delay_s)
        )


def payload(job_id: JobId, *, once: bool) -> str:
    """The queue's payload for a step."""
    return f"{job_id}:once" if once else str(job_id)


def parse_payload(raw: str) -> tuple[JobId, bool]:
    """``payload`` read back: the job, and whether the call stands beside the chain."""
    job_id, _, mark = raw.partition(":")
    return JobId(UUID(job_id)), mark == "once"


def _refusal(outcome: Refused) -> JobEnd:
    return JobEnd(JobState.REFUSED, (), "refused_by_safety", outcome.reason[:500], False)


def _failure(outcome: Failed) -> JobEnd:
    return JobEnd(
        JobState.FAILED,
        (),
        "provider_failed",
        f"{outcome.code}: {outcome.message}"[:500],
        outcome.retryable,
    )


def _count_call(
    needs: Needs,
    engine: Engine,
    operation: str,
    outcome: SubmitOutcome | PollOutcome,
    started: float,
) -> None:
    needs.metrics.provider_call(
        engine.name, operation, type(outcome).__name__.lower(), time.monotonic() - started
    )
