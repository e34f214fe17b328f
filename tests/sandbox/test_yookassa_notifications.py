"""Notifications of the simulated YooKassa: events, repeats, and what goes wrong with them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import Hook, Hooks
from tests.sandbox.yookassa_shop import Shop, eventually

HOUR_S = 3600
NOTIFICATION = {"vendor": "yookassa", "operation": "notification"}


def _told(hook: Hook) -> tuple[str, str, str]:
    """Event, id and status."""
    body = orjson.loads(hook.body)
    assert body["type"] == "notification"
    assert set(body) == {"type", "event", "object"}
    return body["event"], body["object"]["id"], body["object"]["status"]


def _events(hooks: Hooks) -> list[str]:
    return [_told(hook)[0] for hook in hooks.received]


@pytest.fixture
async def told(shop: Shop, hooks: Hooks) -> Hooks:
    """A receiver that the shop has named in its cabinet."""
    await shop.settings(notification_url=hooks.url)
    return hooks


async def _counted(shop: Shop, name: str, count: int) -> Any:
    async def read() -> Any:
        return (await shop.stats())["notifications"]

    return await eventually(read, is_so=lambda counts: counts.get(name, 0) >= count)


async def test_a_success_is_told_with_the_whole_payment(shop: Shop, told: Hooks) -> None:
    payment = await shop.paid(metadata={"payment_id": "7"})
    hook = (await told.wait_for(1))[0]
    assert _told(hook) == ("payment.succeeded", payment["id"], "succeeded")
    assert orjson.loads(hook.body)["object"] == payment
    assert hook.headers["content-type"] == "application/json"
    counts = await _counted(shop, "answered", 1)
    assert counts == {"sent": 1, "answered": 1, "failed": 0, "lost": 0}


async def test_every_event(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    refused = await shop.make()
    await shop.pay(refused, action="refuse", reason="call_issuer")
    assert _told((await told.wait_for(1))[0]) == ("payment.canceled", refused["id"], "canceled")
    held = await shop.paid(capture=False)
    await told.wait_for(2)
    await shop.call("POST", f"/payments/{held['id']}/capture")
    await told.wait_for(3)
    refund = (await shop.refund(held["id"], "10.00")).body
    await told.wait_for(4)
    by_hand = await sandbox.refund_by_hand(held["id"], "20.00")
    await told.wait_for(5)
    assert [_told(hook) for hook in told.received[1:]] == [
        ("payment.waiting_for_capture", held["id"], "waiting_for_capture"),
        ("payment.succeeded", held["id"], "succeeded"),
        ("refund.succeeded", refund["id"], "succeeded"),
        ("refund.succeeded", by_hand, "succeeded"),
    ]
    assert orjson.loads(told.received[3].body)["object"] == refund


async def test_an_unpaid_payment_ends_although_nobody_asks(shop: Shop, told: Hooks) -> None:
    await shop.settings(unpaid_s=1)
    payment = await shop.make()
    assert _told((await told.wait_for(1))[0]) == ("payment.canceled", payment["id"], "canceled")


async def test_the_clock_ends_it(shop: Shop, told: Hooks) -> None:
    payment = await shop.make()
    await shop.settings(clock_offset_s=HOUR_S + 1)
    details = orjson.loads((await told.wait_for(1))[0].body)["object"]["cancellation_details"]
    assert details == {"party": "yoo_money", "reason": "expired_on_confirmation"}
    assert payment["status"] == "pending"


async def test_a_canceled_refund_is_not_told(shop: Shop, told: Hooks) -> None:
    payment = await shop.paid()
    await shop.settings(refunds={"pending_s": 60, "cancel_reason": "insufficient_funds"})
    await shop.refund(payment["id"], "10.00")
    await shop.settings(clock_offset_s=61, refunds={"pending_s": 120, "cancel_reason": None})
    await shop.refund(payment["id"], "20.00")
    await shop.settings(clock_offset_s=200)
    hook = (await told.wait_for(2))[1]
    assert orjson.loads(hook.body)["object"]["amount"]["value"] == "20.00"
    assert _events(told) == ["payment.succeeded", "refund.succeeded"]


async def test_nobody_is_told_without_an_address(shop: Shop) -> None:
    await shop.paid()
    assert (await shop.stats())["notifications"]["without_address"] == 1


async def test_only_200_is_an_answer(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"retry_delays_s": [0.01, 0.01, 0.01, 0.01]})
    told.statuses = [500, 302, 201, 204]
    await shop.paid()
    received = await told.wait_for(5)
    assert len({hook.body for hook in received}) == 1
    counts = await _counted(shop, "answered", 1)
    assert (counts["sent"], counts["failed"]) == (5, 4)


async def test_it_is_given_up(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"retry_delays_s": [0.01]})
    told.statuses = [500, 500]
    await shop.paid()
    counts = await _counted(shop, "given_up", 1)
    assert (counts["sent"], counts["answered"]) == (2, 0)


async def test_nobody_listens(shop: Shop) -> None:
    await shop.settings(
        notification_url="http://127.0.0.1:1/", notifications={"retry_delays_s": []}
    )
    await shop.paid()
    assert (await _counted(shop, "given_up", 1))["failed"] == 1


async def test_lost_by_rule(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    await sandbox.fault("webhook_lost", {"vendor": "yookassa", "prompt_contains": "lost"})
    await shop.paid(description="lost")
    found = await shop.paid(description="found")
    assert _told((await told.wait_for(1))[0])[1] == found["id"]
    assert (await _counted(shop, "lost", 1))["sent"] == 1


async def test_lost_by_event(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    await sandbox.fault("webhook_lost", NOTIFICATION | {"model": "payment.succeeded"})
    payment = await shop.paid()
    await shop.refund(payment["id"], "10.00")
    await told.wait_for(1)
    assert _events(told) == ["refund.succeeded"]


async def test_a_rule_about_something_else_does_not_see_it(
    shop: Shop, told: Hooks, sandbox: Sandbox
) -> None:
    match = {"vendor": "yookassa"}
    await sandbox.fault("nsfw", match)
    await sandbox.fault("latency", match, seconds=0)
    await shop.paid()  # Three calls: create, pay, look.
    await told.wait_for(1)
    async with shop.session.get("/_control/faults") as answer:
        assert [rule["seen"] for rule in (await answer.json())["rules"]] == [0, 3]


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("latency", "notification"),
        ("nsfw", "notification"),
        ("output_404", "notification"),
        ("webhook_lost", "create_payment"),
    ],
)
async def test_a_rule_without_sense(shop: Shop, kind: str, operation: str) -> None:
    rule = {"match": {"operation": operation}, "fault": {"kind": kind}}
    async with shop.session.post("/_control/faults", json=[rule]) as answer:
        assert answer.status == 400


async def test_all_lost(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"enabled": False})
    await shop.paid()
    assert (await _counted(shop, "lost", 1))["sent"] == 0
    assert not told.received


async def test_late(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    await sandbox.fault("webhook_late", NOTIFICATION | {"times": 1}, seconds=1)
    late = await shop.paid()
    soon = await shop.paid()
    received = await told.wait_for(2)
    assert [_told(hook)[1] for hook in received] == [soon["id"], late["id"]]


@pytest.mark.parametrize("by_rule", [False, True])
async def test_duplicates(shop: Shop, told: Hooks, sandbox: Sandbox, *, by_rule: bool) -> None:
    if by_rule:
        await sandbox.fault("webhook_duplicate", NOTIFICATION, copies=3, seconds=0)
    else:
        await shop.settings(notifications={"copies": 3})
    await shop.paid()
    received = await told.wait_for(3)
    assert len({hook.body for hook in received}) == 1


async def test_in_reverse(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"hold": 3})
    payment = await shop.paid(capture=False)
    await shop.call("POST", f"/payments/{payment['id']}/capture")
    assert not told.received
    await shop.refund(payment["id"], "10.00")
    await told.wait_for(3)
    assert _events(told) == [
        "refund.succeeded",
        "payment.succeeded",
        "payment.waiting_for_capture",
    ]


async def test_shuffled_from_a_seed(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    async def run(seed: int) -> list[str]:
        told.received.clear()
        await sandbox.settings(seed=seed)
        await shop.settings(notifications={"hold": 6, "order": "shuffle"})
        for number in range(6):
            await shop.paid(description=str(number))
        await told.wait_for(6)
        return [orjson.loads(hook.body)["object"]["description"] for hook in told.received]

    first = await run(5)
    assert sorted(first) == list("012345")
    assert await run(5) == first
    assert await run(6) != first


async def test_what_is_held_leaves_when_holding_ends(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"hold": 100})
    await shop.paid()
    assert not told.received
    await shop.settings(notifications={"hold": 0})
    await told.wait_for(1)


async def test_it_may_lie(shop: Shop, told: Hooks) -> None:
    """As in the vendor's own example: the event says one thing and the object another."""
    await shop.settings(notifications={"reported_status": "waiting_for_capture"})
    payment = await shop.paid()
    expected = ("payment.succeeded", payment["id"], "waiting_for_capture")
    assert _told((await told.wait_for(1))[0]) == expected
    assert payment["status"] == "succeeded"


