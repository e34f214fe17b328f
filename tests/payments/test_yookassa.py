"""YooKassa from the link to the credits: notifications of every kind, lost ones, refunds."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import orjson
import pytest

from hamyon.payments.service import pending, send
from hamyon.payments.types import RefundId
from tests.fixtures.service import Answer, eventually
from tests.payments.conftest import Open
from tests.payments.till import Till

ALI, VALI = 101, 202


async def credited(shop: Till, payment_id: str, state: str = "paid") -> dict[str, Any]:
    """The payment when it has reached a state."""

    async def look() -> dict[str, Any] | None:
        payment = await shop.payment(payment_id)
        return payment if payment["state"] == state else None

    found: dict[str, Any] = await eventually(look)
    return found


async def due_now(shop: Till) -> None:
    """Let the time of every look come."""
    for table in ("payments", "refunds"):
        await shop.service.as_owner(
            f"UPDATE {table} SET check_at = now() - interval '1 s' WHERE check_at IS NOT NULL"
        )


async def notified(
    shop: Till, event: str, thing: dict[str, Any], address: str | None = None
) -> Answer:
    """A notification as somebody sends it; with ``address`` through a proxy that tells it."""
    headers = {} if address is None else {"X-Forwarded-For": address}
    body = {"type": "notification", "event": event, "object": thing}
    session = shop.service.api.session
    url = f"{shop.service.api.url}/payments/yookassa/notification"
    async with session.post(url, json=body, headers=headers) as answer:
        return Answer(answer.status, await answer.json(), answer.headers.copy())


async def test_from_the_link_to_the_credits(till: Open) -> None:
    shop = await till(webhooks=True)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI, "credits_5000")
    assert (opened["status"], opened["price"], opened["currency"]) == ("pending", "699.00", "RUB")
    assert await shop.available(ALI) == 0
    await shop.sandbox.pay(opened["payment_url"])
    payment = await credited(shop, opened["payment_id"])
    assert (payment["paid_minor"], payment["granted"]) == (69_900, 5250)
    assert await shop.available(ALI) == 5250
    seen = await shop.service.api.call("GET", f"/payments/{payment['id']}?telegram_id={ALI}")
    assert (seen.body["status"], seen.body["amount"]) == ("paid", 5250)
    foreign = await shop.service.api.call("GET", f"/payments/{payment['id']}?telegram_id={VALI}")
    assert (foreign.status, foreign.code) == (404, "payment_not_found")


async def test_a_lost_notification_loses_nothing(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    assert (await shop.payment(opened["payment_id"]))["state"] == "pending"
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    assert (await shop.payment(opened["payment_id"]))["state"] == "paid"
    assert await shop.available(ALI) == 1000


async def test_a_refused_card_cancels_and_a_later_success_credits(till: Open) -> None:
    """Only the vendor's word counts, and its last one."""
    shop = await till(webhooks=True)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"], action="refuse", reason="insufficient_funds")
    payment = await credited(shop, opened["payment_id"], "canceled")
    assert payment["cancel_reason"] == "insufficient_funds"
    assert await shop.available(ALI) == 0


async def test_an_unpaid_one_expires_at_the_vendor(till: Open) -> None:
    shop = await till(webhooks=True)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.vendor_settings("yookassa", clock_offset_s=3700)
    payment = await credited(shop, opened["payment_id"], "canceled")
    assert payment["cancel_reason"] == "expired_on_confirmation"


