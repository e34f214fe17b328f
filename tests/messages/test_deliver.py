"""Delivery survives the channel's absence: late, in order, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hamyon.kit.db import Connection, in_transaction
from hamyon.messages.service import deliver, entries, outbox, reach
from hamyon.messages.service import lanes as lane_parts
from hamyon.messages.service.lanes import Lanes
from hamyon.messages.types import (
    Edit,
    File,
    FileKind,
    FileMessage,
    Letter,
    Outgoing,
    Removal,
    Target,
    TextMessage,
)
from hamyon.messages.types.delivery import DeliveryId
from hamyon.notices.types import Notice
from hamyon.users.types import User
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually, hurried, working
from tests.messages.post import ALI, OLGA, VALI, Post, post_of

ORDER = {"order_id": "o", "product": "images"}


@dataclass
class Writer:
    """A composer of the tests: the letter that it was given, and whom it was asked for."""

    messages: Sequence[Outgoing] | None
    chat_id: int = ALI
    asked: list[int] = field(default_factory=list)
    troubles: int = 0

    async def compose(self, notice: Notice, user: User) -> Letter | None:
        self.asked.append(user.id)
        if len(self.asked) <= self.troubles:
            raise RuntimeError("the letter cannot be written just now")
        if self.messages is None:
            return None
        return Letter(Target(self.chat_id), self.messages)


@pytest.fixture
def lanes() -> Lanes:
    return Lanes()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps quiet for the others' sake, for that is no matter of the queue's clock."""
    monkeypatch.setattr(lane_parts, "QUIET_MAX_S", 0.0)


# --- the channel is away --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 502}),
        ("status", {"status": 500}),
        ("not_json", {"accepted": False}),
        ("status", {"status": 401}),
    ],
)
async def test_half_an_hour_without_telegram(
    launch: Launch,
    sandbox: Sandbox,
    quickly: None,
    kind: str,
    options: dict[str, Any],
) -> None:
    post = await post_of(launch, sandbox, telegram_timeout_s=0.3)
    people = [ALI, VALI, OLGA]
    for user_id in people[1:]:
        await post.service.person(user_id)
    await post.fault(kind, **options)
    for number in range(3):
        for user_id in people:
            await post.tell(f"{number}:{user_id}", user_id=user_id)
    async with hurried(post.service):
        await post.tried(6, 9)
        assert await post.states() == {"pending": 9}
        await post.service.as_owner(
            "UPDATE deliveries SET created_at = created_at - interval '30 minutes'"
        )
        await post.tried(8, 9)
        await sandbox.clear_faults()
        assert await post.ended(9) == {"sent": 9}
    assert await post.counts() == dict.fromkeys(people, 3)


async def test_nobody_at_the_address_at_all(
    launch: Launch, sandbox: Sandbox, quickly: None
) -> None:
    post = await post_of(launch, sandbox, telegram_api_base_url="http://127.0.0.1:9")
    number = await post.tell("a")
    async with hurried(post.service):
        await post.tried(4, 1)
    delivery = await post.delivery(number)
    assert (delivery["state"], delivery["error"]) == ("pending", "asked to wait")


