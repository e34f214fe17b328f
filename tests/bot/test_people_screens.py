"""Every screen about people and their money fits into one message, in every language, whoever looks
at it; and what it says of amounts and times is grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from inspect import getmembers, isfunction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hamyon.catalog.types import Package
from hamyon.kit.ids import new_id
from hamyon.kit.money import Asset
from hamyon.kit.texts import LANGUAGES, Language
from hamyon.ledger.types import AMOUNT_LIMIT, Balance, LedgerLine, TransferKind
from hamyon.messages.service import preferences
from hamyon.messages.types import Keyboard
from hamyon.payments.service.stars import Options, Preset
from hamyon.payments.types import Payment, PaymentId, PaymentState
from hamyon.products.drawings.types import DailyBonus
from hamyon.rewards.errors import PromoCodeNotFound, PromoTriesExhausted
from hamyon.rewards.types import Redeemed, Referral, ReferralTerms
from hamyon.surfaces.bot.flows import (
    daily,
    menu,
    paysupport,
    profile,
    promo,
    referral,
    topup,
    wallet,
)
from hamyon.surfaces.bot.phrases import amount, change, price, wait
from hamyon.users.types import Synced, User

SCREENS_OF = (daily, menu, paysupport, profile, promo, referral, topup, wallet)
TEXT_MAX, LABEL_MAX, DATA_MAX = 4096, 80, 64
LONG = "<&>😀" * 64
MANY = AMOUNT_LIMIT
NOW = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Tashkent")
ASSETS = tuple(Asset)
PERSON = User(2**63 - 1, LONG, LONG, LONG, "en", 2**63 - 2, None, True, None, None, NOW, NOW)
PAYMENT = Payment(
    id=PaymentId(new_id()),
    user_id=PERSON.id,
    gateway="g" * 32,
    state=PaymentState.PARTIALLY_REFUNDED,
    currency="RUB",
    amount_minor=MANY,
    asset="revival",
    amount=MANY,
    title="<" * 40,
    vendor_key="",
    vendor_key_at=NOW,
    created_at=NOW,
    url="https://t.me/$invoice",
)
OPTIONS = Options(True, MANY, MANY, Preset(MANY, MANY), (Preset(MANY, MANY),) * 100)
CLOSED = replace(OPTIONS, enabled=False)
TERMS = ReferralTerms(100, False, MANY, MANY, 365, ZONE)
LINES = [
    ("USD", LedgerLine(MANY, kind, sign * MANY, MANY, LONG, LONG, NOW))
    for kind in TransferKind
    for sign in (1, -1)
]
WALLETS = [Balance(asset, MANY, MANY - 1) for asset in ASSETS]
DAY = daily.Day(True, 2**31, (MANY,) * 31, NOW, timedelta(hours=23, minutes=59))


@dataclass(frozen=True)
class Way:
    """As much of a gateway as prices need."""

    name: str = "g" * 32
    currency: str = "RUB"
    scale: int = 2


PACKAGES = [
    Package("k" * 63, dict.fromkeys(LANGUAGES, "<" * 32), Asset.TOKEN, MANY, MANY, {"g" * 32: MANY},
            True, 1)
] * 200  # fmt: skip
WAYS: Any = {"g" * 32: Way()}

Maker = Callable[[Language], Sequence[str]]
SCREENS: dict[str, Maker] = {
    "welcome_screen": lambda language: [
        menu.welcome_screen(language, Synced(PERSON, is_new, True), free=2**31)
        for is_new in (True, False)
    ],
    "menu_screen": lambda language: [menu.menu_screen(language)],
    "creating_screen": lambda language: [menu.creating_screen(language, free=2**31)],
    "help_screen": lambda language: [menu.help_screen(language)],
    "terms_screen": lambda language: [menu.terms_screen(language)],
    "balance_screen": lambda language: [
        wallet.balance_screen(
            language, WALLETS, [replace(one, posted=-MANY) for one in WALLETS],
            LINES[at : at + wallet.RECENT], ZONE,
        )
        for at in range(0, len(LINES), wallet.RECENT)
    ],
    "history_screen": lambda language: [
        wallet.history_screen(language, asset, [line for _, line in LINES[: wallet.PAGE]], ZONE)
        for asset in ASSETS
    ],
    "ways_screen": lambda language: [
        topup.ways_screen(language, options, is_open=is_open)
        for options in (OPTIONS, CLOSED)
        for is_open in (True, False)
    ],
    "asking_screen": lambda language: [
        topup.asking_screen(language, OPTIONS, again=again) for again in (True, False)
    ],
    "packages_screen": lambda language: [
        topup.packages_screen(language, percent, is_empty=is_empty)
        for percent in (None, 99)
        for is_empty in (True, False)
    ],
    "payment_screen": lambda language: [topup.payment_screen(language, PAYMENT, 2)],
    "redeemed_screen": lambda language: [
        promo.redeemed_screen(language, Redeemed("<" * 200, "revival", MANY, None, MANY)),
        promo.redeemed_screen(language, Redeemed("<" * 200, None, None, 1000, None)),
    ],
    "refused_screen": lambda language: [
        promo.refused_screen(language, PromoTriesExhausted(retry_after_s=3600)),
        promo.refused_screen(language, PromoCodeNotFound()),
    ],
    "referral_screen": lambda language: [
        referral.referral_screen(
            language, "https://t.me/" + "x" * 200, Referral(MANY, MANY, earned), terms
        )
        for terms in (TERMS, replace(TERMS, first_payment_only=True))
        for earned in ({}, {str(asset): MANY for asset in ASSETS})
    ],
    "daily_screen": lambda language: [
        daily.daily_screen(language, replace(DAY, claimed=claimed, streak=streak), ZONE)
        for claimed in (True, False)
        for streak in (0, 1, 2**31)
    ],
    "claimed_screen": lambda language: [
        daily.claimed_screen(language, DailyBonus(MANY, MANY, 2**31, NOW), MANY, DAY, ZONE)
    ],
    "profile_screen": lambda language: [profile.profile_screen(language, PERSON, MANY, ZONE)],
    "payments_screen": lambda language: [
        paysupport.payments_screen(
            language, [replace(PAYMENT, state=state)] * paysupport.SHOWN, {}, ZONE
        )
        for state in PaymentState
    ] + [paysupport.payments_screen(language, [], {}, ZONE)],
}  # fmt: skip
KEYBOARDS: dict[str, Callable[[Language], Keyboard]] = {
    "menu": lambda language: menu.menu_rows(language, ("images", "drawings")),
    "balance": lambda language: wallet.balance_rows(language, WALLETS),
    "history": lambda language: wallet.history_rows(
        language, wallet.History(asset=Asset.REVIVAL, before=2**63 - 1), 2**63 - 1
    ),
    "ways": lambda language: topup.ways_rows(language, OPTIONS, ASSETS[:3]),
    "packages": lambda language: topup.packages_rows(language, PACKAGES, WAYS, 99),
    "payment": lambda language: topup.payment_rows(language, PAYMENT, 2),
    "referral": lambda language: referral.referral_rows(language, "https://t.me/" + "x" * 200),
    "daily": lambda language: daily.daily_rows(language, replace(DAY, claimed=False)),
    "languages": profile.language_rows,
    "profile": profile.profile_rows,
    "notifications": lambda language: profile.notification_rows(
        language, dict.fromkeys(preferences.topics_for(None), True)
    ),
}


def names() -> Iterator[str]:
    """Every function of these flows that makes a screen."""
    for module in SCREENS_OF:
        for name, function in getmembers(module, isfunction):
            if name.endswith("_screen") and function.__module__ == module.__name__:
                yield name


def shown(html: str) -> str:
    """What a message says when its tags are taken for what they are."""
    return unescape(re.sub(r"</?(?:b|i|code)>", "", html))


def units(text: str) -> int:
    """Characters as Telegram counts them."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted({*names(), *SCREENS}))
