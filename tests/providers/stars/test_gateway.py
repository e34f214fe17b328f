"""Stars over the simulated Telegram: invoices, charges, refunds, and each accident once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from hamyon.kit.clock import MovedClock
from hamyon.kit.http import HttpClient
from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Declined,
    Fact,
    Listed,
    Offer,
    Opened,
    RefundMade,
    RefundState,
    Unclear,
)
from hamyon.providers.stars.gateway import StarsGateway
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.stars.people import bot_of, events_of, news, paid, pay, refund_at_telegram
from tests.providers.stars.wishes import NOBODY, gateway_of, offer, wish

PAYER = 2**51 + 7

LOST_ANSWERS: list[dict[str, object]] = [
    {"kind": "accepted_then_cut"},
    {"kind": "answer_truncated"},
    {"kind": "not_json"},
    {"kind": "hang", "accepted": True, "seconds": 30},
    {"kind": "status", "status": 500, "accepted": True},
    {"kind": "status", "status": 502, "accepted": True},
]
NEVER_ARRIVED: list[dict[str, object]] = [
    {"kind": "refuse"},
    {"kind": "not_json", "accepted": False},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500},
]
REFUSALS = [400, 401, 403, 404, 409]


async def opened(gateway: StarsGateway, wanted: Offer) -> str:
    outcome = await gateway.open(wanted)
    assert isinstance(outcome, Opened), outcome
    assert outcome.external_id is None
    return outcome.url


async def facts_at(gateway: StarsGateway, charge_id: str, events: list[bytes]) -> list[Fact]:
    facts = await gateway.truth(charge_id, events)
    assert not isinstance(facts, Unclear), facts
    return list(facts)


async def in_books(gateway: StarsGateway) -> list[Fact]:
    now = datetime.now(UTC)
    page = await gateway.books(now - timedelta(hours=1), now + timedelta(hours=1), None)
    assert isinstance(page, Listed)
    return list(page.facts)


async def test_from_an_offer_to_a_paid_charge(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, bot, wanted = gateway_of(http, sandbox.url), bot_of(http, sandbox), offer(140)
    url = await opened(gateway, wanted)
    first, second = await paid(url, PAYER), await paid(url, PAYER + 1)
    events = events_of(await news(bot))
    (charge,) = await facts_at(gateway, first, events)
    assert isinstance(charge, Charge)
    assert (charge.external_id, charge.state) == (first, ChargeState.PAID)
    assert (charge.amount_minor, charge.currency) == (140, "XTR")
    assert (charge.payment_id, charge.payer_id) == (wanted.payment_id, PAYER)
    (again,) = await facts_at(gateway, second, events)
    assert isinstance(again, Charge)
    assert (again.payment_id, again.payer_id) == (wanted.payment_id, PAYER + 1)
    assert await in_books(gateway) == [charge, again]


@pytest.mark.parametrize("letter", ["a", "ў", "🎨"])
async def test_long_words_are_cut(http: HttpClient, sandbox: Sandbox, letter: str) -> None:
    gateway = gateway_of(http, sandbox.url)
    await opened(gateway, offer(title=letter * 300, description=letter * 3000))
    await opened(gateway, offer(title=letter, description=""))


async def test_what_is_sent(http: HttpClient) -> None:
    asked: list[dict[str, object]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response({"ok": True, "result": "https://t.me/$slug"})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        gateway = gateway_of(http, url)
        long = offer(70, title="🎨" * 17, description="ў" * 300)
        assert await opened(gateway, long) == "https://t.me/$slug"
    assert asked[0] == {
        "title": "🎨" * 16,
        "description": "ў" * 255,
        "payload": asked[0]["payload"],
        "provider_token": "",
        "currency": "XTR",
        "prices": [{"label": "🎨" * 16, "amount": 70}],
    }
    assert gateway.invoice_of(str(asked[0]["payload"])) == long.payment_id


@pytest.mark.parametrize("result", [None, True, "", "t.me/$slug", {"url": "https://t.me/$slug"}])
async def test_an_answer_without_a_link(http: HttpClient, result: object) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        assert isinstance(await gateway_of(http, url).open(offer()), Unclear)


async def test_amounts_that_telegram_does_not_take(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    for stars in (0, 10_001):
        outcome = await gateway.open(offer(stars))
        assert isinstance(outcome, Declined)
        assert outcome.code == "CURRENCY_TOTAL_AMOUNT_INVALID"


@pytest.mark.parametrize("status", REFUSALS)
async def test_refusals(http: HttpClient, sandbox: Sandbox, status: int) -> None:
    gateway = gateway_of(http, sandbox.url)
    await sandbox.faults(
        *(
            {"match": {"operation": one}, "fault": {"kind": "status", "status": status}}
            for one in ("createInvoiceLink", "refundStarPayment", "getStarTransactions")
        )
    )
    outcome = await gateway.open(offer())
    assert isinstance(outcome, Declined)
    assert outcome.code == f"telegram_{status}"
    # Only a refusal about the charge itself says that nothing was sent back.
    refused = await gateway.refund(wish("stx1", PAYER))
    assert isinstance(refused, Declined if status == 400 else Unclear)
    now = datetime.now(UTC)
    assert isinstance(await gateway.books(now, now, None), Unclear)


async def test_a_wrong_token(http: HttpClient, sandbox: Sandbox) -> None:
    token = "777000:" + "x" * 35
    gateway = gateway_of(http, sandbox.url, bot_token=token)
    outcome = await gateway.open(offer())
    assert outcome == Declined("telegram_401", "Unauthorized")


@pytest.mark.parametrize("accident", [*LOST_ANSWERS, *NEVER_ARRIVED])
async def test_a_link_that_is_not_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway, wanted = gateway_of(http, sandbox.url, telegram_timeout_s=1.5), offer()
    await sandbox.faults({"match": {"operation": "createInvoiceLink"}, "fault": accident})
    assert isinstance(await gateway.open(wanted), Unclear)
    await sandbox.clear_faults()
    charge_id = await paid(await opened(gateway, wanted), PAYER)
    (charge,) = await in_books(gateway)
    assert isinstance(charge, Charge)
    assert (charge.external_id, charge.payment_id) == (charge_id, wanted.payment_id)


# --- giving Stars back ----------------------------------------------------------------------------


async def test_a_refund(http: HttpClient, sandbox: Sandbox) -> None:
    clock = MovedClock()
    gateway, bot = gateway_of(http, sandbox.url, clock=clock), bot_of(http, sandbox)
    charge_id = await paid(await opened(gateway, offer(140)), PAYER)
    wanted, before = wish(charge_id, PAYER, 140), clock.now()
    made = await gateway.refund(wanted)
    assert isinstance(made, RefundMade)
    assert (made.external_id, made.charge_id) == (charge_id, charge_id)
    assert (made.state, made.amount_minor, made.currency) == (RefundState.DONE, 140, "XTR")
    assert made.refund_id == wanted.refund_id
    assert before <= made.at <= clock.now()
    again = await gateway.refund(wanted)
    assert isinstance(again, RefundMade)
    assert (again.state, again.external_id) == (RefundState.DONE, charge_id)
    charge, told = await facts_at(gateway, charge_id, events_of(await news(bot)))
    assert isinstance(charge, Charge)
    assert isinstance(told, RefundMade)
    assert (told.external_id, told.amount_minor, told.refund_id) == (charge_id, 140, None)
    assert await in_books(gateway) == [charge, told]


@pytest.mark.parametrize("accident", [*LOST_ANSWERS, *NEVER_ARRIVED])
async def test_a_refund_that_is_not_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway = gateway_of(http, sandbox.url, telegram_timeout_s=1.5)
    wanted = wish(await paid(await opened(gateway, offer()), PAYER), PAYER)
    await sandbox.faults({"match": {"operation": "refundStarPayment"}, "fault": accident})
    assert isinstance(await gateway.refund(wanted), Unclear)
    await sandbox.clear_faults()
    made = await gateway.refund(wanted)
    assert isinstance(made, RefundMade)
    assert made.state is RefundState.DONE
    charge, told = await in_books(gateway)
    assert isinstance(charge, Charge)
    assert isinstance(told, RefundMade)


async def test_a_refund_to_somebody_else_is_none(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    charge_id = await paid(await opened(gateway, offer()), PAYER)
    for wrong in (wish(charge_id, PAYER + 1), wish("stx-nothing", PAYER)):
        outcome = await gateway.refund(wrong)
        assert isinstance(outcome, Declined)
        assert outcome.code == "CHARGE_NOT_FOUND"
    (charge,) = await in_books(gateway)
    assert isinstance(charge, Charge)


async def test_a_part_is_never_sent_back(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    charge_id = await paid(await opened(gateway, offer()), PAYER)
    part = wish(charge_id, PAYER, 35, is_whole=False)
    assert isinstance(await gateway.refund(part), Declined)
    assert len(await in_books(gateway)) == 1


@pytest.mark.parametrize("result", [None, False, "True", 1, {}])
async def test_a_refund_that_telegram_did_not_confirm(http: HttpClient, result: object) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        assert isinstance(await gateway_of(http, url).refund(wish("stx1", PAYER)), Unclear)


async def test_a_refund_by_telegram_itself(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, bot = gateway_of(http, sandbox.url), bot_of(http, sandbox)
    charge_id = await paid(await opened(gateway, offer()), PAYER)
    updates = await news(bot)
    await refund_at_telegram(sandbox, charge_id)
    later = events_of(await news(bot, offset=updates[-1]["update_id"] + 1))
    (told,) = await facts_at(gateway, charge_id, later)
    assert isinstance(told, RefundMade)
    assert told.state is RefundState.DONE
    asked_too = await gateway.refund(wish(charge_id, PAYER))
    assert isinstance(asked_too, RefundMade)


async def test_nobody_there(http: HttpClient) -> None:
    gateway, now = gateway_of(http, NOBODY), datetime.now(UTC)
    assert isinstance(await gateway.open(offer()), Unclear)
    assert isinstance(await gateway.refund(wish("stx1", PAYER)), Unclear)
    assert isinstance(await gateway.books(now, now, None), Unclear)


async def test_what_is_paid_is_what_was_signed(http: HttpClient, sandbox: Sandbox) -> None:
    """An invoice that somebody else's program made with the same bot names no payment of ours."""
    gateway, bot = gateway_of(http, sandbox.url), bot_of(http, sandbox)
    link = await bot.call(
        "createInvoiceLink",
        {
            "title": "Gift",
            "description": "Gift",
            "payload": "0" * 32 + "." + "0" * 32,
            "currency": "XTR",
            "prices": [{"label": "Gift", "amount": 5}],
        },
    )
    told = await pay(str(getattr(link, "result", "")), PAYER)
    assert told["ok"]
    (charge,) = await in_books(gateway)
    assert isinstance(charge, Charge)
    assert charge.payment_id is None


async def test_what_it_is(http: HttpClient) -> None:
    made = gateway_of(http)
    assert (made.name, made.currency, made.scale) == ("stars", "XTR", 0)
    assert made.invoices_are_reusable
    assert made.grants_what_was_paid
    assert not made.refunds_parts
