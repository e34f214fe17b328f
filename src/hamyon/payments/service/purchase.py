"""Buying: the numbers are frozen and kept, and then the vendor makes a place to pay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from hamyon.catalog.errors import PackageNotFound
from hamyon.catalog.service import packages
from hamyon.catalog.types import Package
from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.ids import new_id
from hamyon.kit.money import Asset
from hamyon.kit.texts import Language, text
from hamyon.payments.errors import (
    GatewayUnavailable,
    PaymentDeclined,
    PaymentUnclear,
    PriceMismatch,
    StarsOutOfRange,
)
from hamyon.payments.store import payments as store
from hamyon.payments.types import (
    KEY_LIFE,
    STARS,
    Declined,
    Gateway,
    Needs,
    Offer,
    Opened,
    Payment,
    PaymentId,
    PaymentState,
    Rate,
    Unclear,
)
from hamyon.rewards import service as rewards
from hamyon.users.service import people

FIRST_CHECK: Final = timedelta(minutes=1)
"""When a payment is asked about for the first time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who repeats a purchase with which key. Without a key every call is a purchase of its own."""

    caller: str
    route: str
    key: str | None
    input_hash: bytes


@dataclass(frozen=True, slots=True)
class PackageWish:
    """So many of a package. ``discount_product`` names whose one-time discount counts, and
    ``expected_minor`` the price that the caller showed to the person."""

    user_id: int
    package_key: str
    quantity: int = 1
    discount_product: str | None = None
    expected_minor: int | None = None


Freeze = Callable[[Connection], Awaitable[Payment]]


def gateway_for_sale(needs: Needs, name: str) -> Gateway:
    """A gateway that can sell now. Raises GatewayUnavailable."""
    gateway = needs.gateways.get(name)
    if gateway is None or not is_for_sale(needs, gateway):
        raise GatewayUnavailable(gateway=name)
    return gateway


def is_for_sale(needs: Needs, gateway: Gateway) -> bool:
    """Whether people may pay this way now. What is on its way is settled whatever this says."""
    switched_on = gateway.name != STARS or needs.settings.stars_enabled
    return gateway.is_connected and switched_on


def discounted(price_minor: int, percent: int) -> int:
    """A price less so many per cent, rounded down in the buyer's favour; never nothing."""
    return max(price_minor * (100 - percent) // 100, 1)


def rate_of(needs: Needs) -> Rate:
    """How many credits Stars buy now."""
    settings = needs.settings
    return Rate(settings.stars_exchange_numerator, settings.stars_exchange_denominator)


async def buy_stars(
    needs: Needs, user_id: int, stars: int, asset: Asset, asking: Asking
) -> Payment:
    """An invoice for so many Stars: credits at the rate, other assets by the package of this price.

    Raises GatewayUnavailable, StarsOutOfRange, PackageNotFound, UserNotFound, UserBlocked,
    IdempotencyMismatch, PaymentDeclined, PaymentUnclear.
    """
    gateway = gateway_for_sale(needs, STARS)
    if asset is not Asset.CREDIT:

        async def freeze_package(connection: Connection) -> Payment:
            package = await packages.of_price(connection, STARS, asset, stars)
            return await _frozen_package(
                needs, connection, gateway, package, PackageWish(user_id, package.key)
            )

        return await _buy(needs, gateway, user_id, freeze_package, asking)
    least, most = needs.settings.stars_min, needs.settings.stars_max
    if not least <= stars <= most:
        raise StarsOutOfRange(least=least, most=most)

    async def freeze_rate(connection: Connection) -> Payment:
        user = await people.require_active(connection, user_id)
        rate = rate_of(needs)
        amount = rate.credits(stars)
        title = text(user.language, "payment.credits", {"amount": amount})
        return _payment(
            needs,
            gateway,
            user_id,
            title,
            amount_minor=stars,
            asset=asset,
            amount=amount,
            rate=rate,
        )

    return await _buy(needs, gateway, user_id, freeze_rate, asking)


async def buy_package(
    needs: Needs, gateway_name: str, wish: PackageWish, asking: Asking
) -> Payment:
    """So many of a package through a gateway.

    Raises GatewayUnavailable, PackageNotFound, PriceMismatch, UserNotFound, UserBlocked,
    IdempotencyMismatch, PaymentDeclined, PaymentUnclear.
    """
    gateway = gateway_for_sale(needs, gateway_name)

    async def freeze(connection: Connection) -> Payment:
        package = await packages.for_sale(connection, wish.package_key)
        return await _frozen_package(needs, connection, gateway, package, wish)

    return await _buy(needs, gateway, wish.user_id, freeze, asking)


async def _frozen_package(
    needs: Needs, connection: Connection, gateway: Gateway, package: Package, wish: PackageWish
) -> Payment:
    user = await people.require_active(connection, wish.user_id)
    single_minor = package.prices.get(gateway.name)
    if single_minor is None:
        raise PackageNotFound(package=package.key)
    discount = None
    if wish.discount_product is not None:
        discount = await rewards.open_discount(connection, user.id, wish.discount_product)
    price_minor = single_minor * wish.quantity
    if discount is not None:
        price_minor = discounted(price_minor, discount.percent)
    if wish.expected_minor not in {None, price_minor}:
        raise PriceMismatch(price=decimal(price_minor, gateway.scale), currency=gateway.currency)
    title = package.title(user.language)
    return _payment(
        needs,
        gateway,
        user.id,
        title if wish.quantity == 1 else f"{title} × {wish.quantity}",
        amount_minor=price_minor,
        asset=package.asset,
        amount=package.granted * wish.quantity,
        package_key=package.key,
        quantity=wish.quantity,
        discount_id=discount.id if discount is not None else None,
    )


def decimal(amount_minor: int, scale: int) -> str:
    """An amount as vendors and people write it: 14900 at scale 2 is ``149.00``."""
    if scale == 0:
        return str(amount_minor)
    whole, part = divmod(amount_minor, 10**scale)
    return f"{whole}.{part:0{scale}}"


def _payment(
    needs: Needs,
    gateway: Gateway,
    user_id: int,
    title: str,
    *,
    amount_minor: int,
    asset: str,
    amount: int,
    rate: Rate | None = None,
    package_key: str | None = None,
    quantity: int = 1,
    discount_id: int | None = None,
) -> Payment:
    now = needs.clock.now()
    payment_id = PaymentId(new_id())
    return Payment(
        id=payment_id,
        user_id=user_id,
        gateway=gateway.name,
        state=PaymentState.CREATED,
        currency=gateway.currency,
        amount_minor=amount_minor,
        asset=asset,
        amount=amount,
        rate_numerator=rate.numerator if rate is not None else None,
        rate_denominator=rate.denominator if rate is not None else None,
        package_key=package_key,
        quantity=quantity,
        title=title,
        discount_id=discount_id,
        vendor_key=str(payment_id),
        vendor_key_at=now,
        check_at=now + FIRST_CHECK,
        created_at=now,
    )


async def _buy(
    needs: Needs, gateway: Gateway, user_id: int, freeze: Freeze, asking: Asking
) -> Payment:
    """Keep a purchase once for each key, and open it. A repetition opens what was kept."""

    async def keep(connection: Connection) -> Payment:
        known = await _kept_before(connection, user_id, asking)
        if known is not None:
            return known
        payment = await freeze(connection)
        await store.insert(connection, payment)
        if asking.key is not None:
            await kit_store.answer_key(
                connection,
                caller=asking.caller,
                user_id=user_id,
                route=asking.route,
                key=asking.key,
                answer={"payment_id": str(payment.id)},
            )
        return payment

    payment = await in_transaction(needs.pool, keep)
    reach("payment.kept")
    if payment.url is not None:
        return payment
    is_old = needs.clock.now() - payment.vendor_key_at > KEY_LIFE
    if payment.state is PaymentState.CANCELED or is_old:
        # The vendor said no, or has forgotten the key: this request is over.
        raise PaymentDeclined(payment_id=str(payment.id))
    return await _opened(needs, gateway, payment)


async def _kept_before(connection: Connection, user_id: int, asking: Asking) -> Payment | None:
    """What the first call with this key kept. Raises IdempotencyMismatch."""
    if asking.key is None:
        return None
    first = await kit_store.claim_key(
        connection,
        caller=asking.caller,
        user_id=user_id,
        route=asking.route,
        key=asking.key,
        input_hash=asking.input_hash,
    )
    if first is None:
        return None
    return await store.payment(connection, PaymentId(UUID(str(first["payment_id"]))))


async def _opened(needs: Needs, gateway: Gateway, payment: Payment) -> Payment:
    outcome = await open_at_vendor(needs, gateway, payment)
    match outcome:
        case Opened():
            opened = await store.payment(needs.pool, payment.id)
            assert opened is not None
            return opened
        case Declined():
            raise PaymentDeclined(payment_id=str(payment.id))
        case Unclear():
            raise PaymentUnclear(payment_id=str(payment.id))


async def open_at_vendor(
    needs: Needs, gateway: Gateway, payment: Payment
) -> Opened | Declined | Unclear:
    """Have the vendor make the place to pay, and keep what it says. Safe to repeat."""
    user = await people.profile(needs.pool, payment.user_id)
    outcome = await gateway.open(_offer(payment, user.language))
    reach("payment.opened")
    match outcome:
        case Opened(url, external_id, at):
            await store.set_opened(
                needs.pool,
                payment.id,
                url=url,
                external_id=external_id,
                vendor_at=at,
                # Where no charge is known before it is paid, there is nothing to ask about.
                check_at=needs.clock.now() + FIRST_CHECK if external_id is not None else None,
            )
        case Declined(code, message):
            log.warning("payment declined", gateway=gateway.name, code=code, message=message)
            await in_transaction(
                needs.pool, store.set_canceled, payment.id, external_id=None, reason=code
            )
        case Unclear(reason):
            log.warning("payment unclear", gateway=gateway.name, reason=reason)
    return outcome


def _offer(payment: Payment, language: Language) -> Offer:
    return Offer(
        payment_id=payment.id,
        user_id=payment.user_id,
        amount_minor=payment.amount_minor,
        title=payment.title,
        description=text(language, "payment.description", {"title": payment.title}),
        language=language,
        key=payment.vendor_key,
    )