async def test_before_the_answer(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    payment = await shop.paid()
    await told.wait_for(1)
    await sandbox.fault("webhook_before_answer", NOTIFICATION)
    refund = (await shop.refund(payment["id"], "10.00")).body
    assert len(told.received) == 2
    assert _told(told.received[1])[1] == refund["id"]


async def test_work_that_was_done_is_told_although_its_answer_is_lost(
    shop: Shop, told: Hooks, sandbox: Sandbox
) -> None:
    payment = await shop.paid()
    match = {"vendor": "yookassa", "operation": "create_refund"}
    await sandbox.fault("accepted_then_cut", match)
    with pytest.raises(OSError):  # aiohttp's connection errors are OSErrors.
        await shop.refund(payment["id"], "10.00")
    await told.wait_for(2)
    assert _events(told) == ["payment.succeeded", "refund.succeeded"]


async def test_a_proxy_tells_where_it_came_from(shop: Shop, told: Hooks) -> None:
    await shop.settings(notifications={"forwarded_for": "185.71.76.5"})
    await shop.paid()
    assert (await told.wait_for(1))[0].headers["x-forwarded-for"] == "185.71.76.5"


async def test_a_reset_stops_what_is_on_its_way(shop: Shop, told: Hooks, sandbox: Sandbox) -> None:
    await shop.settings(notifications={"delay_s": 0.3})
    await shop.paid()
    await sandbox.reset()
    await shop.settings(notification_url=told.url, notifications={"delay_s": 0.6})
    after = await shop.paid()
    assert _told((await told.wait_for(1))[0])[1] == after["id"]
    await asyncio.sleep(0)
    assert len(told.received) == 1
