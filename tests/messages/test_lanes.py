"""A channel that hangs, loses its answers or wants to be left alone; and what changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from hamyon.kit import http
from hamyon.kit.db import in_transaction
from hamyon.kit.web.permission import Role
from hamyon.messages.service import deliver, outbox, preferences
from hamyon.messages.service import lanes as parts
from hamyon.messages.service.lanes import Lane, Lanes
from hamyon.messages.types import (
    Outgoing,
    SendOutcome,
    Sent,
    Target,
    TextMessage,
    Topic,
    Unclear,
    Wait,
)
from hamyon.messages.types.delivery import DeliveryId
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually, hurried, working
from tests.messages.post import ALI, OLGA, VALI, Post, post_of
from tests.messages.test_deliver import ORDER, Writer

WAIT_S = "extract(epoch FROM next_at - now())::float8"


@dataclass
class Toy:
    """A channel of the tests: what it says to each call, when it is let."""

    say: Callable[[int], SendOutcome]
    is_let: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[int] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    channel: str = "telegram"

    async def send(self, target: Target, message: Outgoing, *, paid: bool = False) -> SendOutcome:
        self.calls.append(target.chat_id)
        number = len(self.calls)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.is_let.wait()
        self.open -= 1
        return self.say(number)


async def post_by(launch: Launch, sandbox: Sandbox, toy: Toy) -> Post:
    """A service whose messages go through ``toy``; nobody works for it yet."""
    post = await post_of(launch, sandbox, worker=False)
    deps = replace(post.service.deps, senders={toy.channel: toy})
    return replace(post, service=replace(post.service, deps=deps))


async def passed_on(post: Post, *keys: str) -> list[DeliveryId]:
    found = []
    for key in keys:
        number = await post.tell(key)
        await outbox.pass_on(post.service.deps, number)
        found.append(DeliveryId((await post.delivery(number))["id"]))
    return found


# --- it hangs -------------------------------------------------------------------------------------


async def test_a_channel_that_hangs_holds_few_places_of_the_worker(
    launch: Launch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "OPEN_MAX", 4)
    toy = Toy(lambda number: Sent((number,)))
    post = await post_by(launch, sandbox, toy)
    for number in range(10):
        await post.tell(f"n{number}")

    async def four_hang_and_nobody_waits() -> bool:
        row = await post.service.pool.fetchrow(
            """
            SELECT (SELECT count(*) FROM deliveries) AS written,
                   (SELECT count(*) FROM pgqueuer WHERE status = 'picked') AS running
            """
        )
        return row is not None and toy.open == 4 and tuple(row) == (10, 4)

    async with hurried(post.service), working(post.service):
        await eventually(four_hang_and_nobody_waits)
        toy.is_let.set()
        assert await post.ended(10) == {"sent": 10}
    assert (toy.most_open, len(toy.calls)) == (4, 10)
    rows = await post.service.pool.fetch("SELECT attempts FROM deliveries")
    assert {row["attempts"] for row in rows} == {1}, "to find no room is no attempt"


async def test_telegram_has_connections_of_its_own(
    launch: Launch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECTIONS_MAX", 3)
    post = await post_of(launch, sandbox, telegram_timeout_s=600.0)
    await post.service.person(OLGA, 100)
    await post.fault("hang", seconds=600)
    sender = post.service.deps.senders["telegram"]
    hanging = [
        asyncio.create_task(sender.send(Target(ALI), TextMessage("hello"))) for _ in range(6)
    ]
    try:
        order = await post.service.api.ordered(OLGA)
        assert (await post.service.api.ended(OLGA, order))["status"] == "completed"
        assert not any(one.done() for one in hanging)
    finally:
        for one in hanging:
            one.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


# --- its answers are lost -------------------------------------------------------------------------


async def test_what_was_sent_so_often_is_taken_as_arrived(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False, telegram_timeout_s=0.2)
    writer = Writer([TextMessage("one"), TextMessage("two")])
    post = post.composed_by(order_completed=writer)
    await post.fault("hang", seconds=5, accepted=True)
    number = await post.tell("a", "order_completed", ORDER)
    async with hurried(post.service), working(post.service):
        assert await post.ended(1) == {"sent": 1}
    assert await post.texts() == ["one"] * 5 + ["two"] * 5
    delivery = await post.delivery(number)
    assert (delivery["sent"], delivery["step"], delivery["doubts"]) == ([[], []], 2, 0)


async def test_half_an_hour_of_doubts_is_outlived(launch: Launch, sandbox: Sandbox) -> None:
    toy = Toy(lambda _: Unclear("no answer", is_likely_there=True))
    toy.is_let.set()
    post = await post_by(launch, sandbox, toy)
    (delivery_id,) = await passed_on(post, "a")
    lanes, waits = Lanes(), []
    for attempt in range(4):
        await deliver.deliver(post.service.deps, lanes, delivery_id, attempt)
        waits.append(await post.service.pool.fetchval(f"SELECT {WAIT_S} FROM deliveries"))
    assert waits == sorted(waits)
    assert sum(waits) > 30 * 60
    # A wait, and what the channel calls its own fault, say nothing of the message.
    toy.say = lambda calls: Unclear("502") if calls == 5 else Wait(0.0)
    for attempt in (4, 5):
        await deliver.deliver(post.service.deps, lanes, delivery_id, attempt)
    row = await post.service.pool.fetchrow("SELECT state, attempts, doubts FROM deliveries")
    assert row is not None
    assert tuple(row) == ("pending", 6, 4)


# --- it wants to be left alone --------------------------------------------------------------------


async def test_one_wait_is_a_wait_for_all(launch: Launch, sandbox: Sandbox) -> None:
    toy = Toy(lambda _: Wait(3600.0))
    toy.is_let.set()
    post = await post_by(launch, sandbox, toy)
    lanes = Lanes()
    for delivery_id in await passed_on(post, "a", "b", "c"):
        await deliver.deliver(post.service.deps, lanes, delivery_id, 0)
    assert toy.calls == [ALI]
    rows = await post.service.pool.fetch(
        f"SELECT attempts, {WAIT_S} AS wait_s FROM deliveries ORDER BY id"
    )
    assert [row["attempts"] for row in rows] == [1, 0, 0]
    asked, first, second = [row["wait_s"] for row in rows]
    assert asked > 3590
    assert first < second < 31, "it may have been about one chat alone"


async def test_a_letter_that_is_half_sent_waits_with_the_others(
    launch: Launch, sandbox: Sandbox
) -> None:
    toy = Toy(lambda number: Sent((number,)))
    post = await post_by(launch, sandbox, toy)
    post = post.composed_by(order_completed=Writer([TextMessage("one"), TextMessage("two")]))
    number = await post.tell("a", "order_completed", ORDER)
    await outbox.pass_on(post.service.deps, number)
    lanes, delivery_id = Lanes(), DeliveryId((await post.delivery(number))["id"])
    working_on = asyncio.create_task(deliver.deliver(post.service.deps, lanes, delivery_id, 0))

    async def is_sending() -> bool:
        return toy.open == 1

    await eventually(is_sending)
    lanes.of(toy.channel).keep_quiet(20.0)
    toy.is_let.set()
    await working_on
    delivery = await post.delivery(number)
    assert (delivery["state"], delivery["step"], delivery["attempts"]) == ("pending", 1, 0)
    await deliver.deliver(post.service.deps, Lanes(), delivery_id, 0)
    assert (await post.delivery(number))["sent"] == [[1], [2]]


async def test_what_is_not_ready_here_keeps_nobody_waiting(
    launch: Launch, sandbox: Sandbox
) -> None:
    toy = Toy(lambda calls: Wait(30.0, is_ours=True) if calls == 1 else Sent((7,)))
    toy.is_let.set()
    post = await post_by(launch, sandbox, toy)
    lanes = Lanes()
    for delivery_id in await passed_on(post, "a", "b"):
        await deliver.deliver(post.service.deps, lanes, delivery_id, 0)
    assert await post.states() == {"pending": 1, "sent": 1}


async def test_a_crowd_of_notices_meets_no_refusal(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    limits = {"per_second": 30, "per_chat_per_second": 100, "per_chat_burst": 100}
    await sandbox.vendor_settings("telegram", limits=limits)
    for number in range(70):
        await post.tell(f"n{number}")
    async with hurried(post.service), working(post.service):
        assert await post.ended(70) == {"sent": 70}
    assert (await post.calls())["sendMessage"] == 70


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_whoever_finds_no_room_comes_back_behind_the_others() -> None:
    hand = Hand()
    lane = Lane(seconds=hand)
    waits = [lane.back_in_s() for _ in range(100)]
    assert waits == sorted(set(waits))
    assert waits[0] >= parts.BACK_S
    assert waits[-1] - waits[0] == pytest.approx(99 / parts.PACE.rate_per_s)
    hand.now += 60.0
    assert lane.back_in_s() < 1.0, "they have come long since"
    lane.keep_quiet(10.0)
    lane.keep_quiet(1.0)
    assert 10.0 < lane.back_in_s() < 11.0
    with lane.enter() as wait_s:
        assert wait_s > 10.0
    hand.now += 10.0
    with lane.enter() as wait_s:
        assert wait_s == 0


# --- what is true when it is sent -----------------------------------------------------------------


async def test_what_has_changed_since_the_notice_was_passed_on(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    roles = {11: Role.SUPPORT, 12: Role.FINANCE, 13: Role.ADMIN, 14: Role.OWNER, 15: Role.OWNER}
    for user_id, role in roles.items():
        await post.operator(user_id, role)
    for user_id in (VALI, OLGA):
        await post.service.person(user_id)
    review = {"order_id": "o", "product": "images", "price": 27}
    for number in (
        await post.tell("review", "order_review", review, None),
        await post.tell("blocked", "order_refunded", user_id=ALI),
        await post.tell("switched off", user_id=VALI),
        await post.tell("as before", user_id=OLGA),
    ):
        await outbox.pass_on(post.service.deps, number)
    await post.service.as_owner("DELETE FROM roles WHERE user_id = 12")
    await post.service.as_owner("UPDATE roles SET role = 'support' WHERE user_id = 13")
    await post.service.as_owner("UPDATE users SET blocked_at = now() WHERE id IN (15, $1)", ALI)
    await in_transaction(
        post.service.pool, preferences.set_preference, VALI, Topic.REWARDS, enabled=False
    )
    async with working(post.service):
        assert await post.ended(7) == {"sent": 2, "muted": 5}
    assert await post.counts() == {14: 1, OLGA: 1}
