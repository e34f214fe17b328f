"""Payments over HTTP (contract/payments.md): what can be bought, buying it, what bots report."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Final, Literal, Self, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import ConfigDict, Field, model_validator

from hamyon.catalog.errors import PackageNotFound
from hamyon.catalog.service import packages
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.kit.money import Asset
from hamyon.kit.web.models import AnswerModel, IdempotencyKey, StrictModel, TelegramId
from hamyon.kit.web.permission import (
    Service,
    ServiceOnly,
    ServiceOrUser,
    User,
    acting_for,
    allow,
    caller_name,
    owner_of,
)
from hamyon.kit.web.routing import RequestFacts, Router, ServiceOrUserCaller
from hamyon.payments.errors import (
    GatewayUnavailable,
    InvoiceNotFound,
    PaymentDeclined,
    PaymentNotFound,
    PaymentUnclear,
    StarsOutOfRange,
)
from hamyon.payments.service import purchase, read, stars
from hamyon.payments.service.purchase import Asking, PackageWish, decimal
from hamyon.payments.types import AT_ONCE_MAX, Needs, Payment, PaymentId, PaymentState, StarEvent
from hamyon.users.errors import UserBlocked, UserNotFound

router = Router("/api/v1/payments", tags=["payments"])
PAYMENTS: Final = ServiceOrUser("payments")
REFUSALS: Final = (
    GatewayUnavailable,
    PackageNotFound,
    UserNotFound,
    UserBlocked,
    PaymentDeclined,
    PaymentUnclear,
    IdempotencyMismatch,
)
Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


Deps = Annotated[Needs, Depends(_needs)]


class RateAnswer(AnswerModel):
    stars: int = Field(examples=[70])
    credits: int = Field(examples=[1000])


class OptionsAnswer(AnswerModel):
    enabled: bool
    min: int = Field(examples=[70])
    max: int = Field(examples=[10000])
    rate: RateAnswer
    presets: list[RateAnswer]


class InvoiceRequest(StrictModel):
    telegram_id: TelegramId
    stars: int = Field(ge=1, le=AT_ONCE_MAX, examples=[70])
    asset: Asset = Field(
        Asset.CREDIT, description="Others than credits are sold by the package of this price."
    )


class InvoiceAnswer(AnswerModel):
    payment_id: UUID
    invoice_link: str


class ConfirmRequest(StrictModel):
    """A charge as Telegram told it to a bot. ``telegram_id`` is who paid."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["stars"], "properties": {"stars": {"type": "integer"}}},
                {"required": ["total_amount"], "properties": {"total_amount": {"type": "integer"}}},
            ]
        }
    )

    telegram_id: TelegramId
    stars: int | None = Field(None, ge=1, le=AT_ONCE_MAX)
    total_amount: int | None = Field(None, ge=1, le=AT_ONCE_MAX, examples=[70])
    currency: Literal["XTR"]
    invoice_payload: Text
    telegram_payment_charge_id: Text
    provider_payment_charge_id: Text | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if self.stars is None and self.total_amount is None:
            raise ValueError("stars or total_amount is required")
        if None not in {self.stars, self.total_amount} and self.stars != self.total_amount:
            raise ValueError("stars and total_amount are the same thing, and differ")
        return self

    def told(self, now: datetime) -> StarEvent:
        """As the inbox keeps it."""
        return StarEvent(
            kind="successful_payment",
            telegram_id=self.telegram_id,
            total_amount=self.stars or self.total_amount or 0,
            currency=self.currency,
            invoice_payload=self.invoice_payload,
            telegram_payment_charge_id=self.telegram_payment_charge_id,
            at=int(now.timestamp()),
            provider_payment_charge_id=self.provider_payment_charge_id,
        )


class ConfirmAnswer(AnswerModel):
    credits_added: int
    balance: int = Field(description="What the invoice's person can spend now.")
    already_confirmed: bool


class PackageAnswer(AnswerModel):
    key: str
    title: str
    asset: str
    amount: int
    bonus: int
    prices: dict[str, str] = Field(examples=[{"yookassa": "149.00"}])


class CheckoutRequest(StrictModel):
    telegram_id: TelegramId
    gateway: str = Field(pattern="^[a-z][a-z0-9_]{0,31}$", examples=["yookassa"])
    package: str = Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", examples=["credits_1000"])
    quantity: int = Field(1, ge=1, le=100)