def test_every_screen_fits_into_a_message(name: str, language: Language) -> None:
    for html in SCREENS[name](language):
        assert 0 < units(shown(html)) <= TEXT_MAX
        assert not re.search(r"\{\w+\}", html), html
        assert not re.search(r"<(?!/?(?:b|i|code)>)", html), html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", KEYBOARDS)
def test_every_keyboard_is_one_that_telegram_takes(name: str, language: Language) -> None:
    rows = KEYBOARDS[name](language)
    assert 0 < sum(len(row) for row in rows) <= 100
    for button in (button for row in rows for button in row):
        assert 0 < units(button.text) <= LABEL_MAX, button
        assert not re.search(r"\{\w+\}", button.text), button
        assert len((button.data or "x").encode()) <= DATA_MAX, button


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 0, "0 credits"), ("en", 1, "1 credit"), ("en", 1234, "1,234 credits"),
        ("ru", 1, "1 кредит"), ("ru", 3, "3 кредита"), ("ru", 5, "5 кредитов"),
        ("ru", 11, "11 кредитов"), ("ru", 21, "21 кредит"), ("ru", 1112, "1\u00a0112 кредитов"),
        ("uz", 1, "1 kredit"), ("uz", 5000, "5\u00a0000 kredit"),
    ],
)  # fmt: skip
def test_amounts_are_grammar(language: Language, count: int, said: str) -> None:
    assert amount(language, "credit", count) == said
    assert change(language, "credit", count) == f"+{said}"
    if count:
        assert change(language, "credit", -count) == f"\u2212{said}"


@pytest.mark.parametrize(
    ("minor", "said"),
    [(0, "$0.00"), (1, "$0.000001"), (1_500_000, "$1.50"), (1_234_567_890_000, "$1,234,567.89")],
)
def test_dollars_are_shown_to_their_last_digit(minor: int, said: str) -> None:
    assert amount("en", "USD", minor) == said


def test_prices() -> None:
    assert price("en", "XTR", 1400, 0) == "1,400\u00a0⭐"
    assert price("ru", "RUB", 14900, 2) == "149\u00a0₽"
    assert price("ru", "RUB", 1_234_505, 2) == "12\u00a0345.05\u00a0₽"
    assert price("uz", "UZS", 5, 0) == "5\u00a0UZS"


def test_waits() -> None:
    assert wait("en", timedelta(0)) == "1 minute"
    assert wait("en", timedelta(seconds=61)) == "2 minutes"
    assert wait("en", timedelta(hours=1)) == "1 hour"
    assert wait("ru", timedelta(hours=22, minutes=21)) == "22 часа 21 минуту"
    assert wait("uz", timedelta(hours=23, seconds=1)) == "23 soat 1 daqiqa"
