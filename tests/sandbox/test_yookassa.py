"""The simulated YooKassa does what is documented: payments, refunds, the page to pay on."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.yookassa_shop import RETURN_URL, Shop

HOUR_S = 3600
ALWAYS = {"id", "status", "amount", "created_at", "paid", "refundable", "test", "recipient"}


def _rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


async def _text(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


# --- payments ---------------------------------------------------------------------------------


async def test_a_new_payment(shop: Shop) -> None:
    payment = await shop.make("200.00", description="1000 credits", metadata={"payment_id": "7"})
    assert set(payment) >= ALWAYS
    assert (payment["status"], payment["paid"], payment["refundable"]) == ("pending", False, False)
    assert payment["amount"] == _rub("200.00")
    assert payment["metadata"] == {"payment_id": "7"}
    assert payment["description"] == "1000 credits"
    assert payment["recipient"] == {"account_id": "100500", "gateway_id": "100700"}
    assert payment["test"] is True
    assert payment["confirmation"] == {
        "type": "redirect",
        "return_url": RETURN_URL,
        "confirmation_url": f"{shop.sandbox.url}/yookassa/checkout/{payment['id']}",
    }
    assert re.fullmatch(r"[0-9a-f]{8}-000f-5000-8000-[0-9a-f]{12}", payment["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", payment["created_at"])
    assert not {"captured_at", "payment_method", "income_amount", "expires_at"} & set(payment)
    assert await shop.payment(payment["id"]) == payment


async def test_a_payment_that_is_paid(shop: Shop) -> None:
    payment = await shop.make("200.00")
    assert await shop.pay(payment) == RETURN_URL
    paid = await shop.payment(payment["id"])
    assert (paid["status"], paid["paid"], paid["refundable"]) == ("succeeded", True, True)
    assert paid["captured_at"] >= paid["created_at"]
    assert paid["income_amount"] == _rub("193.00")
    assert paid["refunded_amount"] == _rub("0.00")
    assert paid["payment_method"]["type"] == "bank_card"
    assert paid["payment_method"]["card"]["last4"] == "4444"
    assert "confirmation" not in paid


async def test_two_stages(shop: Shop) -> None:
    payment = await shop.paid(capture=False)
    assert (payment["status"], payment["paid"]) == ("waiting_for_capture", True)
    assert payment["refundable"] is False
    left = datetime.fromisoformat(payment["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6) < left < timedelta(days=8)
    answer = await shop.call("POST", f"/payments/{payment['id']}/capture")
    assert answer.status == 200
    assert answer.body["status"] == "succeeded"
    assert answer.body["amount"] == _rub("100.00")
    assert "expires_at" not in answer.body


async def test_a_part_is_captured(shop: Shop) -> None:
    payment = await shop.paid(capture=False)
    path = f"/payments/{payment['id']}/capture"
    assert (await shop.call("POST", path, {"amount": _rub("100.01")})).status == 400
    answer = await shop.call("POST", path, {"amount": _rub("30.00")})
    assert answer.body["amount"] == _rub("30.00")
    assert (await shop.refund(payment["id"], "30.01")).status == 400
    assert (await shop.refund(payment["id"], "30.00")).status == 200


async def test_the_shop_gives_held_money_back(shop: Shop) -> None:
    payment = await shop.paid(capture=False)
    answer = await shop.call("POST", f"/payments/{payment['id']}/cancel")
    assert (answer.body["status"], answer.body["paid"]) == ("canceled", False)
    details = {"party": "merchant", "reason": "canceled_by_merchant"}
    assert answer.body["cancellation_details"] == details


@pytest.mark.parametrize("capture", [True, False])
@pytest.mark.parametrize("step", ["capture", "cancel"])
async def test_steps_out_of_turn(shop: Shop, step: str, *, capture: bool) -> None:
    payment = await shop.make(capture=capture)
    answer = await shop.call("POST", f"/payments/{payment['id']}/{step}")
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert (await shop.payment(payment["id"]))["status"] == "pending"


async def test_nobody_pays_for_an_hour(shop: Shop) -> None:
    payment = await shop.make()
    await shop.settings(clock_offset_s=HOUR_S - 60)
    assert (await shop.payment(payment["id"]))["status"] == "pending"
    await shop.settings(clock_offset_s=HOUR_S + 1)
    canceled = await shop.payment(payment["id"])
    assert canceled["status"] == "canceled"
    details = {"party": "yoo_money", "reason": "expired_on_confirmation"}
    assert canceled["cancellation_details"] == details
    await shop.pay(payment, expected=409)


async def test_nobody_captures_for_a_week(shop: Shop) -> None:
    payment = await shop.paid(capture=False)
    await shop.settings(clock_offset_s=7 * 24 * HOUR_S + 1)
    reason = (await shop.payment(payment["id"]))["cancellation_details"]["reason"]
    assert reason == "expired_on_capture"


async def test_a_paid_payment_does_not_expire(shop: Shop) -> None:
    payment = await shop.paid()
    await shop.settings(clock_offset_s=9 * 24 * HOUR_S)
    assert (await shop.payment(payment["id"]))["status"] == "succeeded"


async def test_a_receipt(shop: Shop) -> None:
    item = {"description": "Credits", "quantity": "2.00", "amount": _rub("50.00"), "vat_code": 1}
    receipt = {"customer": {"email": "a@example.com"}, "items": [item], "tax_system_code": 1}
    payment = await shop.make(receipt=receipt)
    assert payment["receipt_registration"] == "pending"
    await shop.pay(payment)
    assert (await shop.payment(payment["id"]))["receipt_registration"] == "succeeded"


async def test_a_wallet(shop: Shop) -> None:
    paid = await shop.paid(payment_method_data={"type": "yoo_money"})
    assert paid["payment_method"]["type"] == "yoo_money"
    assert "card" not in paid["payment_method"]


async def test_the_shop_itself(shop: Shop) -> None:
    answer = await shop.call("GET", "/me")
    assert answer.body["account_id"] == "100500"
    assert answer.body["payment_methods"] == ["bank_card", "yoo_money"]


# --- the page to pay on -----------------------------------------------------------------------


async def test_the_page_shows_what_is_paid_for(shop: Shop) -> None:
    await shop.settings(shop_name="Hearts & <Co>")
    payment = await shop.make("1234.50", description="<script>alert(1)</script> & more")
    status, page = await _text(payment["confirmation"]["confirmation_url"])
    assert status == 200
    assert "sandbox" in page
    assert "Hearts &amp; &lt;Co&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<script" not in page
    assert "1\u00a0234.50\u00a0₽" in page
    assert 'href="https://t.me/shop_bot?start=paid"' in page
    assert "insufficient_funds" in page
    assert "http" not in page.replace(RETURN_URL, "")


async def test_a_return_url_cannot_leave_its_attribute(shop: Shop) -> None:
    confirmation = {"type": "redirect", "return_url": 'https://a.example/"><script>x</script>'}
    payment = await shop.make(confirmation=confirmation)
    _, page = await _text(payment["confirmation"]["confirmation_url"])
    assert "<script" not in page


@pytest.mark.parametrize(
    ("reason", "party"),
    [("insufficient_funds", "payment_network"), ("country_forbidden", "yoo_money")],
)
async def test_a_refused_card(shop: Shop, reason: str, party: str) -> None:
    payment = await shop.make()
    assert await shop.pay(payment, action="refuse", reason=reason) == RETURN_URL
    canceled = await shop.payment(payment["id"])
    assert (canceled["status"], canceled["paid"]) == ("canceled", False)
    assert canceled["cancellation_details"] == {"party": party, "reason": reason}


async def test_the_page_of_a_payment_that_is_over(shop: Shop) -> None:
    paid, refused, waiting = await shop.make(), await shop.make(), await shop.make(capture=False)
    await shop.pay(paid)
    await shop.pay(refused, action="refuse", reason="card_expired")
    await shop.pay(waiting)
    for payment, said in (
        (paid, "paid already"),
        (refused, "card expired"),
        (waiting, "paid already"),
    ):
        status, page = await _text(payment["confirmation"]["confirmation_url"])
        assert (status, said in page, "<form" in page) == (200, True, False)
        await shop.pay(payment, expected=409)
    assert (await shop.stats())["succeeded"] == 1


async def test_a_page_of_nothing(shop: Shop) -> None:
    status, page = await _text(f"{shop.sandbox.url}/yookassa/checkout/none")
    assert (status, "no such payment" in page) == (404, True)
    payment = await shop.make()
    await shop.pay(payment, expected=400, action="steal")
    await shop.pay(payment, expected=400, action="refuse", reason="bad_mood")
    assert (await shop.payment(payment["id"]))["status"] == "pending"


# --- refunds ----------------------------------------------------------------------------------


async def test_a_whole_refund(shop: Shop, sandbox: Sandbox) -> None:
    payment = await shop.paid("100.00")
    answer = await shop.refund(
        payment["id"], "100.00", description="sorry", metadata={"refund_id": "5"}
    )
    refund = answer.body
    assert (answer.status, refund["status"]) == (200, "succeeded")
    assert (refund["payment_id"], refund["amount"]) == (payment["id"], _rub("100.00"))
    assert (refund["description"], refund["metadata"]) == ("sorry", {"refund_id": "5"})
    assert len(refund["id"]) == 36
    assert (await shop.call("GET", f"/refunds/{refund['id']}")).body == refund
    after = await shop.payment(payment["id"])
    assert (after["status"], after["refundable"]) == ("succeeded", False)
    assert after["refunded_amount"] == _rub("100.00")
    stats = await shop.stats()
    assert (stats["refunds"], stats["refunded_minor"]) == (1, {payment["id"]: 10_000})
    assert "refunded_minor" not in await sandbox.stats("yookassa", brief=True)


async def test_parts_add_up_to_the_payment_and_not_more(shop: Shop) -> None:
    payment = await shop.paid("100.00")
    assert (await shop.refund(payment["id"], "60.00")).status == 200
    assert (await shop.refund(payment["id"], "40.01")).status == 400
    assert (await shop.refund(payment["id"], "40.00")).status == 200
    assert (await shop.refund(payment["id"], "1.00")).status == 400
    assert (await shop.stats())["refunded_minor"] == {payment["id"]: 10_000}


async def test_refunds_at_once_do_not_exceed_the_payment(shop: Shop) -> None:
    payment = await shop.paid("100.00")
    answers = await asyncio.gather(*(shop.refund(payment["id"], "30.00") for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 7
    assert (await shop.stats())["sums_minor"]["refunded"] == 9_000


@pytest.mark.parametrize("reason", [None, "insufficient_funds"])
async def test_a_refund_takes_its_time(shop: Shop, reason: str | None) -> None:
    await shop.settings(refunds={"pending_s": 600, "cancel_reason": reason})
    payment = await shop.paid("100.00")
    refund = (await shop.refund(payment["id"], "100.00")).body
    assert refund["status"] == "pending"
    assert (await shop.payment(payment["id"]))["refunded_amount"] == _rub("0.00")
    assert (await shop.refund(payment["id"], "1.00")).status == 400
    await shop.settings(clock_offset_s=601)
    after = (await shop.call("GET", f"/refunds/{refund['id']}")).body
    if reason is None:
        assert after["status"] == "succeeded"
        assert (await shop.payment(payment["id"]))["refunded_amount"] == _rub("100.00")
    else:
        assert after["status"] == "canceled"
        assert after["cancellation_details"] == {"party": "yoo_money", "reason": reason}
        await shop.settings(refunds={"pending_s": 0, "cancel_reason": None})
        assert (await shop.refund(payment["id"], "100.00")).status == 200


async def test_a_refund_that_is_refused_at_once(shop: Shop) -> None:
    await shop.settings(refunds={"cancel_reason": "rejected_by_payee"})
    payment = await shop.paid()
    refund = (await shop.refund(payment["id"], "100.00")).body
    assert refund["status"] == "canceled"
    details = {"party": "payment_network", "reason": "rejected_by_payee"}
    assert refund["cancellation_details"] == details
    assert (await shop.stats())["refunded_minor"] == {}


async def test_a_refund_by_hand(shop: Shop, sandbox: Sandbox) -> None:
    payment = await shop.paid("100.00")
    refund_id = await sandbox.refund_by_hand(payment["id"], "25.00")
    refund = (await shop.call("GET", f"/refunds/{refund_id}")).body
    assert (refund["status"], refund["amount"]) == ("succeeded", _rub("25.00"))
    assert "metadata" not in refund
    form = {"payment_id": payment["id"], "amount": "75.01"}
    async with shop.session.post("/yookassa/cabinet/refund", data=form) as answer:
        assert answer.status == 400
    async with shop.session.post(
        "/yookassa/cabinet/refund", data=form | {"amount": "75"}
    ) as answer:
        assert (await answer.json())["parameter"] == "amount.value"


# --- what it tells about itself ---------------------------------------------------------------


async def test_the_witness_names_what_was_made_twice(shop: Shop) -> None:
    for ours in ("once", "twice", "twice"):
        await shop.make(metadata={"payment_id": ours})
    stats = await shop.stats()
    assert stats["payments"] == 3
    assert stats["sums_minor"] == {"created": 30_000, "succeeded": 0, "refunded": 0}
    assert stats["repeated_metadata"] == {'{"payment_id":"twice"}': 2}
    assert stats["requests"] == {"create_payment": 3}
    assert stats["answers"] == {"create_payment 200": 3}


async def test_reset(shop: Shop, sandbox: Sandbox) -> None:
    await shop.settings(shop_name="Other", notifications={"delay_s": 3})
    payment = await shop.make()
    await sandbox.reset()
    assert (await shop.call("GET", f"/payments/{payment['id']}")).status == 404
    stats = await shop.stats()
    assert (stats["payments"], stats["in_memory"]["payments"]) == (0, {})
    async with shop.session.get("/_control/settings") as answer:
        settings = (await answer.json())["yookassa"]
    assert (settings["shop_name"], settings["notifications"]["delay_s"]) == ("Sandbox shop", 0)
