"""A broadcast reaches everybody once, whoever is killed or frozen while he sends it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.crash.broadcaster import PLACES, Plan, Run
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Processes, eventually, working
from tests.messages.desk import Desk

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


async def test_three_kills_under_three_hundred_people(
    launch: Launch, processes: Processes, sandbox: Sandbox
) -> None:
    plan = Plan(seed=int(os.environ.get("CRASH_SEED", "20260101")))
    print(f"CRASH_SEED={plan.seed}")
    desk = Desk(await launch(sandbox, worker=False), sandbox)
    print(await Run(plan, desk, processes).go())


async def test_a_frozen_sender_wakes_up_and_sends_nothing(
    launch: Launch, processes: Processes, sandbox: Sandbox
) -> None:
    desk = Desk(await launch(sandbox, worker=False), sandbox)
    await desk.limits(per_second=30)
    await desk.people(150)
    frozen = await processes.ready(
        processes.start("worker", desk.service.settings), desk.service.database
    )
    number = await desk.started()

    async def many(least: int) -> bool:
        return sum((await desk.counts()).values()) >= least

    await eventually(lambda: many(20))
    frozen.popen.send_signal(signal.SIGSTOP)
    # What it had sent without hearing the answer is all that anybody may get twice.
    await asyncio.sleep(0.3)
    async with working(desk.service):
        before = sum((await desk.counts()).values())
        await eventually(lambda: many(before + 20))
        frozen.popen.send_signal(signal.SIGCONT)
        done = await desk.over(number)
    assert frozen.is_alive, frozen.said()
    assert (done["state"], done["sent"]) == ("completed", 150)
    counts = await desk.counts()
    assert counts.keys() == {*range(1, 151)}
    assert sum(counts.values()) <= 150 + PLACES
    pace = await desk.pace()
    assert pace["most_in_any_second"] <= 30
    # What the frozen one had begun goes out when it wakes up, beside what the other one sends.
    assert pace["refused_429"] <= PLACES
