"""The shapes of drawings' requests and answers (contract/drawings.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from hamyon.kit.web.models import AnswerModel, StrictModel, TelegramId
from hamyon.payments.service.purchase import decimal, discounted
from hamyon.payments.types import Payment, PaymentState
from hamyon.products.drawings.types import (
    CURRENCY,
    CURRENCY_SCALE,
    GATEWAY,
    DailyBonus,
    PersonView,
    PriceList,
    Purchase,
    Registration,
)
from hamyon.users.routes.request import TEXT, PersonName

Rubles = Annotated[str, Field(examples=["149.00"])]

_PRICE: Final = r"^([1-9][0-9]{0,9}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?))$"


def _decimal(value: object) -> object:
    """Strings as the document shows them: Decimal itself would take ``1e2`` and other digits."""
    wrong = isinstance(value, str) and not re.fullmatch(_PRICE, value, re.ASCII)
    if wrong or isinstance(value, bool):
        raise ValueError("must be rubles such as 149 or 149.00")
    return value


Price = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(gt=0, lt=10**10, max_digits=12, decimal_places=2),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _PRICE},
                # A number with kopecks is taken, but JSON Schema cannot say "two decimals" of it:
                # in binary, 0.57 is no multiple of 0.01.
                {"type": "integer", "minimum": 1, "maximum": 10**10 - 1},
            ],
            "description": "Rubles, with the discount if there is one. Kopecks are safest in a "
            "string; a number with two decimals is taken, too.",
            "examples": ["149.00"],
        }
    ),
]


class RegisterRequest(StrictModel):
    """Codes that name nobody, or no advertisement, are passed over and refuse nothing."""

    chat_id: TelegramId
    username: PersonName | None = Field(None, examples=["dilnoza"])
    referral_code: str | None = Field(None, examples=["ref_778"])
    advertising_source: str | None = Field(None, examples=["src_spring"])

    def registration(self) -> Registration:
        """As the service takes it."""
        return Registration(
            user_id=self.chat_id,
            username=self.username,
            username_given="username" in self.model_fields_set,
            referral_code=self.referral_code,
            advertising_source=self.advertising_source,
        )


class PaymentOfUser(AnswerModel):
    status: PaymentState
    amount: Rubles
    currency: str = Field(examples=[CURRENCY])
    item_name: str | None = Field(examples=["revivals_5"])
    quantity: int
    created_at: datetime

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """As its person sees it."""
        return cls(
            status=payment.state,
            amount=decimal(payment.amount_minor, CURRENCY_SCALE),
            currency=payment.currency,
            item_name=payment.package_key,
            quantity=payment.quantity,
            created_at=payment.created_at,
        )


class UserAnswer(AnswerModel):
    chat_id: TelegramId
    username: str | None
    ozhivashki: int = Field(description="Revivals that can be spent.", examples=[1])
    generation_count: int
    last_generation_time: datetime | None
    first_generation_time: datetime | None
    registered_at: datetime
    last_activity_time: datetime
    referral_code: str = Field(examples=["ref_777"])
    referred_by: int | None
    referral_bonus_claimed: bool = Field(description="Whether the inviter was rewarded.")
    daily_bonus_claimed_today: bool
    daily_bonus_streak: int
    discount_offered: bool
    advertising_source: str | None = Field(examples=["src_spring"])
    yookassa_payments: dict[str, PaymentOfUser] = Field(description="By payment id.")

    @classmethod
    def of(cls, view: PersonView) -> Self:
        """Field by field as the contract names them."""
        user, person = view.user, view.person
        return cls(
            chat_id=user.id,
            username=user.username,
            ozhivashki=view.available,
            generation_count=person.generation_count,
            last_generation_time=person.last_generation_at,
            first_generation_time=person.first_generation_at,
            registered_at=person.registered_at,
            last_activity_time=person.last_activity_at,
            referral_code=user.referral_code,
            referred_by=user.referrer_id,
            referral_bonus_claimed=view.inviter_rewarded,
            daily_bonus_claimed_today=view.daily.claimed_today,
            daily_bonus_streak=view.daily.streak,
            discount_offered=view.discount_offered,
            advertising_source=person.advertising_source,
            yookassa_payments={str(one.id): PaymentOfUser.of(one) for one in view.payments},
        )


class DailyBonusAnswer(AnswerModel):
    granted: int = Field(examples=[1])
    ozhivashki: int = Field(description="Revivals that can be spent now.", examples=[2])
    daily_bonus_streak: int = Field(examples=[3])
    next_bonus_at: datetime

    @classmethod
    def of(cls, bonus: DailyBonus) -> Self:
        """Field by field as the contract names them."""
        return cls(
            granted=bonus.granted,
            ozhivashki=bonus.available,
            daily_bonus_streak=bonus.streak,
            next_bonus_at=bonus.next_at,
        )


class PricedPackage(AnswerModel):
    item_name: str = Field(examples=["revivals_5"])
    title: str = Field(examples=["5 revivals"])
    revivals: int = Field(description="The bonus is part of it.", examples=[5])
    price: Rubles
    currency: str = Field(examples=[CURRENCY])
    discounted_price: str | None = Field(
        None, description="Of one; left out without a discount.", examples=["119.20"]
    )


class PricingAnswer(AnswerModel):
    packages: list[PricedPackage]
    discount_percent: int | None = Field(
        description="Used up by the first payment that succeeds with it.", examples=[20]
    )


def pricing(prices: PriceList) -> Mapping[str, object]:
    """What is for sale; ``discounted_price`` stands there only with a discount."""
    percent = prices.discount_percent
    items: list[dict[str, object]] = []
    for package in prices.packages:
        price_minor = package.prices[GATEWAY]
        item: dict[str, object] = {
            "item_name": package.key,
            "title": package.title(prices.language),
            "revivals": package.granted,
            "price": decimal(price_minor, CURRENCY_SCALE),
            "currency": CURRENCY,
        }
        if percent is not None:
            item["discounted_price"] = decimal(discounted(price_minor, percent), CURRENCY_SCALE)
        items.append(item)
    return {"packages": items, "discount_percent": percent}


class CreatePaymentRequest(StrictModel):
    """``price`` is what the person was shown for all of them: the service knows it better, and
    refuses another one."""

    item_name: str = Field(min_length=1, max_length=63, pattern=TEXT, examples=["revivals_5"])
    quantity: int = Field(ge=1, le=100, examples=[1])
    price: Price

    def wish(self, chat_id: int) -> Purchase:
        """As the service takes it."""
        return Purchase(chat_id, self.item_name, self.quantity, self.price)


class CreatePaymentAnswer(AnswerModel):
    payment_url: str
    payment_id: UUID
