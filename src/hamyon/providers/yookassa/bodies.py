"""What is asked of YooKassa. The same wish makes the same body: a key repeated with another one
would be refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hamyon.kit.settings import Settings
from hamyon.kit.texts import Language
from hamyon.payments.types.gateway import Offer, RefundWish
from hamyon.providers.yookassa.amounts import amount_of
from hamyon.providers.yookassa.objects import PAYMENT_KEY, REFUND_KEY

RUB: Final = "RUB"
DESCRIPTION_MAX: Final = 128
REFUND_DESCRIPTION_MAX: Final = 250
_LOCALES: Final[Mapping[Language, str]] = {"ru": "ru_RU", "en": "en_US", "uz": "ru_RU"}
"""The pay page speaks Russian and English."""
_REFUND_LINE: Final = "Возврат оплаты"
"""A receipt is a Russian fiscal document, whatever its payer speaks."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """What the shop's receipts say (54-FZ): every one goes to the shop's own ``email``, since a
    person in Telegram has none."""

    email: str
    vat_code: int
    tax_system_code: int | None


@dataclass(frozen=True, slots=True)
class Shop:
    """Where people return to after paying, and the receipts; None when others make them."""

    return_url: str
    receipts: Receipts | None


def shop_of(settings: Settings) -> Shop:
    """Back to the bot, where they came from, unless ``YOOKASSA_RETURN_URL`` says otherwise."""
    username = settings.telegram_bot_username
    bot = f"https://t.me/{username.lstrip('@')}" if username else settings.base_url
    receipts = None
    if settings.yookassa_receipt_email:
        receipts = Receipts(
            email=settings.yookassa_receipt_email,
            vat_code=settings.yookassa_receipt_vat_code,
            tax_system_code=settings.yookassa_receipt_tax_system_code,
        )
    return Shop(return_url=settings.yookassa_return_url or bot, receipts=receipts)


def payment_body(offer: Offer, shop: Shop) -> Mapping[str, object]:
    """Captured at once: what was paid needs no second word of ours."""
    body: dict[str, object] = {
        "amount": amount_of(offer.amount_minor, RUB),
        "capture": True,
        "confirmation": {
            "type": "redirect",
            "return_url": shop.return_url,
            "locale": _LOCALES[offer.language],
        },
        "description": _clipped(offer.description or offer.title, DESCRIPTION_MAX),
        "metadata": {PAYMENT_KEY: str(offer.payment_id)},
    }
    if shop.receipts is not None:
        body["receipt"] = _receipt(shop.receipts, offer.title, offer.amount_minor)
    return body


def refund_body(wish: RefundWish, shop: Shop) -> Mapping[str, object]:
    """The vendor makes a whole refund's receipt out of the payment's; a part needs its own."""
    body: dict[str, object] = {
        "payment_id": wish.charge_id,
        "amount": amount_of(wish.amount_minor, RUB),
        "metadata": {REFUND_KEY: str(wish.refund_id)},
    }
    if wish.reason:
        body["description"] = _clipped(wish.reason, REFUND_DESCRIPTION_MAX)
    if shop.receipts is not None and not wish.is_whole:
        body["receipt"] = _receipt(shop.receipts, _REFUND_LINE, wish.amount_minor)
    return body


def _receipt(receipts: Receipts, line: str, amount_minor: int) -> Mapping[str, object]:
    item = {
        "description": _clipped(line, DESCRIPTION_MAX),
        "quantity": 1,
        "measure": "piece",
        "amount": amount_of(amount_minor, RUB),
        "vat_code": receipts.vat_code,
        "payment_subject": "service",
        "payment_mode": "full_payment",
    }
    receipt: dict[str, object] = {"customer": {"email": receipts.email}, "items": [item]}
    if receipts.tax_system_code is not None:
        receipt["tax_system_code"] = receipts.tax_system_code
    return receipt


def _clipped(text: str, limit: int) -> str:
    """At most ``limit`` UTF-16 units, the narrowest way in which a vendor may count."""
    return text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
