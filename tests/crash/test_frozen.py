"""A worker that freezes past its lease and wakes up late changes nothing."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import (
    Launch,
    Processes,
    Service,
    eventually,
    forget_the_dead,
    hurried,
    working,
)

pytestmark = pytest.mark.crash

USER = 777
PRICE = 27


async def _asks(sandbox: Sandbox, operation: str) -> bool:
    requests = (await sandbox.stats())["requests"]
    assert isinstance(requests, dict)
    return bool(requests.get(operation, 0))


async def _delivered_once(service: Service, order: str) -> None:
    lines = await service.api.lines(USER)
    assert [line["amount"] for line in lines] == [-PRICE]
    told = await service.pool.fetchval("SELECT count(*) FROM notices WHERE user_id = $1", USER)
    assert told == 1
    assert (await service.api.generation(USER, order))["charged"] == PRICE


@pytest.mark.parametrize("frozen_in", ["result", "output"])
async def test_another_finishes_and_the_late_one_is_refused(
    launch: Launch, processes: Processes, quick: Sandbox, frozen_in: str
) -> None:
    service = await launch(quick, worker=False)
    await service.person(USER, 100)
    # The first who asks waits for a second: long enough to be frozen in the middle.
    await quick.fault("latency", {"operation": frozen_in, "nth": 1}, seconds=1.0)
    process = processes.start("worker", service.settings, LOG_LEVEL="INFO")
    order = await service.api.ordered(USER)
    async with hurried(service):
        await eventually(lambda: _asks(quick, frozen_in), pause_s=0.01)
        process.popen.send_signal(signal.SIGSTOP)
        lease = (await service.job(order))["lease"]
        assert lease is not None
        await forget_the_dead(service)
        async with working(service):
            done = await service.api.ended(USER, order)
        assert done["status"] == "completed"
        row = await service.job(order)
        process.popen.send_signal(signal.SIGCONT)

        async def has_woken() -> bool:
            return "lease lost" in process.said() or await _is_idle(service)

        await eventually(has_woken)
        await asyncio.sleep(1.2)  # Whatever it had in hand has come back to it by now.
    assert process.is_alive, process.said()
    assert await service.job(order) == row
    await _delivered_once(service, order)
    assert (await quick.stats())["accepted"] == 1


async def _is_idle(service: Service) -> bool:
    picked = await service.pool.fetchval("SELECT count(*) FROM pgqueuer WHERE status = 'picked'")
    return bool(picked == 0)


async def test_a_slow_worker_keeps_its_lease(launch: Launch, quick: Sandbox) -> None:
    """A living process renews: a download longer than the lease is nobody else's business."""
    await quick.fault("latency", {"operation": "output"}, seconds=2.0)
    service = await launch(quick, wavespeed_timeout_s=1.0, worker_lease_s=11.0)
    await service.person(USER, 100)
    service.deps.settings.__dict__["worker_lease_s"] = 0.6
    order = await service.api.ordered(USER)
    async with hurried(service):
        await eventually(lambda: _asks(quick, "output"))
        await asyncio.sleep(1.0)  # The lease of the beginning is over.
        await service.advance_now(order)
        done = await service.api.ended(USER, order)
    assert done["status"] == "completed"
    requests = (await quick.stats())["requests"]
    assert isinstance(requests, dict)
    assert requests["output"] == 1
