"""The worker's road: one step of one job, safe to run again from the start at any point.

claim (committed) -> ask the provider (no transaction open) -> write down what it said, under the
lease. A worker that dies leaves a lease behind; the next one finds out how far it came.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, assert_never

import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.ids import new_id
from hamyon.orders import store
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.service import record
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
    PollOutcome,
    ProviderClass,
    Refused,
    Running,
    SubmitOutcome,
    Unknown,
)

SUBMITS_MAX: Final = 5
"""Submissions that the provider surely did not accept, before the job is given up."""
FETCHES_MAX: Final = 6
"""Tries to fetch the outputs of a finished job."""
FETCH_S: Final = 240.0
"""How long one try may take, all outputs together."""
RECHECK_S: Final = 2.0
RECHECK_S_MAX: Final = 60.0
"""The longest pause between two questions, whatever a busy provider wishes: silence for longer
than ``deadlines.SILENT_S`` counts as a lost chain."""
UNCERTAIN_RECHECK_S: Final = 30.0
HELD_RECHECK_S: Final = 5.0
"""A lease may end long before it runs out: whoever has it is rarely dead."""
NEVER_SENT: Final = JobEnd(JobState.FAILED, (), "deadline_passed", None, True)

log = structlog.get_logger(__name__)


async def advance(needs: Needs, job_id: JobId, step: int | None) -> None:
    """Run a queue entry: a step of the job's chain, or with None a call beside it (a webhook).

    While another worker has the job the entry is queued again.
    """
    claim = await _claim(needs, job_id, step)
    if isinstance(claim, Held):
        longest_s = 1.0 if step is None else HELD_RECHECK_S
        await record.again(needs, job_id, step, delay_s=min(claim.for_s, longest_s) + 0.05)
    elif claim is not None:
        await _work(needs, claim)


async def look(needs: Needs, job_id: JobId, *, quiet_s: float) -> None:
    """Ask about a job now, unless somebody does or did in the last ``quiet_s`` seconds."""
    claim = await _claim(needs, job_id, None, quiet_s=quiet_s)
    if isinstance(claim, Claim):
        await _work(needs, claim)


async def _claim(
    needs: Needs, job_id: JobId, step: int | None, *, quiet_s: float | None = None
) -> Claim | Held | None:
    return await store.claim_job(
        needs.pool,
        job_id,
        lease=new_id(),
        lease_s=needs.settings.worker_lease_s,
        step=step,
        quiet_s=quiet_s,
    )


async def _work(needs: Needs, claim: Claim) -> None:
    reach("claim.committed")
    engine = needs.engines.get(claim.engine)
    if engine is None:
        # The engine was switched off while it had work: keep the job for when it is back.
        log.error("no such engine", engine=claim.engine, job_id=str(claim.job_id))
        await record.put_back(needs, claim, claim.was, delay_s=60)
        return
    with needs.slots.take(engine) as has_room:
        if not has_room:
            await record.put_back(needs, claim, claim.was, delay_s=0.5)
            return
        async with record.lease_kept(needs, claim):
            await _step(needs, engine, claim)


async def _step(needs: Needs, engine: Engine, claim: Claim) -> None:
    match claim.was:
        case JobState.QUEUED if not claim.sendable:
            await record.end(needs, claim, NEVER_SENT)
        case JobState.QUEUED:
            await _submit(needs, engine, claim)
        case JobState.SUBMITTING | JobState.UNCERTAIN:
            await _find_out(needs, engine, claim)
        case JobState.RUNNING:
            await _ask(needs, engine, claim)
        case JobState.SUCCEEDED | JobState.REFUSED | JobState.FAILED | JobState.CANCELED:
            raise AssertionError(f"claimed an ended job: {claim.was}")
        case _:
            assert_never(claim.was)


# --- submitting -----------------------------------------------------------------------------------


async def _submit(needs: Needs, engine: Engine, claim: Claim) -> None:
    wait_s = await needs.outages.wait_s(engine.name)
    if wait_s > 0:
        await record.put_back(needs, claim, _unsent(claim), delay_s=min(wait_s, 30.0))
        return
    request = await build_request(needs, claim)
    reach("submit.before")
    started = time.monotonic()
    outcome = await engine.submit(request)
    _count_call(needs, engine, "submit", outcome, started)
    reach("submit.sent")
    await _submitted(needs, engine, claim, outcome)


async def _submitted(needs: Needs, engine: Engine, claim: Claim, outcome: SubmitOutcome) -> None:
    """Write down first, count for the breaker afterwards: the id must not wait for anything."""
    match outcome:
        case Accepted():
            await record.accepted(needs, claim, outcome)
            await needs.outages.note_success(engine.name)
        case Finished():
            await _collect(needs, engine, claim, outcome)
            await needs.outages.note_success(engine.name)
        case Refused():
            await record.end(needs, claim, _refusal(outcome))
        case Failed():
            await _not_accepted(needs, engine, claim, outcome)
        case Unknown():
            log.warning("unknown submission", job_id=str(claim.job_id), why=outcome.message)
            await record.put_back(needs, claim, JobState.UNCERTAIN, delay_s=RECHECK_S)
            await needs.outages.note_outage(engine.name, outcome.message)
        case _:
            assert_never(outcome)


async def _not_accepted(needs: Needs, engine: Engine, claim: Claim, outcome: Failed) -> None:
    """It was surely not accepted: try again while that can help, then give up."""
    attempts = claim.attempts + 1
    if not outcome.retryable or attempts >= SUBMITS_MAX:
        await record.end(needs, claim, _failure(outcome))
    else:
        delay_s = max(outcome.retry_after_s or 0, min(2.0**attempts, 30.0))
        await record.put_back(needs, claim, _unsent(claim), delay_s=delay_s, attempts=attempts)
    if outcome.outage:
        await needs.outages.note_outage(engine.name, outcome.message)


def _unsent(claim: Claim) -> JobState:
    """The state of a job that this step did not bring to the provider; an earlier one may have."""
    return JobState.QUEUED if claim.was is JobState.QUEUED else JobState.UNCERTAIN


async def _find_out(needs: Needs, engine: Engine, claim: Claim) -> None:
    """A worker died while submitting, or the provider did not answer: was it accepted?"""
    match engine.provider_class:
        case ProviderClass.REPEATABLE:
            # Same key, same bytes: the provider itself makes it once.
            await _submit(needs, engine, claim)
        case ProviderClass.ADOPTABLE:
            if adopted := await _adopted(needs, claim):
                await record.accepted(needs, claim, Accepted(adopted, 0))
            else:
                await _leave_uncertain(needs, claim)
        case ProviderClass.OPAQUE:
            await _leave_uncertain(needs, claim)
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


async def _leave_uncertain(needs: Needs, claim: Claim) -> None:
    """Never resubmit: a callback, an operator or the deadline decides."""
    if claim.was is not JobState.UNCERTAIN:
        log.warning("uncertain submission", job_id=str(claim.job_id))
    await record.put_back(needs, claim, JobState.UNCERTAIN, delay_s=UNCERTAIN_RECHECK_S)


# --- asking ---------------------------------------------------------------------------------------


async def _ask(needs: Needs, engine: Engine, claim: Claim) -> None:
    """Ask once. The breaker hears nothing of it, for it guards the sending: a task that was lost
    over there would close the door for everybody, and tasks that go well would keep it open while
    no new one is taken.
    """
    assert claim.provider_job_id is not None
    reach("poll.before")
    started = time.monotonic()
    outcome = await engine.poll(claim.provider_job_id)
    _count_call(needs, engine, "poll", outcome, started)
    reach("poll.asked")
    match outcome:
        case Running():
            await record.put_back(needs, claim, JobState.RUNNING, delay_s=outcome.poll_after_s)
        case Finished():
            await _collect(needs, engine, claim, outcome)
        case Refused():
            await record.end(needs, claim, _refusal(outcome))
        case Failed(outage=True):
            delay_s = min(max(outcome.retry_after_s or 0, RECHECK_S), RECHECK_S_MAX)
            await record.put_back(needs, claim, JobState.RUNNING, delay_s=delay_s)
        case Failed():
            await record.end(needs, claim, _failure(outcome))
        case Canceled():
            await record.end(needs, claim, JobEnd(JobState.CANCELED))
        case Unknown():
            await record.put_back(needs, claim, JobState.RUNNING, delay_s=RECHECK_S)
        case _:
            assert_never(outcome)


async def _collect(needs: Needs, engine: Engine, claim: Claim, outcome: Finished) -> None:
    try:
        async with asyncio.timeout(FETCH_S):
            stored, failure = await collect(needs, engine, claim, outcome.outputs)
    except TimeoutError:
        stored, failure = [], DownloadFailed("the download took too long", permanent=False)
    is_last = claim.fetches + 1 >= FETCHES_MAX
    if failure is not None and not is_last and not failure.permanent:
        await _fetch_again(needs, claim, failure)
        return
    reach("collect.stored")
    # The provider is paid for what it made, also when nothing of it could be fetched.
    cost = outcome.cost_micro_usd
    if stored:
        end = JobEnd(JobState.SUCCEEDED, stored, cost_micro_usd=cost)
    else:
        why = str(failure)[:500]
        end = JobEnd(JobState.FAILED, (), "bad_output", why, True, cost_micro_usd=cost)
    await record.end(needs, claim, end)


async def _fetch_again(needs: Needs, claim: Claim, failure: DownloadFailed) -> None:
    fetches = claim.fetches + 1
    log.warning("output not fetched", job_id=str(claim.job_id), tries=fetches, why=str(failure))
    # Class A has no id to ask about: the repetition of the request is the question.
    state = JobState.RUNNING if claim.provider_job_id else JobState.UNCERTAIN
    await record.put_back(needs, claim, state, delay_s=min(2.0**fetches, 30.0), fetches=fetches)


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