class PaymentAnswer(AnswerModel):
    payment_id: UUID
    gateway: str
    status: PaymentState
    title: str
    price: str = Field(examples=["149.00"])
    currency: str
    asset: str
    amount: int
    payment_url: str | None
    created_at: datetime
    paid_at: datetime | None

    @classmethod
    def of(cls, payment: Payment, scale: int) -> Self:
        """As its person sees it."""
        return cls(
            payment_id=payment.id,
            gateway=payment.gateway,
            status=payment.state,
            title=payment.title,
            price=decimal(payment.amount_minor, scale),
            currency=payment.currency,
            asset=payment.asset,
            amount=payment.amount if payment.granted is None else payment.granted,
            payment_url=payment.url,
            created_at=payment.created_at,
            paid_at=payment.paid_at,
        )


def asking(caller: Service | User, route: str, key: str | None, given: StrictModel) -> Asking:
    """Who repeats what with which key."""
    digest = hashlib.sha256(repr(given.model_dump()).encode()).digest()
    return Asking(caller_name(caller), route, key, digest)


@router.get("/stars/options", summary="How Stars are sold")
@allow(PAYMENTS)
async def stars_options(needs: Deps) -> OptionsAnswer:
    return OptionsAnswer.model_validate(stars.options(needs), from_attributes=True)


@router.post("/stars/invoice", summary="Open an invoice in Telegram Stars")
@allow(PAYMENTS, raises=(*REFUSALS, StarsOutOfRange))
async def stars_invoice(
    body: InvoiceRequest, caller: ServiceOrUserCaller, needs: Deps, key: IdempotencyKey = None
) -> InvoiceAnswer:
    user_id = acting_for(caller, body.telegram_id)
    payment = await purchase.buy_stars(
        needs, user_id, body.stars, body.asset, asking(caller, "stars.invoice", key, body)
    )
    return InvoiceAnswer(payment_id=payment.id, invoice_link=payment.url or "")


@router.post("/stars/confirm", summary="Credit a charge that a bot was told of")
@allow(ServiceOnly("payments"), raises=(GatewayUnavailable, InvoiceNotFound))
async def stars_confirm(body: ConfirmRequest, needs: Deps) -> ConfirmAnswer:
    confirmed = await stars.confirm(needs, body.told(needs.clock.now()))
    return ConfirmAnswer.model_validate(confirmed, from_attributes=True)


@router.get("/packages", summary="What is for sale")
@allow(PAYMENTS)
async def list_packages(
    needs: Deps, facts: RequestFacts, asset: Annotated[Asset | None, Query()] = None
) -> list[PackageAnswer]:
    scales = {
        name: gateway.scale
        for name, gateway in needs.gateways.items()
        if purchase.is_for_sale(needs, gateway)
    }
    return [
        PackageAnswer(
            key=package.key,
            title=package.title(facts.language),
            asset=package.asset,
            amount=package.amount,
            bonus=package.bonus,
            prices={
                name: decimal(price_minor, scales[name])
                for name, price_minor in package.prices.items()
                if name in scales
            },
        )
        for package in await packages.listed(needs.pool, asset=asset)
    ]


@router.post("/checkout", status_code=201, summary="Buy a package")
@allow(PAYMENTS, raises=REFUSALS)
async def checkout(
    body: CheckoutRequest, caller: ServiceOrUserCaller, needs: Deps, key: IdempotencyKey = None
) -> PaymentAnswer:
    wish = PackageWish(acting_for(caller, body.telegram_id), body.package, body.quantity)
    payment = await purchase.buy_package(
        needs, body.gateway, wish, asking(caller, "checkout", key, body)
    )
    return PaymentAnswer.of(payment, needs.gateways[payment.gateway].scale)


@router.get("/{payment_id}", summary="How a payment stands")
@allow(PAYMENTS, raises=(PaymentNotFound,))
async def read_payment(
    payment_id: UUID,
    caller: ServiceOrUserCaller,
    needs: Deps,
    telegram_id: Annotated[TelegramId | None, Query()] = None,
) -> PaymentAnswer:
    owner = owner_of(caller, telegram_id)
    payment = await read.own(needs.pool, PaymentId(payment_id), owner)
    gateway = needs.gateways.get(payment.gateway)
    return PaymentAnswer.of(payment, gateway.scale if gateway is not None else 0)
