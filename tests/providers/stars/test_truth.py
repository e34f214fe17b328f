"""What stored events mean, and the calls that need no Telegram."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from hamyon.kit.http import HttpClient
from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Declined,
    PaymentId,
    RefundMade,
    RefundState,
    Unclear,
)
from hamyon.providers.stars.payload import payload_of
from tests.providers.stars.wishes import SIGNING_KEY, event, gateway_of, offer, wish

ID = PaymentId(UUID("0192f0c1-2345-7abc-8def-0123456789ab"))
PAYLOAD = payload_of(ID, SIGNING_KEY)
AT = datetime.fromtimestamp(1_760_000_000, UTC)
CHARGE = Charge("stx1", ChargeState.PAID, 70, "XTR", AT, payment_id=ID, payer_id=2**52 - 1)
REFUND = RefundMade("stx1", "stx1", RefundState.DONE, 70, "XTR", AT)


async def test_a_payment_and_its_refund(http: HttpClient) -> None:
    gateway = gateway_of(http)
    paid, returned = event(payload=PAYLOAD), event("refunded_payment", payload=PAYLOAD)
    assert await gateway.truth("stx1", []) == []
    assert await gateway.truth("stx1", [paid.to_bytes()]) == [CHARGE]
    assert await gateway.truth("stx1", [returned.to_bytes()]) == [REFUND]
    both = [returned.to_bytes(), paid.to_bytes()]
    assert await gateway.truth("stx1", both) == [CHARGE, REFUND]


async def test_events_of_another_charge_say_nothing(http: HttpClient) -> None:
    other = event(payload=PAYLOAD, charge_id="stx2").to_bytes()
    assert await gateway_of(http).truth("stx1", [other]) == []


async def test_an_amount_and_a_currency_are_told_as_they_are(http: HttpClient) -> None:
    paid = event(payload=PAYLOAD, stars=2**40, currency="RUB").to_bytes()
    facts = await gateway_of(http).truth("stx1", [paid])
    assert not isinstance(facts, Unclear)
    (fact,) = facts
    assert (fact.amount_minor, fact.currency) == (2**40, "RUB")


@pytest.mark.parametrize("payload", ["", "gift", PAYLOAD[:-1] + "x", f"{ID.hex}.{'0' * 32}"])
async def test_a_payload_of_somebody_else_names_nothing(http: HttpClient, payload: str) -> None:
    facts = await gateway_of(http).truth("stx1", [event(payload=payload).to_bytes()])
    assert not isinstance(facts, Unclear)
    (fact,) = facts
    assert isinstance(fact, Charge)
    assert fact.payment_id is None
    assert gateway_of(http).invoice_of(payload) is None


async def test_the_payload_of_ours_names_its_payment(http: HttpClient) -> None:
    assert gateway_of(http).invoice_of(PAYLOAD) == ID


@pytest.mark.parametrize(
    "change",
    [
        *({"total_amount": value} for value in (0, -70, "70", 70.0, True, None)),
        *({"telegram_id": value} for value in (0, "7", None, 1.5)),
        *({"at": value} for value in (0, "now", None, 10**18)),
        *({"currency": None}, {"invoice_payload": None}, {"kind": "gift"}, {"more": 1}),
    ],
)
async def test_an_event_that_cannot_be_read_is_not_passed_over(
    http: HttpClient, change: Mapping[str, object]
) -> None:
    stored = orjson.loads(event(payload=PAYLOAD).to_bytes())
    raw = [event(payload=PAYLOAD).to_bytes(), orjson.dumps({**stored, **change})]
    assert isinstance(await gateway_of(http).truth("stx1", raw), Unclear)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b"null", b"{}", b"\xff"])
async def test_no_event_at_all(http: HttpClient, raw: bytes) -> None:
    assert isinstance(await gateway_of(http).truth("stx1", [raw]), Unclear)


async def test_what_telegram_cannot_be_asked(http: HttpClient) -> None:
    gateway = gateway_of(http)
    assert await gateway.find(ID, AT) is None
    assert await gateway.find_refund(wish("stx1", 7)) is None
    assert await gateway.receive("149.154.167.220", {}, b"{}") is None


async def test_a_part_is_never_sent_back(http: HttpClient) -> None:
    """Nobody listens where this gateway calls: a call would be unclear."""
    outcome = await gateway_of(http).refund(wish("stx1", 7, is_whole=False))
    assert isinstance(outcome, Declined)
    assert isinstance(await gateway_of(http).refund(wish("stx1", 7)), Unclear)


async def test_without_a_bot_what_services_report_is_still_credited(http: HttpClient) -> None:
    gateway = gateway_of(http, bot_token=None)
    assert not gateway.is_connected
    assert gateway_of(http).is_connected
    assert await gateway.truth("stx1", [event(payload=PAYLOAD).to_bytes()]) == [CHARGE]
    assert isinstance(await gateway.open(offer()), Declined)
    assert isinstance(await gateway.refund(wish("stx1", 7)), Unclear)
    assert isinstance(await gateway.books(AT, AT, None), Unclear)


async def test_what_is_on_its_way_outlives_the_sale(http: HttpClient) -> None:
    gateway = gateway_of(http, stars_enabled=False)
    assert gateway.is_connected
    assert await gateway.truth("stx1", [event(payload=PAYLOAD).to_bytes()]) == [CHARGE]