@pytest.mark.parametrize("copies", [1, 3])
async def test_every_order_of_events_ends_the_same(till: Open, copies: int) -> None:
    """Success, refund and a cancellation that never was, in every order, each several times."""
    shop = await till()
    await shop.service.person(ALI)
    for turn, order in enumerate(permutations(["succeeded", "refunded", "canceled"])):
        opened = await shop.checkout(ALI)
        await shop.sandbox.pay(opened["payment_url"])
        charge_id = await shop.external_id(opened["payment_id"])
        refund_id = await shop.sandbox.refund_by_hand(charge_id, "49.00")
        told = {
            "succeeded": ("payment.succeeded", {"id": charge_id, "status": "succeeded"}),
            "refunded": ("refund.succeeded", {"id": refund_id, "payment_id": charge_id}),
            "canceled": ("payment.canceled", {"id": charge_id, "status": "canceled"}),
        }
        await asyncio.gather(*(notified(shop, *told[name]) for name in order * copies))

        async def handled() -> bool:
            left = await shop.service.pool.fetchval(
                "SELECT count(*) FROM inbox WHERE handled_at IS NULL"
            )
            return bool(left == 0)

        await eventually(handled)
        payment = await shop.payment(opened["payment_id"])
        assert (payment["state"], payment["refunded_minor"]) == ("paid", 4900), order
        # 1000 credits for 149.00; 49.00 of it gone takes 328 of them, rounded down.
        assert (payment["granted"], payment["taken_back"]) == (1000, 328), order
        assert await shop.available(ALI) == 672 * (turn + 1)


async def test_strangers_cannot_notify(till: Open) -> None:
    """Only the vendor's addresses count, whatever a header says; and its word is checked anyway."""
    networks = ("185.71.76.0/27", "2a02:5180::/32")
    shop = await till(yookassa_notification_networks=networks)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    charge_id = await shop.external_id(opened["payment_id"])
    forged = {"id": charge_id, "status": "succeeded", "paid": True}
    for address in (None, "185.71.76.1", "127.0.0.1", "2a02:5180::1"):
        answer = await notified(shop, "payment.succeeded", forged, address)
        assert (answer.status, answer.code) == (404, "not_found"), address
    assert await shop.service.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_lie_from_the_right_address_credits_nothing(till: Open) -> None:
    """Behind a trusted proxy the address is believed; what the body says never is."""
    shop = await till(
        yookassa_notification_networks=("185.71.76.0/27",), trusted_proxies=("127.0.0.0/8",)
    )
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    charge_id = await shop.external_id(opened["payment_id"])
    lie = {"id": charge_id, "status": "succeeded", "amount": {"value": "149.00"}}
    assert (await notified(shop, "payment.succeeded", lie, "185.71.76.9")).status == 200
    assert (await notified(shop, "payment.succeeded", lie, "185.71.76.32")).status == 404
    unknown = {"id": "no-such-payment", "status": "succeeded"}
    assert (await notified(shop, "payment.succeeded", unknown, "185.71.76.9")).status == 200

    async def handled() -> bool:
        return not await shop.service.pool.fetchval(
            "SELECT count(*) FROM inbox WHERE handled_at IS NULL"
        )

    await eventually(handled)
    assert (await shop.payment(opened["payment_id"]))["state"] == "pending"
    assert await shop.available(ALI) == 0


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"amount": "148.99"}, "amount_differs"),
        ({"metadata": {"payment_id": str(UUID(int=7))}}, "only_theirs"),
        ({"metadata": {}}, "only_theirs"),
    ],
)
async def test_what_does_not_match_goes_to_operators(
    till: Open, changed: dict[str, Any], kind: str
) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.service.as_owner("UPDATE payments SET external_id = NULL, state = 'created'")
    planted = {
        "id": "2f3b588d-000f-5000-8000-1d6e87c7fbde",
        "amount": "149.00",
        "created_at": "2026-11-21T10:00:00Z",
        "metadata": {"payment_id": opened["payment_id"]},
    }
    await shop.sandbox.plant(planted | changed)
    await notified(shop, "payment.succeeded", {"id": planted["id"]})

    async def seen() -> list[str]:
        rows = await shop.service.pool.fetch("SELECT kind FROM payment_mismatches")
        return [row["kind"] for row in rows]

    assert await eventually(seen) == [kind]
    assert await shop.available(ALI) == 0