async def test_it_waits_longer_each_time_and_as_long_as_it_is_asked_to(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    number = await post.tell("a")
    await outbox.pass_on(post.service.deps, number)
    delivery_id = DeliveryId((await post.delivery(number))["id"])
    query = "SELECT extract(epoch FROM next_at - now())::float8 FROM deliveries"
    waits = []
    await post.fault("status", status=502)
    for attempt in range(8):
        await deliver.deliver(post.service.deps, lanes, delivery_id, attempt)
        waits.append(await post.service.pool.fetchval(query))
    assert [round(wait) for wait in waits] == sorted(round(wait) for wait in waits)
    assert 1 < waits[0] <= 2.5
    assert 55 < waits[-1] <= 75
    await post.fault("status", status=429, retry_after=600)
    await deliver.deliver(post.service.deps, lanes, delivery_id, 8)
    assert 590 < await post.service.pool.fetchval(query) <= 600
    queued = await post.service.pool.fetchval(
        """
        SELECT count(*) FROM pgqueuer
        WHERE entrypoint = 'deliver' AND execute_after > now() + interval '590 s'
        """
    )
    assert queued == 1


async def test_too_many_at_once(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await sandbox.vendor_settings(
        "telegram", limits={"per_second": 5, "per_chat_per_second": 50, "per_chat_burst": 50}
    )
    for number in range(12):
        await post.tell(f"n{number}")
    async with hurried(post.service):
        assert await post.ended(12) == {"sent": 12}
    assert await post.counts() == {ALI: 12}


async def test_what_is_too_old_is_given_up_later_for_orders(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox)
    await post.fault("status", status=502)
    bonus, order = await post.tell("bonus"), await post.tell("order", "order_refunded")
    async with hurried(post.service):
        await post.tried(1, 2)
        await _age(post, "25 hours")
        assert (await _ended(post, bonus))["state"] == "failed"
        attempts = (await post.delivery(order))["attempts"]
        await post.tried(attempts + 2, 1)
        assert (await post.delivery(order))["state"] == "pending"
        await _age(post, "7 days")
        failed = await _ended(post, order)
    assert "502" in failed["error"]


async def _age(post: Post, by: str) -> None:
    await post.service.as_owner(f"UPDATE deliveries SET created_at = created_at - interval '{by}'")


async def _ended(post: Post, notice_id: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await post.delivery(notice_id)
        return found if found["state"] != "pending" else None

    found: dict[str, Any] = await eventually(look)
    return found


# --- people who are gone --------------------------------------------------------------------------


async def test_blocked_and_back(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await post.act(ALI, "start")
    await post.act(ALI, "block")
    await post.tell("first")
    assert await post.ended(1) == {"gone": 1}
    assert not await reach.is_reachable(post.service.pool, ALI)
    tried = (await post.calls())["sendMessage"]
    done = await post.tell("done", "order_refunded")
    await post.tell("done, too", "order_refunded")
    old = await post.tell("old", "order_refunded")
    await post.tell("answer", "support_reply", {"thread_id": 1, "text": "here you are"})
    assert await post.ended(5) == {"gone": 5}
    assert (await post.calls())["sendMessage"] == tried, "nobody is bothered again"
    await post.service.as_owner(
        "UPDATE deliveries SET created_at = now() - interval '8 days' WHERE notice_id = $1", old
    )
    await post.act(ALI, "unblock")
    before = await post.counts()
    assert await in_transaction(post.service.pool, reach.note_return, ALI) == 3
    assert await in_transaction(post.service.pool, reach.note_return, ALI) == 0
    post.service.deps.waker.wake()
    await _ended(post, done)

    async def all_three() -> bool:
        return await post.states() == {"gone": 2, "sent": 3}

    await eventually(all_three)
    assert await reach.is_reachable(post.service.pool, ALI)
    assert (await post.counts()).get(ALI, 0) - before.get(ALI, 0) == 3


async def test_after_a_day_it_is_tried_again(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await in_transaction(post.service.pool, reach.note_gone, ALI, "deactivated")
    missed = await post.tell("missed", "order_refunded")
    assert await post.ended(1) == {"gone": 1}
    await post.service.as_owner("UPDATE unreachable SET since = now() - interval '25 hours'")
    await post.tell("news")
    assert (await _ended(post, missed))["state"] in {"gone", "sent"}

    async def all_came() -> bool:
        return await post.states() == {"sent": 2}

    await eventually(all_came)
    assert await post.counts() == {ALI: 2}
    assert await reach.is_reachable(post.service.pool, ALI)


async def test_a_group_that_is_closed_says_nothing_of_the_person(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    await post.group(-5, is_kicked=True)
    writer = Writer([TextMessage("to the group")], chat_id=-5)
    post = post.composed_by(order_completed=writer)
    await post.tell("a", "order_completed", ORDER)
    async with working(post.service):
        assert await post.ended(1) == {"gone": 1}
    assert await reach.is_reachable(post.service.pool, ALI)


async def test_a_group_that_has_moved(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    await post.group(-5, migrated_to=-1005)
    await post.group(-1005)
    writer = Writer([TextMessage("one"), TextMessage("two")], chat_id=-5)
    post = post.composed_by(order_completed=writer)
    await post.tell("a", "order_completed", ORDER)
    async with working(post.service):
        assert await post.ended(1) == {"sent": 1}
    assert await post.texts(-1005) == ["one", "two"]
    assert (await post.calls())["sendMessage"] == 3, "the new address holds for the whole letter"


# --- letters --------------------------------------------------------------------------------------


async def test_a_letter_goes_on_where_it_broke_off(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    content = b"the paper"
    await post.service.deps.storage.put("paper.txt", content)
    paper = File(FileKind.DOCUMENT, "paper.txt", "paper.txt", "text/plain", len(content))
    writer = Writer([TextMessage("one"), FileMessage([paper], "two"), TextMessage("three")])
    post = post.composed_by(order_completed=writer)
    await sandbox.fault("status", {"vendor": "telegram", "operation": "sendDocument"}, status=500)
    number = await post.tell("a", "order_completed", ORDER)
    async with hurried(post.service), working(post.service):
        await post.tried(3, 1)
        assert await post.texts() == ["one"]
        await sandbox.clear_faults()
        assert await post.ended(1) == {"sent": 1}
    one, two, three = await post.messages()
    assert (one["text"], two["caption"], three["text"]) == ("one", "two", "three")
    delivery = await post.delivery(number)
    assert delivery["step"] == 3
    assert delivery["sent"] == [[message["message_id"]] for message in (one, two, three)]
    assert delivery["error"] is None


async def test_a_change_that_is_refused_does_not_keep_the_news_back(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    await sandbox.faults(
        *(
            {
                "match": {"vendor": "telegram", "operation": operation},
                "fault": {"kind": "status", "status": 400, "message": "Bad Request: no"},
            }
            for operation in ("editMessageText", "deleteMessage")
        )
    )
    writer = Writer([Edit(7, "done"), Removal(8), TextMessage("the news")])
    post = post.composed_by(order_completed=writer)
    number = await post.tell("a", "order_completed", ORDER)
    async with working(post.service):
        assert await post.ended(1) == {"sent": 1}
    assert await post.texts() == ["the news"]
    assert (await post.delivery(number))["sent"][:2] == [[], []]


async def test_a_message_that_is_refused_is_not_sent_again(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    post = post.composed_by(order_completed=Writer([TextMessage("x" * 5000), TextMessage("y")]))
    number = await post.tell("a", "order_completed", ORDER)
    async with hurried(post.service), working(post.service):
        assert await post.ended(1) == {"failed": 1}
    delivery = await post.delivery(number)
    assert (delivery["attempts"], delivery["step"]) == (1, 0)
    assert "400" in delivery["error"]
    assert (await post.calls())["sendMessage"] == 1


async def test_no_letter_is_no_message(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    post = post.composed_by(order_completed=Writer(None), order_failed=Writer([]))
    await post.tell("a", "order_completed", ORDER)
    await post.tell("b", "order_failed", ORDER)
    async with working(post.service):
        assert await post.ended(2) == {"muted": 1, "sent": 1}
    assert await post.counts() == {}


async def test_a_letter_that_cannot_be_written_at_once(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    writer = Writer([TextMessage("at last")], troubles=2)
    post = post.composed_by(order_completed=writer)
    await post.tell("a", "order_completed", ORDER)
    async with hurried(post.service), working(post.service):
        assert await post.ended(1) == {"sent": 1}
    assert await post.texts() == ["at last"]
    assert writer.asked == [ALI] * 3


async def test_a_bot_that_was_switched_off_meanwhile(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    number = await post.tell("a")
    await outbox.pass_on(post.service.deps, number)
    delivery_id = DeliveryId((await post.delivery(number))["id"])
    deps = replace(post.service.deps, senders={})
    await post.service.as_owner("DELETE FROM pgqueuer")
    await _age(post, "30 days")
    for _ in range(3):
        await deliver.deliver(deps, lanes, delivery_id, 0)
    delivery = await post.delivery(number)
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    assert set(await _queued(post)) == {f"{delivery_id}:0"}
    async with hurried(post.service), working(post.service):
        assert await post.ended(1) == {"sent": 1}


# --- workers and entries --------------------------------------------------------------------------


async def test_entries_that_run_twice_send_once(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    number = await post.tell("a")
    await outbox.pass_on(post.service.deps, number)
    delivery_id = DeliveryId((await post.delivery(number))["id"])
    deps = post.service.deps
    await asyncio.gather(*(deliver.deliver(deps, lanes, delivery_id, 0) for _ in range(10)))
    await deliver.deliver(deps, lanes, delivery_id, 0)
    await deliver.deliver(deps, lanes, delivery_id, 1)
    assert await post.counts() == {ALI: 1}
    assert (await post.delivery(number))["attempts"] == 1


async def test_an_entry_of_an_earlier_attempt_starts_nothing(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    number = await post.tell("a")
    await outbox.pass_on(post.service.deps, number)
    delivery_id = DeliveryId((await post.delivery(number))["id"])
    await post.fault("status", status=502)
    for attempt in (0, 0, 3):
        await deliver.deliver(post.service.deps, lanes, delivery_id, attempt)
    assert (await post.delivery(number))["attempts"] == 1
    assert await _queued(post) == [f"{delivery_id}:0", f"{delivery_id}:1"]


async def test_a_dead_workers_delivery_is_taken_over_when_its_lease_ends(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    number = await post.tell("a")
    await outbox.pass_on(post.service.deps, number)
    await post.service.as_owner("DELETE FROM pgqueuer")
    await post.service.as_owner(
        """
        UPDATE deliveries SET attempts = 1, lease = gen_random_uuid(),
               lease_until = now() + interval '1 hour', next_at = now() - interval '1 hour'
        """
    )
    delivery_id = DeliveryId((await post.delivery(number))["id"])
    deps = post.service.deps
    await deliver.sweep(deps)
    assert await _queued(post) == []
    await deliver.deliver(deps, lanes, delivery_id, 0)
    assert await _queued(post) == [f"{delivery_id}:0"], "the entry comes again when it may"
    await deliver.deliver(deps, lanes, delivery_id, 1)
    assert await post.counts() == {}
    await post.service.as_owner("DELETE FROM pgqueuer")
    await post.service.as_owner("UPDATE deliveries SET lease_until = now() - interval '1 s'")
    await deliver.sweep(deps)
    await deliver.sweep(deps)
    assert await _queued(post) == [f"{delivery_id}:0"]
    async with working(post.service):
        assert await post.ended(1) == {"sent": 1}
    assert await post.counts() == {ALI: 1}


async def test_a_worker_that_lost_its_lease_writes_nothing(
    launch: Launch, sandbox: Sandbox, lanes: Lanes
) -> None:
    post = await post_of(launch, sandbox, worker=False)

    class Thief(Writer):
        async def compose(self, notice: Notice, user: User) -> Letter | None:
            await post.service.as_owner("UPDATE deliveries SET lease = gen_random_uuid()")
            return await Writer.compose(self, notice, user)

    post = post.composed_by(
        order_completed=Thief([TextMessage("one"), TextMessage("two")]), order_failed=Thief(None)
    )
    one = await post.tell("a", "order_completed", ORDER)
    other = await post.tell("b", "order_failed", ORDER)
    for number in (one, other):
        await outbox.pass_on(post.service.deps, number)
        delivery_id = DeliveryId((await post.delivery(number))["id"])
        await deliver.deliver(post.service.deps, lanes, delivery_id, 0)
        delivery = await post.delivery(number)
        assert (delivery["state"], delivery["step"]) == ("pending", 0)
    assert await post.texts() == ["one"], "nor does it send on"


async def test_what_the_queue_lost_is_found_again(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox, worker=False)
    for key in ("a", "b"):
        await outbox.pass_on(post.service.deps, await post.tell(key))
    await post.service.as_owner("DELETE FROM pgqueuer")
    await post.service.as_owner(
        """
        UPDATE deliveries SET next_at = now() - interval '2 minutes'
        WHERE id = (SELECT min(id) FROM deliveries)
        """
    )
    await deliver.sweep(post.service.deps)
    assert len(await _queued(post)) == 1
    await post.service.as_owner("UPDATE deliveries SET next_at = now() - interval '2 minutes'")
    await deliver.sweep(post.service.deps)
    assert len(await _queued(post)) == 2, "what has an entry gets no second one"
    async with working(post.service):
        assert await post.ended(2) == {"sent": 2}
    assert await post.counts() == {ALI: 2}


async def _queued(post: Post) -> list[str]:
    rows = await post.service.pool.fetch(
        "SELECT payload FROM pgqueuer WHERE entrypoint = $1 ORDER BY id", entries.ENTRYPOINT
    )
    return [row["payload"].decode() for row in rows]


async def test_somebody_who_returns_while_nothing_is_under_way(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)

    async def come_and_go(connection: Connection) -> int:
        await reach.note_gone(connection, ALI, "blocked")
        await reach.note_gone(connection, ALI, "deactivated")
        return await reach.note_return(connection, ALI)

    assert await in_transaction(post.service.pool, come_and_go) == 0
    assert await reach.is_reachable(post.service.pool, ALI)
