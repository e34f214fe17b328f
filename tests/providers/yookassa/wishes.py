"""Offers and refunds as payments make them, and the gateway as wiring builds it."""

from __future__ import annotations

from hamyon.kit.clock import Clock, MovedClock
from hamyon.kit.http import HttpClient
from hamyon.kit.ids import new_id
from hamyon.kit.settings import Settings
from hamyon.kit.texts import Language
from hamyon.payments.types.gateway import GatewayParts, Offer, PaymentId, RefundId, RefundWish
from hamyon.providers.yookassa.gateway import YooKassaGateway, gateway

SHOP_ID = "100500"
SECRET_KEY = "sandbox-key"


def offer(
    amount_minor: int = 14_900,
    *,
    payment_id: PaymentId | None = None,
    title: str = "1000 credits",
    description: str = "1000 credits in Hamyon",
    language: Language = "en",
    key: str | None = None,
) -> Offer:
    payment_id = payment_id or PaymentId(new_id())
    return Offer(
        payment_id=payment_id,
        user_id=7,
        amount_minor=amount_minor,
        title=title,
        description=description,
        language=language,
        key=key or str(payment_id),
    )


def wish(
    charge_id: str,
    amount_minor: int,
    *,
    is_whole: bool = False,
    refund_id: RefundId | None = None,
    reason: str = "asked for it",
    key: str | None = None,
) -> RefundWish:
    refund_id = refund_id or RefundId(new_id())
    return RefundWish(
        refund_id=refund_id,
        payment_id=PaymentId(new_id()),
        charge_id=charge_id,
        payer_id=7,
        amount_minor=amount_minor,
        is_whole=is_whole,
        reason=reason,
        key=key or str(refund_id),
    )


NOBODY = "http://127.0.0.1:1"


def settings_of(**changes: object) -> Settings:
    given: dict[str, object] = {
        "yookassa_shop_id": SHOP_ID,
        "yookassa_secret_key": SECRET_KEY,
        "yookassa_api_base_url": NOBODY,
        "yookassa_timeout_s": 10.0,
        "telegram_bot_username": "hamyon_bot",
    }
    return Settings.model_validate(given | changes)


def gateway_of(
    http: HttpClient, url: str = NOBODY, *, clock: Clock | None = None, **changes: object
) -> YooKassaGateway:
    parts = GatewayParts(
        settings=settings_of(yookassa_api_base_url=url, **changes),
        http=http,
        clock=clock or MovedClock(),
        signing_key=b"not used by this gateway",
    )
    made = gateway(parts)
    assert isinstance(made, YooKassaGateway)
    return made
