"""Orders of several jobs: part of it delivered, part of it charged, settled once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.ids import new_id
from hamyon.orders import store
from hamyon.orders.service import decide, settle
from hamyon.orders.types import (
    Claim,
    JobEnd,
    JobId,
    JobState,
    Order,
    OrderId,
    OrderState,
    StoredOutput,
)
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually, hurried
from tests.orders.toy import PART, PRODUCT, ToyRules, order_toy

USER = 777
PICTURE = StoredOutput("results/x.png", "image/png", 1, 1, 1)
SUCCESS = JobEnd(JobState.SUCCEEDED, [PICTURE])
FAILURE = JobEnd(JobState.FAILED, (), "provider_failed", "a test", True)


async def _toys(launch: Launch, sandbox: Sandbox | None, **options: object) -> Service:
    """The service with the toy product among its rules."""
    service = await launch(sandbox, **options)
    rules = service.deps.rules
    assert isinstance(rules, dict)
    rules[PRODUCT] = ToyRules()
    await service.person(USER, 1000)
    return service


def _rules(service: Service) -> ToyRules:
    rules = service.deps.rules[PRODUCT]
    assert isinstance(rules, ToyRules)
    return rules


async def _order(service: Service, order_id: str) -> Order:
    found = await store.get(service.pool, OrderId(UUID(order_id)))
    assert found is not None
    return found


async def _settled(service: Service, order_id: str) -> Order:
    async def look() -> Order | None:
        found = await _order(service, order_id)
        return found if found.settled_at else None

    found: Order = await eventually(look)
    return found


@pytest.mark.parametrize("good", [0, 1, 2, 3, 4])
async def test_captured_for_what_was_delivered(launch: Launch, quick: Sandbox, good: int) -> None:
    if good < 4:
        await quick.faults(
            *(
                {"match": {"nth": nth, "operation": "submit"}, "fault": {"kind": "failed"}}
                for nth in range(good + 1, 5)
            )
        )
    service = await _toys(launch, quick)
    async with hurried(service):
        order_id = await order_toy(service.pool, USER, "four", 4, engine="wavespeed")
        service.deps.waker.wake()
        done = await _settled(service, order_id)
    assert (done.state, done.charged) == (
        OrderState.COMPLETED if good else OrderState.FAILED,
        PART * good,
    )
    assert _rules(service).settled == [(order_id, PART * good)]
    assert await service.api.balance(USER) == (1000 - PART * good, 0)
    jobs = await store.jobs_of(service.pool, done.id)
    assert sum(bool(job.outputs) for job in jobs) == good
    assert (await quick.stats())["accepted"] == 4


async def _claims(service: Service, order_id: str) -> list[Claim]:
    """Every job of the order claimed, as by as many workers."""
    claims = []
    for job in await store.jobs_of(service.pool, OrderId(UUID(order_id))):
        claim = await store.claim_job(service.pool, job.id, lease=new_id(), lease_s=60, step=0)
        assert isinstance(claim, Claim)
        claims.append(claim)
    return claims


async def test_two_last_jobs_that_end_together_settle_once(launch: Launch) -> None:
    """Real parallel transactions that start at a barrier, again and again."""
    service = await _toys(launch, None, worker=False)
    rules = service.deps.rules
    for number in range(25):
        order_id = await order_toy(service.pool, USER, f"{number}", 4, engine="offline")
        claims = await _claims(service, order_id)
        barrier = asyncio.Barrier(len(claims))

        async def finish(claim: Claim, end: JobEnd, barrier: asyncio.Barrier) -> Order | None:
            async def use_case(connection: Connection) -> Order | None:
                await barrier.wait()
                return await settle.end_job(connection, rules, claim, end)

            return await in_transaction(service.pool, use_case)

        ends = [SUCCESS, FAILURE, SUCCESS, FAILURE]
        settled = await asyncio.gather(
            *(finish(claim, end, barrier) for claim, end in zip(claims, ends, strict=True))
        )
        assert sum(order is not None for order in settled) == 1
        assert (await _order(service, order_id)).charged == 2 * PART
    assert len(_rules(service).settled) == 25
    assert await service.api.balance(USER) == (1000 - 25 * 2 * PART, 0)


async def test_a_lost_lease_writes_nothing(launch: Launch) -> None:
    service = await _toys(launch, None, worker=False)
    order_id = await order_toy(service.pool, USER, "one", 1, engine="offline")
    (claim,) = await _claims(service, order_id)
    late = replace(claim, lease=new_id())
    async with service.pool.acquire() as connection, connection.transaction():
        assert await settle.end_job(connection, service.deps.rules, late, SUCCESS) is None
        assert await store.mark_running(connection, late, provider_job_id="x") is None
        assert (
            await store.put_back(connection, late, state=JobState.QUEUED, attempts=9, fetches=9)
            is None
        )
        assert not await store.renew_lease(service.pool, late, lease_s=600)
    (job,) = await store.jobs_of(service.pool, OrderId(UUID(order_id)))
    assert job.state is JobState.SUBMITTING
    order = await in_transaction(service.pool, settle.end_job, service.deps.rules, claim, SUCCESS)
    assert order is not None
    assert order.charged == PART


async def test_a_late_part_is_given_though_others_are_still_silent(launch: Launch) -> None:
    service = await _toys(launch, None, worker=False)
    order_id = await order_toy(service.pool, USER, "two", 2, engine="offline")
    first, _ = await _claims(service, order_id)
    await service.past_deadline(order_id)
    await in_transaction(
        service.pool, decide.resolve, service.deps, OrderId(UUID(order_id)), "release"
    )
    assert (await _order(service, order_id)).state is OrderState.FAILED
    gift = await in_transaction(service.pool, settle.end_job, service.deps.rules, first, SUCCESS)
    assert gift is not None
    found = await _order(service, order_id)
    assert (found.state, found.charged) == (OrderState.COMPLETED, 0)
    assert await service.api.balance(USER) == (1000, 0)


async def test_cancel_stops_what_waits_and_settles_with_the_rest(launch: Launch) -> None:
    service = await _toys(launch, None, worker=False)
    order_id = await order_toy(service.pool, USER, "three", 3, engine="offline")
    jobs = await store.jobs_of(service.pool, OrderId(UUID(order_id)))
    claim = await store.claim_job(
        service.pool, JobId(jobs[0].id), lease=new_id(), lease_s=60, step=0
    )
    assert isinstance(claim, Claim)
    await decide.cancel(service.deps, await _order(service, order_id))
    states = [job.state for job in await store.jobs_of(service.pool, OrderId(UUID(order_id)))]
    assert states == [JobState.SUBMITTING, JobState.CANCELED, JobState.CANCELED]
    done = await in_transaction(service.pool, settle.end_job, service.deps.rules, claim, SUCCESS)
    assert done is not None
    assert (done.state, done.charged) == (OrderState.COMPLETED, PART)
    assert await service.api.balance(USER) == (1000 - PART, 0)


async def test_review_charges_for_the_part_that_exists(launch: Launch) -> None:
    service = await _toys(launch, None, worker=False)
    order_id = await order_toy(service.pool, USER, "four", 4, engine="offline")
    claims = await _claims(service, order_id)
    await in_transaction(service.pool, settle.end_job, service.deps.rules, claims[0], SUCCESS)
    await service.past_deadline(order_id)
    assert (await _order(service, order_id)).state is OrderState.REVIEW
    assert await service.api.balance(USER) == (1000 - 4 * PART, 4 * PART)
    await service.past_review(order_id)
    found = await _order(service, order_id)
    assert (found.state, found.charged) == (OrderState.COMPLETED, PART)
    # What comes now is a gift.
    await in_transaction(service.pool, settle.end_job, service.deps.rules, claims[1], SUCCESS)
    assert (await _order(service, order_id)).charged == PART
    assert await service.api.balance(USER) == (1000 - PART, 0)
