"""What is peculiar to Telegram Stars: what is offered, the question before a payment, and charges
that bots report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hamyon.kit.texts import Language, text
from hamyon.ledger import service as ledger
from hamyon.payments.errors import GatewayUnavailable, InvoiceNotFound
from hamyon.payments.service import events
from hamyon.payments.service.purchase import is_for_sale, rate_of
from hamyon.payments.service.settle import Settled, desk_of
from hamyon.payments.store import payments as store
from hamyon.payments.types import STARS, XTR, Event, Gateway, Needs, PaymentId, StarEvent, Unclear

HANDLE_LATER: Final = timedelta(seconds=15)
"""When a worker settles a charge whose own request did not come to its end."""


@dataclass(frozen=True, slots=True)
class Preset:
    """So many Stars buy so many credits."""

    stars: int
    credits: int


@dataclass(frozen=True, slots=True)
class Options:
    """How Stars are sold now."""

    enabled: bool
    min: int
    max: int
    rate: Preset
    presets: tuple[Preset, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a charge brought, and what its person can spend now."""

    credits_added: int
    balance: int
    already_confirmed: bool


def options(needs: Needs) -> Options:
    """How Stars are sold now, for everybody."""
    settings, rate = needs.settings, rate_of(needs)
    gateway = needs.gateways.get(STARS)
    return Options(
        enabled=gateway is not None and is_for_sale(needs, gateway),
        min=settings.stars_min,
        max=settings.stars_max,
        rate=Preset(stars=rate.denominator, credits=rate.numerator),
        presets=tuple(Preset(stars, rate.credits(stars)) for stars in settings.stars_presets),
    )


async def confirm(needs: Needs, told: StarEvent) -> Confirmed:
    """Credit a charge that a service reports: once for each charge id, whoever repeats it.

    The event is kept before it has any effect. Raises GatewayUnavailable, InvoiceNotFound.
    """
    gateway = _gateway(needs)
    await receive(needs, told, delay=HANDLE_LATER)
    facts = await gateway.truth(told.telegram_payment_charge_id, [told.to_bytes()])
    assert not isinstance(facts, Unclear), "an event speaks for itself"
    (fact,) = facts
    settled = await events.settle(needs, desk_of(needs, gateway), fact)
    if not isinstance(settled, Settled):
        raise InvoiceNotFound
    payment = settled.payment
    wallet = await ledger.balance(needs.pool, payment.user_id, payment.asset)
    return Confirmed(
        credits_added=payment.granted or 0,
        balance=wallet.available if wallet is not None else 0,
        already_confirmed=not settled.fresh,
    )


async def receive(needs: Needs, told: StarEvent, *, delay: timedelta = timedelta(0)) -> bool:
    """Keep what Telegram says of a charge, before anything else is done with it."""
    event = Event(told.key, told.telegram_payment_charge_id)
    return await events.receive(needs, _gateway(needs), event, told.to_bytes(), delay=delay)


async def may_pay(
    needs: Needs, payment_id: PaymentId | None, amount: int, currency: str, language: Language
) -> str | None:
    """Telegram's question before it takes Stars. None: yes; else the sentence why not.

    Nobody is asked to pay for somebody who is blocked. One query: the answer is waited for.
    """
    if not is_for_sale(needs, _gateway(needs)):
        return text(language, "payment.try_again")
    price = None
    if payment_id is not None:
        price = await store.price_for_active(needs.pool, payment_id, gateway=STARS)
    if price is None:
        return text(language, "payment.unknown_invoice")
    if currency != XTR or amount != price:
        return text(language, "payment.price_changed")
    return None


def _gateway(needs: Needs) -> Gateway:
    gateway = needs.gateways.get(STARS)
    if gateway is None:
        raise GatewayUnavailable(gateway=STARS)
    return gateway
