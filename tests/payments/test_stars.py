"""Telegram Stars from the invoice to the credits, and every way in which a charge can be told."""

from __future__ import annotations

import asyncio

import pytest

from hamyon.payments.service import stars as stars_service
from hamyon.surfaces.bot.types import Invoices
from tests.payments.conftest import Open

ALI, VALI = 101, 202
RATES = [(70, 1000), (71, 1014), (140, 2000), (350, 5000), (1400, 20_000), (10_000, 142_857)]


@pytest.mark.parametrize(("stars", "bought"), RATES)
async def test_the_rate_is_the_same_in_both_directions(till: Open, stars: int, bought: int) -> None:
    """70 Stars are 1000 credits, rounded down, and a refund leaves exactly what was before."""
    shop = await till()
    await shop.service.person(ALI, 37)
    payment = await shop.bought_stars(ALI, stars)
    assert payment["granted"] == bought
    assert await shop.available(ALI) == 37 + bought
    answer = await shop.refund(str(payment["id"]), "whole")
    assert answer.status == 200, answer.body
    assert answer.body == {
        "payment_id": str(payment["id"]),
        "refunded": stars,
        "clawed_back": bought,
        "debt": 0,
        "state": "refunded",
    }
    assert await shop.available(ALI) == 37


async def test_a_charge_credits_once_however_often_it_is_told(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    answers = await asyncio.gather(*(shop.confirm(message) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert [answer.body["already_confirmed"] for answer in answers].count(False) == 1
    assert {answer.body["credits_added"] for answer in answers} == {1000}
    assert {answer.body["balance"] for answer in answers} == {1000}
    assert await shop.available(ALI) == 1000


async def test_a_second_charge_for_one_invoice_is_a_second_purchase(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    messages = [await shop.pay_stars(opened["invoice_link"], ALI) for _ in range(3)]
    answers = await asyncio.gather(*(shop.confirm(m) for m in messages for _ in range(4)))
    assert {answer.status for answer in answers} == {200}
    assert await shop.available(ALI) == 3000
    rows = await shop.service.pool.fetch("SELECT invoice_id FROM payments WHERE user_id = $1", ALI)
    assert sorted(str(row["invoice_id"]) for row in rows) == sorted(
        ["None", opened["payment_id"], opened["payment_id"]]
    )


async def test_whoever_pays_the_invoices_person_gets_the_credits(till: Open) -> None:
    """A link can be paid by anybody. The refund goes to the one who paid."""
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 140)
    message = await shop.pay_stars(opened["invoice_link"], VALI)
    answer = await shop.confirm(message)
    assert answer.status == 200, answer.body
    assert await shop.available(ALI) == 2000
    payment = await shop.payment(opened["payment_id"])
    assert payment["payer_id"] == VALI
    assert (await shop.refund(opened["payment_id"], "back")).body["state"] == "refunded"
    refunded = await shop.told(payment["external_id"], "refunded_payment")
    assert refunded["chat"]["id"] == VALI
    assert await shop.available(ALI) == 0


async def test_another_amount_credits_what_was_paid_and_is_flagged(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 140)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    answer = await shop.confirm(message, total_amount=71)
    assert answer.status == 200, answer.body
    assert answer.body["credits_added"] == 1014
    assert await shop.available(ALI) == 1014
    kinds = await shop.service.pool.fetch("SELECT kind, state FROM payment_mismatches")
    assert [tuple(row) for row in kinds] == [("amount_differs", "open")]


async def test_a_forged_payload_credits_nobody(till: Open) -> None:
    """Every byte of the signature counts, and so does the payment that it signs."""
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    genuine = message["successful_payment"]["invoice_payload"]
    forged = ["x", genuine[:-1], genuine + "0", genuine.upper(), "0" * len(genuine)]
    forged += [
        genuine[:at] + ("1" if genuine[at] != "1" else "2") + genuine[at + 1 :]
        for at in range(0, len(genuine), 7)
    ]
    for number, payload in enumerate(forged):
        answer = await shop.confirm(
            message, invoice_payload=payload, telegram_payment_charge_id=f"forged-{number}"
        )
        assert (answer.status, answer.code) == (422, "invoice_not_found"), payload
    assert await shop.available(ALI) == 0
    # Nothing is lost: operators see each of them, and the genuine one still counts.
    kept = await shop.service.pool.fetchval("SELECT count(*) FROM payment_mismatches")
    assert kept == len(forged)
    assert (await shop.confirm(message)).body["credits_added"] == 1000


async def test_what_is_no_confirmation_changes_nothing(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    for changed in (
        {"currency": "RUB"},
        {"total_amount": 0},
        {"total_amount": -70},
        {"total_amount": None},
        {"stars": 71},
        {"total_amount": 2**63},
        {"telegram_payment_charge_id": ""},
        {"telegram_id": 0},
        {"surprise": 1},
    ):
        answer = await shop.confirm(message, **changed)
        assert answer.status == 422, (changed, answer.body)
    assert await shop.available(ALI) == 0
    assert await shop.service.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_options_say_what_an_invoice_takes(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    answer = await shop.service.api.call("GET", "/payments/stars/options")
    assert answer.body == {
        "enabled": True,
        "min": 70,
        "max": 10_000,
        "rate": {"stars": 70, "credits": 1000},
        "presets": [
            {"stars": 70, "credits": 1000},
            {"stars": 140, "credits": 2000},
            {"stars": 210, "credits": 3000},
            {"stars": 350, "credits": 5000},
            {"stars": 700, "credits": 10_000},
            {"stars": 1400, "credits": 20_000},
        ],
    }
    for stars in (1, 69, 10_001):
        refused = await shop.service.api.call(
            "POST", "/payments/stars/invoice", {"telegram_id": ALI, "stars": stars}
        )
        assert (refused.status, refused.code) == (422, "stars_out_of_range")
    assert await shop.service.pool.fetchval("SELECT count(*) FROM payments") == 0


async def test_operators_see_what_a_person_paid_and_what_came_in(till: Open) -> None:
    shop = await till()
    for user_id in (ALI, VALI):
        await shop.service.person(user_id)
    mine = await shop.bought_stars(ALI, 140)
    await shop.bought_stars(VALI, 70)
    await shop.refund(str(mine["id"]), "r")
    seen = await shop.service.api.call("GET", f"/admin/users/{ALI}", admin=True)
    (payment,) = seen.body["payments"]
    assert (payment["id"], payment["state"], payment["paid_minor"]) == (
        str(mine["id"]), "refunded", 140,
    )  # fmt: skip
    stats = await shop.service.api.call("GET", "/admin/stats", admin=True)
    assert stats.body["revenue"] == {"XTR": 70}


async def test_a_blocked_person_buys_nothing_and_still_gets_what_was_paid(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    await shop.service.api.call(
        "POST", f"/admin/users/{ALI}/block", {"reason": "a test"}, admin=True
    )
    wish = {"telegram_id": ALI, "stars": 70}
    refused = await shop.service.api.call("POST", "/payments/stars/invoice", wish)
    assert (refused.status, refused.code) == (403, "user_blocked")
    payload = message["successful_payment"]["invoice_payload"]
    invoices = shop.service.deps.gateways["stars"]
    assert isinstance(invoices, Invoices)
    payment_id = invoices.invoice_of(payload)
    assert payment_id is not None
    answer = await stars_service.may_pay(shop.service.deps, payment_id, 70, "XTR", "en")
    assert answer is not None
    assert (await shop.confirm(message)).body["credits_added"] == 1000


async def test_revivals_are_sold_by_their_package(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 100, asset="revival")
    await shop.confirm(await shop.pay_stars(opened["invoice_link"], ALI))
    assert await shop.available(ALI, "revival") == 5
    assert await shop.available(ALI) == 0
    refused = await shop.service.api.call(
        "POST",
        "/payments/stars/invoice",
        {"telegram_id": ALI, "stars": 99, "asset": "revival"},
    )
    assert (refused.status, refused.code) == (404, "package_not_found")


async def test_spent_credits_come_back_as_a_debt_which_the_next_deposit_pays(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    payment = await shop.bought_stars(ALI, 70)
    await shop.service.api.call(
        "POST",
        "/admin/credits",
        {"telegram_id": ALI, "amount": -400, "reason": "spent"},
        admin=True,
        headers={"Idempotency-Key": "spent"},
    )
    answer = await shop.refund(str(payment["id"]), "whole")
    assert (answer.body["clawed_back"], answer.body["debt"]) == (1000, 400)
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, 400)
    await shop.bought_stars(ALI, 70)
    assert (await shop.available(ALI), await shop.debt(ALI)) == (600, 0)


async def test_the_referrer_gets_a_tenth_rounded_up_and_gives_it_back(till: Open) -> None:
    shop = await till()
    await shop.service.person(VALI)
    invited = {"telegram_id": ALI, "referral_code": f"ref_{VALI}"}
    assert (await shop.service.api.call("POST", "/users/sync", invited)).status == 200
    payment = await shop.bought_stars(ALI, 71)
    assert await shop.available(VALI) == 102  # a tenth of 1014, rounded up
    await shop.refund(str(payment["id"]), "whole")
    assert (await shop.available(ALI), await shop.available(VALI)) == (0, 0)


async def test_the_same_request_opens_the_same_invoice(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    headers = {"Idempotency-Key": "one"}
    wish = {"telegram_id": ALI, "stars": 70}
    answers = await asyncio.gather(
        *(
            shop.service.api.call("POST", "/payments/stars/invoice", wish, headers=headers)
            for _ in range(20)
        )
    )
    assert len({answer.body["payment_id"] for answer in answers}) == 1
    other = await shop.service.api.call(
        "POST", "/payments/stars/invoice", wish | {"stars": 71}, headers=headers
    )
    assert (other.status, other.code) == (409, "idempotency_mismatch")
