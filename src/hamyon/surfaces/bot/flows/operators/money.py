"""Money as operators read it: in the currency's own units, and what providers take."""

from __future__ import annotations

from hamyon.kit.money import Asset
from hamyon.kit.texts import Language
from hamyon.payments.types import XTR, Payment
from hamyon.surfaces.bot.flows.operators.desk import Desk
from hamyon.surfaces.bot.phrases import amount, price


def scale_of(desk: Desk, currency: str) -> int:
    """Digits behind the point of a currency, as the gateway that takes it says.

    Where no gateway of this installation does any more: two, as most currencies have.
    """
    gateways = desk.needs.gateways.values()
    usual = 0 if currency == XTR else 2
    return next((one.scale for one in gateways if one.currency == currency), usual)


def paid(desk: Desk, currency: str, minor: int) -> str:
    """So much money."""
    sign = "\u2212" if minor < 0 else ""
    return sign + price(desk.language, currency, abs(minor), scale_of(desk, currency))


def paid_for(desk: Desk, payment: Payment) -> str:
    """What a payment brought, or what is asked for it."""
    minor = payment.amount_minor if payment.paid_minor is None else payment.paid_minor
    return paid(desk, payment.currency, minor)


def usd(language: Language, micro: int) -> str:
    """Dollars, by the cent."""
    cents = round(micro / 10_000)
    sign = "\u2212" if cents < 0 else ""
    return sign + amount(language, Asset.USD, abs(cents) * 10_000)
