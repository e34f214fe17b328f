"""Taking money: each answer and each accident ends in exactly one outcome, and one payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from aiohttp import web

from hamyon.kit.clock import MovedClock
from hamyon.kit.http import HttpClient
from hamyon.kit.ids import new_id
from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Declined,
    GatewayParts,
    Offer,
    Opened,
    PaymentId,
    Unclear,
)
from hamyon.providers.yookassa.gateway import PAGES_MAX, YooKassaGateway, gateway
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.yookassa.accidents import LOST_ANSWERS, NEVER_ARRIVED, REFUSALS
from tests.providers.yookassa.wishes import NOBODY, gateway_of, offer, settings_of

HOUR = timedelta(hours=1)


async def opened(gateway: YooKassaGateway, wanted: Offer) -> Opened:
    outcome = await gateway.open(wanted)
    assert isinstance(outcome, Opened), outcome
    return outcome


async def charge_at(gateway: YooKassaGateway, external_id: str | None) -> Charge:
    facts = await gateway.truth(external_id or "", [])
    assert not isinstance(facts, Unclear), facts
    (charge,) = facts
    assert isinstance(charge, Charge)
    return charge


async def made(sandbox: Sandbox) -> object:
    return (await sandbox.stats("yookassa"))["payments"]


async def test_from_an_offer_to_a_paid_charge(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), offer(14_905)
    place = await opened(gateway, wanted)
    assert place.url == f"{sandbox.url}/yookassa/checkout/{place.external_id}"
    pending = await charge_at(gateway, place.external_id)
    assert pending.state is ChargeState.PENDING
    assert await sandbox.pay(place.url) == "https://t.me/hamyon_bot"
    paid = await charge_at(gateway, place.external_id)
    assert paid == Charge(
        external_id=str(place.external_id),
        state=ChargeState.PAID,
        amount_minor=14_905,
        currency="RUB",
        at=pending.at,
        payment_id=wanted.payment_id,
    )
    assert paid.at == place.at
    assert await gateway.find(wanted.payment_id, MovedClock().now() - HOUR) == paid
    assert await gateway.find(PaymentId(new_id()), MovedClock().now() - HOUR) is None


async def test_one_key_is_one_payment(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), offer()
    first = await opened(gateway, wanted)
    assert await opened(gateway, wanted) == first
    assert await made(sandbox) == 1


@pytest.mark.parametrize("accident", LOST_ANSWERS)
async def test_done_and_not_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway = gateway_of(http, sandbox.url, yookassa_timeout_s=1.5)
    wanted = offer()
    await sandbox.faults({"match": {"operation": "create_payment", "nth": 1}, "fault": accident})
    assert isinstance(await gateway.open(wanted), Unclear)
    found = await gateway.find(wanted.payment_id, MovedClock().now() - HOUR)
    assert isinstance(found, Charge)
    again = await opened(gateway, wanted)
    assert again.external_id == found.external_id
    assert await made(sandbox) == 1


@pytest.mark.parametrize("accident", NEVER_ARRIVED)
async def test_nothing_done_and_nothing_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), offer()
    await sandbox.faults({"match": {"operation": "create_payment"}, "fault": accident})
    assert isinstance(await gateway.open(wanted), Unclear)
    assert await gateway.find(wanted.payment_id, MovedClock().now() - HOUR) is None
    await sandbox.clear_faults()
    await opened(gateway, wanted)
    assert await made(sandbox) == 1


async def test_nobody_there(http: HttpClient) -> None:
    gateway = gateway_of(http, NOBODY)
    now = MovedClock().now()
    assert isinstance(await gateway.open(offer()), Unclear)
    assert isinstance(await gateway.find(PaymentId(new_id()), now), Unclear)
    assert isinstance(await gateway.truth("2f3b588d", []), Unclear)
    assert isinstance(await gateway.books(now - HOUR, now, None), Unclear)


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_refusals(http: HttpClient, sandbox: Sandbox, status: int, code: str) -> None:
    gateway = gateway_of(http, sandbox.url)
    await sandbox.fault("status", {"operation": "create_payment"}, status=status, message="No way")
    outcome = await gateway.open(offer())
    assert isinstance(outcome, Declined)
    assert outcome.code == code
    assert outcome.message.endswith("No way")
    assert ("shop's key is refused" in outcome.message) is (status in {401, 403})


async def test_a_wrong_key(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url, yookassa_secret_key="another")
    now = MovedClock().now()
    outcome = await gateway.open(offer())
    assert isinstance(outcome, Declined)
    assert outcome.code == "invalid_credentials"
    assert "another" not in outcome.message
    for question in (
        gateway.find(PaymentId(new_id()), now),
        gateway.truth("2f3b588d", []),
        gateway.books(now - HOUR, now, None),
    ):
        answer = await question
        assert isinstance(answer, Unclear)
        assert "shop's key is refused" in answer.reason


async def test_the_vendor_refuses_what_it_would_not_take(
    http: HttpClient, sandbox: Sandbox
) -> None:
    await sandbox.vendor_settings("yookassa", receipt_required=True)
    without = await gateway_of(http, sandbox.url).open(offer())
    assert isinstance(without, Declined)
    assert "receipt" in without.message
    await opened(gateway_of(http, sandbox.url, yookassa_receipt_email="shop@h.example"), offer())


async def test_other_words_under_a_used_key_find_its_payment(
    http: HttpClient, sandbox: Sandbox
) -> None:
    """A title or a setting may change between the call whose answer was lost and the next."""
    wanted = offer()
    first = await opened(gateway_of(http, sandbox.url), wanted)
    moved = gateway_of(http, sandbox.url, yookassa_return_url="https://h.example/paid")
    assert await opened(moved, wanted) == first
    assert await opened(moved, replace(wanted, description="Something else")) == first
    await sandbox.pay(first.url)
    paid = await opened(moved, wanted)
    assert paid == replace(first, url="https://h.example/paid")
    assert await made(sandbox) == 1


async def test_a_key_of_another_payment_or_amount(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), offer()
    await opened(gateway, wanted)
    stranger = replace(wanted, payment_id=PaymentId(new_id()))
    assert isinstance(await gateway.open(stranger), Unclear)
    assert isinstance(await gateway.open(replace(wanted, amount_minor=1)), Unclear)
    await sandbox.fault("status", {"operation": "list_payments"}, status=500)
    moved = gateway_of(http, sandbox.url, yookassa_return_url="https://h.example/paid")
    assert isinstance(await moved.open(wanted), Unclear)
    assert await made(sandbox) == 1


async def test_a_refused_card(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    place = await opened(gateway, offer())
    await sandbox.pay(place.url, action="refuse", reason="insufficient_funds")
    charge = await charge_at(gateway, place.external_id)
    assert (charge.state, charge.cancel_reason) == (ChargeState.CANCELED, "insufficient_funds")


async def test_an_hour_without_paying(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    place = await opened(gateway, offer())
    await sandbox.vendor_settings("yookassa", clock_offset_s=3601)
    charge = await charge_at(gateway, place.external_id)
    expected = (ChargeState.CANCELED, "expired_on_confirmation")
    assert (charge.state, charge.cancel_reason) == expected


async def test_money_that_is_only_held_is_not_paid(http: HttpClient, sandbox: Sandbox) -> None:
    (held,) = await sandbox.plant(
        {
            "status": "waiting_for_capture",
            "amount": "149.00",
            "created_at": MovedClock().now().isoformat(),
        }
    )
    gateway = gateway_of(http, sandbox.url)
    assert (await charge_at(gateway, held)).state is ChargeState.PENDING
    await sandbox.vendor_settings("yookassa", clock_offset_s=8 * 86_400)
    assert (await charge_at(gateway, held)).state is ChargeState.CANCELED


async def test_a_notification_is_never_believed(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), offer()
    place = await opened(gateway, wanted)
    lie = orjson.dumps(
        {
            "type": "notification",
            "event": "payment.succeeded",
            "object": {
                "id": place.external_id,
                "status": "succeeded",
                "paid": True,
                "amount": {"value": "1000000.00", "currency": "RUB"},
            },
        }
    )
    event = await gateway.receive("185.71.76.5", {}, lie)
    assert event is not None
    facts = await gateway.truth(event.subject, [lie])
    assert not isinstance(facts, Unclear)
    (charge,) = facts
    assert (charge.state, charge.amount_minor) == (ChargeState.PENDING, wanted.amount_minor)


@pytest.mark.parametrize("subject", ["2f3b588d-000f-5000-8000-1d6e87c7fbde", "x", "", "a/../b"])
async def test_an_unknown_charge(http: HttpClient, sandbox: Sandbox, subject: str) -> None:
    assert await gateway_of(http, sandbox.url).truth(subject, []) == []


@pytest.mark.parametrize("accident", [*LOST_ANSWERS, *NEVER_ARRIVED])
async def test_a_question_without_an_answer(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway, wanted = gateway_of(http, sandbox.url, yookassa_timeout_s=1.5), offer()
    place = await opened(gateway, wanted)
    await sandbox.faults(
        *(
            {"match": {"operation": one}, "fault": accident}
            for one in ("get_payment", "list_payments")
        )
    )
    assert isinstance(await gateway.truth(str(place.external_id), []), Unclear)
    assert isinstance(await gateway.find(wanted.payment_id, MovedClock().now() - HOUR), Unclear)


# --- looking for a payment ------------------------------------------------------------------------


def planted(payment_id: PaymentId | None = None, **more: object) -> dict[str, object]:
    metadata = {} if payment_id is None else {"payment_id": str(payment_id)}
    now = MovedClock().now().isoformat()
    return {"amount": "149.00", "created_at": now, "metadata": metadata, **more}


async def test_a_payment_among_many(http: HttpClient, sandbox: Sandbox) -> None:
    wanted = PaymentId(new_id())
    others = [planted(PaymentId(new_id())) for _ in range(130)]
    ids = await sandbox.plant(planted(wanted), *others, planted(), planted(PaymentId(new_id())))
    gateway, since = gateway_of(http, sandbox.url), MovedClock().now() - HOUR
    found = await gateway.find(wanted, since)
    assert isinstance(found, Charge)
    assert found.external_id == ids[0]
    assert (await sandbox.stats("yookassa"))["requests"] == {"list_payments": 2}
    await sandbox.faults(
        {"match": {"operation": "list_payments", "nth": 2}, "fault": {"kind": "not_json"}}
    )
    assert isinstance(await gateway.find(wanted, since), Unclear)


@pytest.mark.parametrize("first", ["pending", "canceled", "waiting_for_capture", "succeeded"])
async def test_of_several_the_one_that_was_paid(
    http: HttpClient, sandbox: Sandbox, first: str
) -> None:
    wanted = PaymentId(new_id())
    states = [first, "pending", "succeeded", "canceled", first]
    ids = await sandbox.plant(*(planted(wanted, status=one) for one in states))
    found = await gateway_of(http, sandbox.url).find(wanted, MovedClock().now() - HOUR)
    assert isinstance(found, Charge)
    assert found.state is ChargeState.PAID
    assert found.external_id in ids


async def test_a_vendor_whose_clock_is_behind(http: HttpClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("yookassa", clock_offset_s=-300)
    gateway, wanted, before = gateway_of(http, sandbox.url), offer(), MovedClock().now()
    place = await opened(gateway, wanted)
    found = await gateway.find(wanted.payment_id, before)
    assert isinstance(found, Charge)
    assert found.external_id == place.external_id


async def test_what_is_older_is_not_looked_at(http: HttpClient, sandbox: Sandbox) -> None:
    wanted = PaymentId(new_id())
    old = (MovedClock().now() - timedelta(days=2)).isoformat()
    await sandbox.plant(planted(wanted, created_at=old))
    gateway = gateway_of(http, sandbox.url)
    assert await gateway.find(wanted, MovedClock().now() - timedelta(days=1)) is None
    assert await gateway.find(wanted, MovedClock().now() - timedelta(days=3)) is not None


# --- a vendor out of its mind ---------------------------------------------------------------------


async def test_a_list_without_an_end(http: HttpClient) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.query.get("cursor", ""))
        return web.json_response({"items": [], "next_cursor": f"c&{len(asked)}"})

    app = web.Application()
    app.router.add_get("/v3/payments", handler)
    async with app_server(app) as url:
        found = await gateway_of(http, url).find(PaymentId(new_id()), MovedClock().now())
    assert isinstance(found, Unclear)
    assert asked == ["", *(f"c&{number}" for number in range(1, PAGES_MAX))]


STRANGE_CHANGES: list[dict[str, object]] = [
    {"amount": {"value": "149.01", "currency": "RUB"}},
    {"amount": {"value": "149.00", "currency": "USD"}},
    {"amount": {"value": 149, "currency": "RUB"}},
    {"metadata": {"payment_id": "0192f0c1-2345-7abc-8def-0123456789ab"}},
    {"metadata": {}},
    {"id": None},
    {"status": "later"},
    {"created_at": None},
    {"description": "x" * 600_000},
]


async def test_answers_that_are_not_about_what_was_asked(http: HttpClient) -> None:
    wanted = offer()
    payment: dict[str, object] = {
        "id": "2f3b588d-000f-5000-8000-1d6e87c7fbde",
        "status": "pending",
        "amount": {"value": "149.00", "currency": "RUB"},
        "created_at": "2025-02-10T00:14:05.555Z",
        "metadata": {"payment_id": str(wanted.payment_id)},
        "confirmation": {"confirmation_url": "https://pay.example/1"},
    }
    answer = dict(payment)

    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_route("*", "/v3/{path:.*}", handler)
    async with app_server(app) as url:
        gateway = gateway_of(http, url)
        assert isinstance(await gateway.open(wanted), Opened)
        assert isinstance(await gateway.truth("another-id", []), Unclear)
        for change in STRANGE_CHANGES:
            answer = payment | change
            assert isinstance(await gateway.open(wanted), Unclear), change


# --- being set up ---------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["yookassa_shop_id", "yookassa_secret_key"])
async def test_without_a_shop_there_is_no_gateway(http: HttpClient, missing: str) -> None:
    settings = settings_of(**{missing: None})
    parts = GatewayParts(settings=settings, http=http, clock=MovedClock(), signing_key=b"key")
    assert gateway(parts) is None


async def test_what_it_is(http: HttpClient) -> None:
    made = gateway_of(http)
    assert (made.name, made.currency, made.scale) == ("yookassa", "RUB", 2)
    assert made.is_connected
    assert made.refunds_parts
    assert not made.invoices_are_reusable
    assert not made.grants_what_was_paid
