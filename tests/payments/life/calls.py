"""What can happen to payments, as values: each can be made again, by the services and the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, TypeAlias, assert_never
from uuid import UUID

from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.kit.money import Asset
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.payments.service import pending, purchase, refund, send
from hamyon.payments.service.events import VendorUnclear
from hamyon.payments.service.settle import Settled, desk_of, settle_charge
from hamyon.payments.store import payments as payments_store
from hamyon.payments.types import (
    STARS,
    Charge,
    MismatchKind,
    Payment,
    PaymentId,
    Refund,
    RefundId,
    RefundMade,
)
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Redemption
from tests.payments.life.toy import Mood, ToyVendor

DAWN: Final = 22
"""The hour at which lives begin, by their own clocks."""
DISCOUNTED: Final = "images"
"""The product whose one-time discount buyers may use."""


@dataclass(frozen=True, slots=True)
class Buy:
    """So many of a package; without a package so many Stars of an asset."""

    alone: ClassVar = True
    who: int
    gateway: str
    package: str | None
    asset: str
    count: int
    is_discounted: bool = False
    expected: int | None = None
    key: str | None = None
    mood: Mood = Mood.FINE

    @property
    def wish(self) -> tuple[object, ...]:
        """What makes two purchases of one key the same."""
        return self.gateway, self.package, self.asset, self.count, self.is_discounted, self.expected


@dataclass(frozen=True, slots=True)
class Tell:
    """A vendor says how a charge or a refund stands."""

    alone: ClassVar = False
    gateway: str
    fact: Charge | RefundMade


@dataclass(frozen=True, slots=True)
class Ask:
    """An operator wants money sent back. Without an amount: all that is left."""

    alone: ClassVar = False
    gateway: str
    payment: str
    payment_id: UUID
    amount: int | None


@dataclass(frozen=True, slots=True)
class Send:
    """The vendor is told to send money back, or asked what became of it."""

    alone: ClassVar = True
    gateway: str
    refund: str
    mood: Mood = Mood.FINE


@dataclass(frozen=True, slots=True)
class Check:
    """The vendor is asked about a payment that is still awaited."""

    alone: ClassVar = True
    gateway: str
    payment: str
    payment_id: UUID
    mood: Mood = Mood.FINE


@dataclass(frozen=True, slots=True)
class Redeem:
    alone: ClassVar = False
    who: int
    code: str


@dataclass(frozen=True, slots=True)
class Spend:
    alone: ClassVar = False
    who: int
    asset: str
    amount: int
    key: str


@dataclass(frozen=True, slots=True)
class Hold:
    alone: ClassVar = False
    who: int
    asset: str
    amount: int
    key: str


@dataclass(frozen=True, slots=True)
class EndHold:
    """``captured`` of a hold is taken, the rest comes back."""

    alone: ClassVar = False
    hold: str
    captured: int


@dataclass(frozen=True, slots=True)
class GrantDue:
    """Held bonuses whose day has come are granted."""

    alone: ClassVar = False


Call: TypeAlias = Buy | Tell | Ask | Send | Check | Redeem | Spend | Hold | EndHold | GrantDue


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: a refusal's code, a difference's kind, a state, or ``ok``. ``made`` is the
    id of the payment or the refund that it made."""

    name: str
    made: str | None = None


@dataclass
class LifeClock:
    """Stands still until its life moves it, so that a life goes the same way at any hour."""

    start: datetime
    hour: int = 0

    def now(self) -> datetime:
        return self.start + timedelta(hours=self.hour)

    @property
    def zone(self) -> str:
        """Where it was between ten and eleven in the evening at the start."""
        east = (DAWN - self.start.hour + 11) % 24 - 11
        return f"Etc/GMT{-east:+d}"


@dataclass(frozen=True, slots=True)
class Shop:
    """What the services need. ``first_id``: people are counted from there."""

    pool: Pool
    clock: LifeClock
    settings: Settings
    waker: Waker
    gateways: Mapping[str, ToyVendor]
    first_id: int


