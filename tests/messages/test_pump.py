"""Who sends: one lease, whatever others try; and a channel that is down for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

import pytest

from hamyon.kit.db import connect
from hamyon.kit.ids import new_id
from hamyon.messages.service import evidence
from hamyon.messages.service import round as rounds
from hamyon.messages.service.pace import Pace
from hamyon.messages.service.pump import Pump
from hamyon.messages.store import pump as store
from hamyon.messages.types import Outgoing, Refused, SendOutcome, Sent, Target, Unclear, Wait
from hamyon.messages.types.broadcast import CHANNEL, BroadcastId
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually
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
        return [recipient.user_id for recipient in found.recipients]

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
    """A channel that answers as ``meaning`` says, of a chat and how many calls there were."""

    meaning: Callable[[int, int], SendOutcome]
    calls: list[int] = field(default_factory=list)
    channel: str = CHANNEL

    async def send(self, target: Target, message: Outgoing, *, paid: bool = False) -> SendOutcome:
        self.calls.append(target.chat_id)
        outcome = self.meaning(target.chat_id, len(self.calls))
        await asyncio.sleep(0.01)
        return outcome


@asynccontextmanager
async def pumped(desk: Desk, toy: Toy) -> AsyncIterator[Pump]:
    """Somebody sends through ``toy`` meanwhile."""
    pump = Pump(replace(desk.service.deps, senders={CHANNEL: toy}))
    task = asyncio.create_task(pump.run())
    try:
        yield pump
    finally:
        pump.stop()
        await task


def up(chat: int, call: int) -> SendOutcome:
    """Everybody gets it."""
    return Sent((call,))


def down(chat: int, call: int) -> SendOutcome:
    """Nobody knows of anybody."""
    return Unclear("502 Bad Gateway")


async def test_an_outage_fails_nobody(
    launch: Launch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often everybody is tried in vain, nobody is given up for what is not about him,
    and neither does it matter how often the sender changes meanwhile."""
    monkeypatch.setattr(evidence, "OUTAGE_WAIT_MAX_S", 0.01)
    desk = Desk(await launch(sandbox, worker=False, broadcast_paid_rate_per_s=90), sandbox)
    await desk.people(12)
    number = await desk.started(paid=True)
    for _ in range(3):
        toy = Toy(down)
        async with pumped(desk, toy):
            # More for each than he would be tried among others.
            await eventually(partial(has_called, toy, 80))
    toy = Toy(lambda chat, call: down(chat, call) if call <= 60 else up(chat, call))
    async with pumped(desk, toy):
        done = await desk.over(number)
    assert (done["state"], done["sent"], done["failed"]) == ("completed", 12, 0)
    assert max(row["attempts"] for row in (await desk.recipients(number)).values()) > 5


async def has_called(toy: Toy, times: int) -> bool:
    return len(toy.calls) >= times


async def test_who_alone_is_never_clear_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person of whom nobody hears while others get theirs holds up nobody for ever."""
    monkeypatch.setattr(evidence, "OUTAGE_WAIT_MAX_S", 0.01)
    await desk.people(55)
    number = await desk.started()
    toy = Toy(lambda chat, call: down(chat, call) if chat == 1 else up(chat, call))
    async with pumped(desk, toy):
        done = await desk.over(number)
    assert (done["state"], done["sent"], done["failed"]) == ("completed", 54, 1)
    assert toy.calls.count(1) >= evidence.ATTEMPTS_MAX


@pytest.mark.parametrize(
    ("outcome", "limit"),
    [(Wait(0.05), "WAIT_MAX_S"), (Unclear("no answer"), "OUTAGE_MAX_S")],
)
async def test_a_channel_that_is_silent_for_too_long_is_told_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, outcome: SendOutcome, limit: str
) -> None:
    """Nobody is failed for it, and who resumes it when the channel is back reaches everybody."""
    monkeypatch.setattr(evidence, "OUTAGE_WAIT_MAX_S", 0.01)
    monkeypatch.setattr(evidence, limit, 0.2)
    await desk.people(15)
    number = await desk.started()
    async with pumped(desk, Toy(lambda chat, call: outcome)):
        stopped = await desk.over(number)
    assert (stopped["state"], stopped["sent"], stopped["failed"]) == ("paused", 0, 0)
    (facts,) = await desk.told("broadcast_stopped")
    assert (facts["id"], facts["reason"].startswith("for 0 s")) == (number, True)
    await desk.act(number, "resume")
    async with pumped(desk, Toy(up)):
        assert (await desk.over(number, "completed"))["sent"] == 15


async def test_whom_we_may_not_write_to_any_more_gets_nothing(desk: Desk) -> None:
    """Whatever happened since the recipients were chosen; those behind them get theirs."""
    await desk.people(60)
    number = await desk.started()
    for statement in (
        "UPDATE users SET blocked_at = now() WHERE id = 2",
        "INSERT INTO notification_preferences (user_id, topic, enabled) VALUES (3, 'news', false)",
        "INSERT INTO notification_preferences (user_id, topic, enabled) VALUES (5, 'news', true)",
        """
        INSERT INTO unreachable (user_id, channel, reason)
        SELECT id, 'telegram', 'deactivated' FROM users WHERE id BETWEEN 11 AND 50
        """,
    ):
        await desk.service.as_owner(statement)
    toy = Toy(up)
    async with pumped(desk, toy):
        done = await desk.over(number)
    assert set(toy.calls) == {1, *range(4, 11), *range(51, 61)}
    assert (done["state"], done["sent"], done["blocked"], done["failed"]) == (
        "completed", 18, 42, 0,
    )  # fmt: skip
    recipients = await desk.recipients(number)
    assert [recipients[user]["error"] for user in (2, 3, 50)] == [
        "blocked by an operator", "has switched news off", "unreachable: deactivated",
    ]  # fmt: skip
    assert {recipients[user]["state"] for user in (2, 3, 50)} == {"blocked"}


@pytest.mark.parametrize("refused", [range(1, 21), range(41, 61), range(31, 61)])
async def test_refused_people_in_a_row_stop_it_no_more_than_once(
    desk: Desk, refused: range
) -> None:
    """Twenty of one kind in a row may be the message. Once it is resumed the others get theirs
    first, and what is refused again for the same people is about them."""
    await desk.people(60)
    number = await desk.started()
    toy = Toy(lambda chat, call: Refused("403 no bots") if chat in refused else up(chat, call))
    stops = 0
    async with pumped(desk, toy):
        while (done := await desk.over(number))["state"] == "paused":
            stops += 1
            assert done["failed"] == 0
            await desk.act(number, "resume")
    assert stops == (1 if len(refused) == 20 else 2)
    assert (done["state"], done["sent"], done["failed"]) == (
        "completed", 60 - len(refused), len(refused),
    )  # fmt: skip
    assert all(toy.calls.count(user) == 1 for user in range(1, 61) if user not in refused)


async def test_it_stops_though_the_database_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written down is sent again, by whoever comes next."""
    monkeypatch.setattr(rounds, "STOP_S", 0.2)
    await desk.people(3)
    number = await desk.started()
    toy, owner = Toy(up), await connect(desk.service.database.owner_dsn, role=None)
    async with asyncio.timeout(20), pumped(desk, toy):
        await eventually(partial(has_called, toy, 1))
        await owner.execute("REVOKE UPDATE ON broadcast_recipients FROM hamyon_app")
    await owner.execute("GRANT UPDATE ON broadcast_recipients TO hamyon_app")
    await owner.close()
    async with pumped(desk, toy):
        done = await desk.over(number)
    assert (done["state"], done["sent"]) == ("completed", 3)


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
