"""What drawings know of people, what they are asked, and what they need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from hamyon.catalog.types import Package
from hamyon.kit.money import Asset
from hamyon.kit.texts import Language
from hamyon.ledger.types import Balance
from hamyon.payments.types import Needs as PaymentNeeds
from hamyon.payments.types import Payment
from hamyon.rewards.types import DailyStatus
from hamyon.users.types import Contact, SignIn, User, referrer_of_code

PRODUCT: Final = "drawings"
UNIT: Final = Asset.REVIVAL
GATEWAY: Final = "yookassa"
"""The way in which drawings are paid, and below it that way's currency."""
CURRENCY: Final = "RUB"
CURRENCY_SCALE: Final = 2
"""Digits behind the point: prices are kept in kopecks."""

_SOURCE: Final = re.compile(r"src_[A-Za-z0-9_-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registration:
    """Somebody who came to drawings. Codes are as they were given, whatever stands in them."""

    user_id: int
    username: str | None
    username_given: bool
    referral_code: str | None
    advertising_source: str | None

    def contact(self) -> Contact:
        """As people are told of it; a code that names nobody is not handed on."""
        known = referrer_of_code(self.referral_code) is not None
        return Contact(
            user_id=self.user_id,
            username=self.username,
            referral_code=self.referral_code if known else None,
            given=frozenset({"username"} if self.username_given else ()),
        )

    @property
    def source(self) -> str | None:
        """The advertisement he came by, when it is named as such."""
        source = self.advertising_source
        return source if source is not None and _SOURCE.fullmatch(source) else None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom drawings know."""

    user_id: int
    advertising_source: str | None
    generation_count: int
    first_generation_at: datetime | None
    last_generation_at: datetime | None
    registered_at: datetime
    last_activity_at: datetime


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody with all that is shown of him. ``inviter_rewarded``: for his first drawing."""

    user: User
    person: Person
    available: int
    daily: DailyStatus
    inviter_rewarded: bool
    discount_offered: bool
    payments: Sequence[Payment]


@dataclass(frozen=True, slots=True)
class DailyBonus:
    """A day's bonus and what can be spent with it."""

    granted: int
    available: int
    streak: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class PriceList:
    """What is for sale, and the discount that the person who asks may still use."""

    packages: Sequence[Package]
    language: Language
    discount_percent: int | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """So many of a package at a price in rubles, which the person was shown for all of them."""

    user_id: int
    item_name: str
    quantity: int
    price: Decimal

    @property
    def price_minor(self) -> int:
        """In kopecks; a price has no smaller part."""
        return int(self.price.scaleb(CURRENCY_SCALE))


def is_empty(wallet: Balance | None) -> bool:
    """Nothing to spend, and nothing that an order could still give back."""
    return wallet is None or wallet.posted == 0


class Needs(PaymentNeeds, Protocol):
    """What drawings' routes need beyond what payments need."""

    @property
    def sign_in(self) -> SignIn: ...