async def perform(shop: Shop, call: Call) -> Outcome:
    """The call on the real services, each one in the transactions that its callers give it."""
    try:
        return await _perform(shop, call)
    except HamyonError as error:
        payment_id = error.facts.get("payment_id")
        return Outcome(error.code, str(payment_id) if payment_id is not None else None)


async def _perform(shop: Shop, call: Call) -> Outcome:
    match call:
        case Buy():
            return Outcome("ok", str((await _buy(shop, call)).id))
        case Tell():
            return await _tell(shop, call)
        case Ask():
            made = await in_transaction(
                shop.pool,
                refund.request,
                desk_of(shop, shop.gateways[call.gateway]),
                PaymentId(call.payment_id),
                amount_minor=call.amount,
                actor="tester",
                reason="a test",
            )
            return Outcome("ok", str(made.id))
        case Send():
            shop.gateways[call.gateway].mood = call.mood
            sent = await send.send(shop, RefundId(UUID(call.refund)))
            return Outcome(sent.state)
        case Check():
            return await _check(shop, call)
        case Redeem():
            wish = Redemption(shop.first_id + call.who, call.code)
            answer = await in_transaction(shop.pool, rewards.redeem, wish, now=shop.clock.now())
            return Outcome(answer.code if isinstance(answer, HamyonError) else "ok")
        case Spend() | Hold() | EndHold():
            await in_transaction(shop.pool, _move, shop, call)
        case GrantDue():
            await rewards.grant_due(shop.pool, shop.clock.now())
        case _:
            assert_never(call)
    return Outcome("ok")


async def _buy(shop: Shop, call: Buy) -> Payment:
    shop.gateways[call.gateway].mood = call.mood
    input_hash = hashlib.sha256(repr(call.wish).encode()).digest()
    asking = purchase.Asking("tester", "payments.buy", call.key, input_hash)
    user_id = shop.first_id + call.who
    if call.package is None:
        assert call.gateway == STARS
        return await purchase.buy_stars(shop, user_id, call.count, Asset(call.asset), asking)
    wish = purchase.PackageWish(
        user_id,
        call.package,
        call.count,
        DISCOUNTED if call.is_discounted else None,
        call.expected,
    )
    return await purchase.buy_package(shop, call.gateway, wish, asking)


async def _tell(shop: Shop, call: Tell) -> Outcome:
    desk = desk_of(shop, shop.gateways[call.gateway])
    if isinstance(call.fact, Charge):
        settled = await in_transaction(shop.pool, settle_charge, desk, call.fact)
        match settled:
            case Settled(_, fresh):
                return Outcome("credited" if fresh else "settled")
            case MismatchKind():
                return Outcome(settled)
    followed = await in_transaction(shop.pool, refund.settle_refund, desk, call.fact)
    match followed:
        case Refund():
            return Outcome(followed.state)
        case MismatchKind():
            return Outcome(followed)
        case None:
            return Outcome("nothing")


async def _check(shop: Shop, call: Check) -> Outcome:
    gateway = shop.gateways[call.gateway]
    gateway.mood = call.mood
    payment = await payments_store.payment(shop.pool, PaymentId(call.payment_id))
    assert payment is not None
    try:
        await pending.check(shop, gateway, payment)
    except VendorUnclear:
        return Outcome("payment_unclear")
    after = await payments_store.payment(shop.pool, payment.id)
    assert after is not None
    return Outcome("paid" if after.was_paid else after.state)


async def _move(connection: Connection, shop: Shop, call: Spend | Hold | EndHold) -> None:
    match call:
        case Spend():
            await ledger.grant(
                connection,
                user_id=shop.first_id + call.who,
                asset=call.asset,
                amount=-call.amount,
                kind=TransferKind.GENERATION,
                from_role="revenue:images",
                key=call.key,
                actor="tester",
            )
        case Hold():
            await ledger.open_hold(
                connection,
                user_id=shop.first_id + call.who,
                asset=call.asset,
                amount=call.amount,
                key=call.key,
            )
        case EndHold(hold, captured):
            await ledger.capture(
                connection,
                hold,
                amount=captured,
                kind=TransferKind.GENERATION,
                to_role="revenue:images",
                transfer_key=f"capture:{hold}",
                reference=hold,
            )