async def test_refunds_in_parts_and_of_what_was_spent(till: Open) -> None:
    """Parts add up to the whole exactly; what was spent becomes a debt."""
    shop = await till(webhooks=True)
    await shop.service.person(VALI)
    await shop.service.api.call(
        "POST", "/users/sync", {"telegram_id": ALI, "referral_code": f"ref_{VALI}"}
    )
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    await credited(shop, opened["payment_id"])
    assert await shop.available(VALI) == 100
    await shop.service.api.call(
        "POST",
        "/admin/credits",
        {"telegram_id": ALI, "amount": -900, "reason": "spent"},
        admin=True,
        headers={"Idempotency-Key": "spent"},
    )
    first = await shop.refund(opened["payment_id"], "a", 5000)
    assert (first.body["state"], first.body["refunded"]) == ("partially_refunded", 5000)
    assert (first.body["clawed_back"], first.body["debt"]) == (335, 235)
    assert await shop.available(VALI) == 100 - 33
    again = await shop.refund(opened["payment_id"], "a", 5000)
    assert again.body == first.body
    other = await shop.refund(opened["payment_id"], "a", 5001)
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    too_much = await shop.refund(opened["payment_id"], "b", 9901)
    assert (too_much.status, too_much.code) == (422, "payment_refund_too_large")
    rest = await shop.refund(opened["payment_id"], "c")
    assert (rest.body["state"], rest.body["refunded"]) == ("refunded", 14_900)
    assert (rest.body["clawed_back"], rest.body["debt"]) == (665, 665)
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, 900)
    assert await shop.available(VALI) == 0
    stats = await shop.sandbox.stats("yookassa")
    charge_id = await shop.external_id(opened["payment_id"])
    assert stats["refunded_minor"] == {charge_id: 14_900}


async def test_a_refund_that_the_vendor_does_not_make_gives_everything_back(till: Open) -> None:
    shop = await till()
    await shop.service.person(VALI)
    await shop.service.api.call(
        "POST", "/users/sync", {"telegram_id": ALI, "referral_code": f"ref_{VALI}"}
    )
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    await shop.sandbox.vendor_settings(
        "yookassa", refunds={"pending_s": 3600, "cancel_reason": "insufficient_funds"}
    )
    answer = await shop.refund(opened["payment_id"], "a")
    assert (answer.body["state"], answer.body["clawed_back"]) == ("refunding", 1000)
    assert (await shop.available(ALI), await shop.available(VALI)) == (0, 0)
    await shop.sandbox.vendor_settings("yookassa", clock_offset_s=4000)
    await due_now(shop)
    await send.sweep(shop.service.deps)
    assert (await shop.available(ALI), await shop.available(VALI)) == (1000, 100)
    assert (await shop.payment(opened["payment_id"]))["refunded_minor"] == 0


@pytest.mark.parametrize("fault", ["accepted_then_cut", "answer_truncated", "hang"])
async def test_an_unclear_refund_is_repeated_with_the_same_key(till: Open, fault: str) -> None:
    """The vendor did it, and its answer was lost: asked again it does nothing more."""
    shop = await till(yookassa_timeout_s=1.0)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    match = {"vendor": "yookassa", "operation": "create_refund", "times": 1}
    await shop.sandbox.fault(fault, match)
    answer = await shop.refund(opened["payment_id"], "a", 4900)
    assert (answer.status, answer.body["state"]) == (200, "refunding")
    await due_now(shop)
    await send.sweep(shop.service.deps)
    payment = await shop.payment(opened["payment_id"])
    assert (payment["refunded_minor"], payment["taken_back"]) == (4900, 328)
    stats = await shop.sandbox.stats("yookassa")
    assert stats["refunded_minor"] == {payment["external_id"]: 4900}


