"""Who sends: one lease, whatever others try; and a channel that is down for everybody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from hamyon.kit.ids import new_id
from hamyon.messages.service import round as rounds
from hamyon.messages.service.pace import Pace
from hamyon.messages.service.pump import Pump
from hamyon.messages.store import pump as store
from hamyon.messages.types import Outgoing, SendOutcome, Sent, Target, Unclear
from hamyon.messages.types.broadcast import CHANNEL, BroadcastId
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch
from tests.messages.desk import Desk

OURS, THEIRS = new_id(), new_id()


@pytest.fixture
async def desk(launch: Launch, sandbox: Sandbox) -> Desk:
    """Nobody sends but the test."""
    return Desk(await launch(sandbox, worker=False), sandbox)


async def test_a_lease_is_one_processs_until_it_ends(desk: Desk) -> None:
    pool = desk.service.pool
    await desk.people(3)
    assert not await store.is_wanted(pool, CHANNEL)
    number = BroadcastId(await desk.started())
    assert await store.is_wanted(pool, CHANNEL)
    assert await store.take(pool, CHANNEL, lease=OURS, lease_s=60) is not None
    assert await store.take(pool, CHANNEL, lease=THEIRS, lease_s=60) is None
    assert not await store.is_wanted(pool, CHANNEL)

    async def claim(lease: UUID) -> list[int]:
        found = await store.claim(pool, number, channel=CHANNEL, lease=lease, after_id=0, limit=2)
        return [recipient.user_id for recipient in found]

    assert await claim(THEIRS) == []
    assert await claim(OURS) == [1, 2]
    await desk.service.as_owner("UPDATE broadcast_pumps SET lease_until = now()")
    assert await claim(OURS) == []
    assert await store.is_wanted(pool, CHANNEL)
    assert await store.take(pool, CHANNEL, lease=THEIRS, lease_s=60) is not None
    kept, state = await store.renew(pool, CHANNEL, lease=OURS, lease_s=60, broadcast_id=number)
    assert (kept, state) == (False, "running")
    # What the dead had in hand is let go by whoever follows, and by nobody else.
    await store.let_go(pool, number, channel=CHANNEL, lease=OURS)
    assert await claim(THEIRS) == [3]
    await store.let_go(pool, number, channel=CHANNEL, lease=THEIRS)
    assert await claim(THEIRS) == [1, 2]
    await store.give_up(pool, CHANNEL, lease=OURS)
    assert not await store.is_wanted(pool, CHANNEL)


async def test_a_wait_outlives_who_heard_of_it(desk: Desk) -> None:
    pool = desk.service.pool
    await store.take(pool, CHANNEL, lease=OURS, lease_s=60)
    await store.leave_alone(pool, CHANNEL, lease=OURS, wait_s=600)
    await store.leave_alone(pool, CHANNEL, lease=OURS, wait_s=1)
    await store.give_up(pool, CHANNEL, lease=OURS)
    taken = await store.take(pool, CHANNEL, lease=THEIRS, lease_s=60)
    assert taken is not None
    assert 500 < taken.wait_s <= 600


@dataclass
class Toy:
    """A channel that is down for its first calls, each of unclear outcome."""

    down: int
    calls: int = 0
    reached: list[int] = field(default_factory=list)
    channel: str = CHANNEL

    async def send(self, target: Target, message: Outgoing, *, paid: bool = False) -> SendOutcome:
        self.calls += 1
        if self.calls <= self.down:
            return Unclear("502 Bad Gateway")
        self.reached.append(target.chat_id)
        return Sent((self.calls,))


async def test_an_outage_fails_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often everybody is tried in vain, nobody is given up for what is not about him."""
    monkeypatch.setattr(rounds, "OUTAGE_WAIT_MAX_S", 0.01)
    await desk.people(6)
    number = await desk.started()
    toy = Toy(down=60)
    pump = Pump(replace(desk.service.deps, senders={CHANNEL: toy}))
    task = asyncio.create_task(pump.run())
    done = await desk.over(number)
    pump.stop()
    await task
    assert (done["sent"], done["failed"]) == (6, 0)
    assert sorted(toy.reached) == [1, 2, 3, 4, 5, 6]
    assert max(row["attempts"] for row in (await desk.recipients(number)).values()) > 5


async def test_who_alone_is_never_clear_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broadcast ends: one person of whom nobody hears holds up nobody for ever."""
    monkeypatch.setattr(rounds, "OUTAGE_WAIT_MAX_S", 0.01)
    await desk.people(8)
    number = await desk.started()

    class Deaf(Toy):
        async def send(
            self, target: Target, message: Outgoing, *, paid: bool = False
        ) -> SendOutcome:
            if target.chat_id == 8:
                return Unclear("no answer")
            await asyncio.sleep(0.01)
            return await super().send(target, message, paid=paid)

    pump = Pump(replace(desk.service.deps, senders={CHANNEL: Deaf(down=0)}))
    task = asyncio.create_task(pump.run())
    done = await desk.over(number)
    pump.stop()
    await task
    assert (done["state"], done["sent"], done["failed"]) == ("completed", 7, 1)


async def test_no_more_turns_than_the_pace_in_any_second() -> None:
    """Whatever the answers take, in the second before any start lie fewer than ``rate``."""
    rate = 20
    pace = Pace(rate)
    loop = asyncio.get_running_loop()
    began = loop.time()
    starts: list[tuple[float, float]] = []

    async def message(number: int) -> None:
        started = loop.time()
        await asyncio.sleep(0.002 * (number % 7))
        starts.append((started, loop.time()))
        pace.give_back()

    async with asyncio.TaskGroup() as group:
        for number in range(3 * rate):
            await pace.turn()
            group.create_task(message(number))
    first = min(started for started, _ in starts)
    # Who sent before us may have used the turns up.
    assert first >= began + 1.0
    for started, _ in starts:
        within = [one for one in starts if one[0] < started and one[1] > started - 1.0]
        assert len(within) < rate
