"""Offers, events and refunds of Stars, and the gateway as wiring builds it."""

from __future__ import annotations

from typing import Literal

from hamyon.kit.clock import Clock, MovedClock
from hamyon.kit.http import HttpClient
from hamyon.kit.ids import new_id
from hamyon.kit.settings import Settings
from hamyon.payments.types.gateway import GatewayParts, Offer, PaymentId, RefundId, RefundWish
from hamyon.payments.types.stars import StarEvent
from hamyon.providers.stars.gateway import StarsGateway, gateway

TOKEN = "777000:sandbox-token-0123456789abcdefghijk"
SIGNING_KEY = b"the key of these tests"
NOBODY = "http://127.0.0.1:1"


def gateway_of(
    http: HttpClient, url: str = NOBODY, *, clock: Clock | None = None, **changes: object
) -> StarsGateway:
    given: dict[str, object] = {
        "bot_token": TOKEN,
        "telegram_api_base_url": url,
        "telegram_timeout_s": 10.0,
    }
    parts = GatewayParts(
        settings=Settings.model_validate(given | changes),
        http=http,
        clock=clock or MovedClock(),
        signing_key=SIGNING_KEY,
    )
    made = gateway(parts)
    assert isinstance(made, StarsGateway)
    return made


def offer(stars: int = 70, *, title: str = "1000 credits", description: str = "For you") -> Offer:
    return Offer(
        payment_id=PaymentId(new_id()),
        user_id=7,
        amount_minor=stars,
        title=title,
        description=description,
        language="en",
        key=new_id().hex,
    )


def wish(charge_id: str, payer_id: int, stars: int = 70, *, is_whole: bool = True) -> RefundWish:
    refund_id = RefundId(new_id())
    return RefundWish(
        refund_id=refund_id,
        payment_id=PaymentId(new_id()),
        charge_id=charge_id,
        payer_id=payer_id,
        amount_minor=stars,
        is_whole=is_whole,
        reason="asked for it",
        key=str(refund_id),
    )


def event(
    kind: Literal["successful_payment", "refunded_payment"] = "successful_payment",
    *,
    payload: str = "",
    charge_id: str = "stx1",
    stars: int = 70,
    at: int = 1_760_000_000,
    currency: str = "XTR",
) -> StarEvent:
    return StarEvent(
        kind=kind,
        telegram_id=2**52 - 1,
        total_amount=stars,
        currency=currency,
        invoice_payload=payload,
        telegram_payment_charge_id=charge_id,
        at=at,
    )