async def test_a_key_that_the_vendor_forgot_is_never_sent_again(till: Open) -> None:
    """After a day without an answer the refund is looked up first, and adopted when it is there."""
    shop = await till(yookassa_timeout_s=1.0)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    match = {"vendor": "yookassa", "operation": "create_refund", "times": 1}
    await shop.sandbox.fault("accepted_then_cut", match)
    await shop.refund(opened["payment_id"], "a", 4900)
    await shop.service.as_owner("UPDATE refunds SET vendor_key_at = now() - interval '30 hours'")
    await shop.sandbox.vendor_settings("yookassa", clock_offset_s=30 * 3600)
    (row,) = await shop.service.pool.fetch("SELECT id FROM refunds")
    refund = await send.send(shop.service.deps, RefundId(row["id"]))
    assert refund.state == "done"
    stats = await shop.sandbox.stats("yookassa")
    assert list(stats["refunded_minor"].values()) == [4900]  # type: ignore[attr-defined]  # JSON


@pytest.mark.parametrize("fault", ["accepted_then_cut", "hang", "status"])
async def test_an_unclear_opening_is_repeated_and_found(till: Open, fault: str) -> None:
    """The caller repeats his request and gets the same payment; the vendor made one."""
    shop = await till(yookassa_timeout_s=1.0)
    await shop.service.person(ALI)
    options = {"status": 500} if fault == "status" else {}
    await shop.sandbox.fault(
        fault, {"vendor": "yookassa", "operation": "create_payment", "times": 1}, **options
    )
    wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
    headers = {"Idempotency-Key": "k"}
    api = shop.service.api
    first = await api.call("POST", "/payments/checkout", wish, headers=headers)
    assert (first.status, first.code) == (503, "payment_unclear")
    second = await api.call("POST", "/payments/checkout", wish, headers=headers)
    assert second.status == 201, second.body
    assert second.body["payment_id"] == first.body["payment_id"]
    stats = await shop.sandbox.stats("yookassa")
    assert stats["payments"] == 1


async def test_an_unclear_opening_is_found_by_the_worker(till: Open) -> None:
    """Nobody repeats the request; the worker learns what became of it."""
    shop = await till(yookassa_timeout_s=1.0)
    await shop.service.person(ALI)
    match = {"vendor": "yookassa", "operation": "create_payment", "times": 1}
    await shop.sandbox.fault("accepted_then_cut", match)
    wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
    first = await shop.service.api.call("POST", "/payments/checkout", wish)
    assert first.status == 503
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    payment = await shop.payment(first.body["payment_id"])
    assert (payment["state"], payment["url"] is not None) == ("pending", True)
    assert (await shop.sandbox.stats("yookassa"))["payments"] == 1


async def test_an_old_unclear_opening_is_looked_up(till: Open) -> None:
    """The key is too old to be sent: what is there is adopted, what is not there is canceled."""
    shop = await till(yookassa_timeout_s=1.0)
    # They were opened a day ago, by both clocks.
    await shop.sandbox.vendor_settings("yookassa", clock_offset_s=-25 * 3600, unpaid_s=10**6)
    await shop.service.person(ALI)
    wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
    ids = []
    for fault in ("accepted_then_cut", "status"):
        match = {"vendor": "yookassa", "operation": "create_payment", "times": 1}
        options = {"status": 500} if fault == "status" else {}
        await shop.sandbox.fault(fault, match, **options)
        ids.append((await shop.service.api.call("POST", "/payments/checkout", wish)).body)
    await shop.service.as_owner("UPDATE payments SET vendor_key_at = now() - interval '25 hours'")
    await shop.sandbox.vendor_settings("yookassa", clock_offset_s=0)
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    states = Counter([(await shop.payment(one["payment_id"]))["state"] for one in ids])
    assert states == {"pending": 1, "canceled": 1}
    assert (await shop.sandbox.stats("yookassa"))["payments"] == 1


async def test_the_inbox_keeps_events_as_they_came(till: Open) -> None:
    shop = await till(webhooks=True)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    payment = await credited(shop, opened["payment_id"])
    rows = await shop.service.pool.fetch(
        "SELECT subject, body FROM inbox WHERE source = 'yookassa'"
    )
    assert [row["subject"] for row in rows] == [payment["external_id"]]
    assert orjson.loads(rows[0]["body"])["event"] == "payment.succeeded"
    assert payment["check_at"] is None
    assert payment["paid_at"] - payment["vendor_at"] < timedelta(minutes=1)
