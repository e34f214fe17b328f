"""Amounts, prices, days and waits, as people read them in their languages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from hamyon.kit.money import SCALE, Asset
from hamyon.kit.texts import Language, Markup, text
from hamyon.payments.service.purchase import decimal
from hamyon.payments.types import XTR

STAR: Final = "⭐"
NO_BREAK: Final = "\u00a0"
MINUS: Final = "\u2212"
_SIGNS: Final = {"RUB": "₽", XTR: STAR}


def number(language: Language, value: int) -> str:
    """With its thousands apart."""
    return f"{value:,}".replace(",", "," if language == "en" else NO_BREAK)


def amount(language: Language, asset: str, minor: int) -> str:
    """So much of an asset, with its name: ``1,000 credits``."""
    if asset == Asset.USD:
        return f"${_dollars(language, minor)}"
    shown = number(language, minor).replace("-", MINUS)
    return text(language, f"people.amount.label_{asset}", {"count": minor, "amount": shown})


def change(language: Language, asset: str, minor: int) -> str:
    """What a wallet gained or lost, with its sign."""
    sign = "+" if minor >= 0 else MINUS
    return sign + amount(language, asset, abs(minor))


def _dollars(language: Language, minor: int) -> str:
    whole, part = divmod(abs(minor), 10 ** SCALE[Asset.USD])
    shown = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"{MINUS if minor < 0 else ''}{number(language, whole)}.{shown}"


def price(language: Language, currency: str, minor: int, scale: int) -> str:
    """Money as it is paid: ``70 ⭐``, ``149 ₽``; without a fraction of nothing."""
    whole, _, part = decimal(minor, scale).partition(".")
    shown = number(language, int(whole))
    if part.strip("0"):
        shown += f".{part}"
    return f"{shown}{NO_BREAK}{_SIGNS.get(currency, currency)}"


def day(language: Language, moment: datetime, zone: ZoneInfo) -> str:
    """A calendar day of ``zone``."""
    return moment.astimezone(zone).strftime("%d %b %Y" if language == "en" else "%d.%m.%Y")


def time_of_day(moment: datetime, zone: ZoneInfo) -> str:
    """What clocks in ``zone`` show."""
    return moment.astimezone(zone).strftime("%H:%M")


def wait(language: Language, left: timedelta) -> str:
    """How long that is, in hours and minutes; never nothing."""
    minutes = max(1, -(-int(left.total_seconds()) // 60))
    hours, minutes = divmod(minutes, 60)
    parts = (("hours", hours), ("minutes", minutes))
    return " ".join(
        text(language, f"people.wait.label_{unit}", {"count": count})
        for unit, count in parts
        if count
    )


def joined(*parts: str) -> Markup:
    """A line of a list: its parts, whatever stands in them, with points between."""
    return Markup(
        " · ".join(
            part if isinstance(part, Markup) else escape(part, quote=False) for part in parts
        )
    )


def paragraphs(*parts: str | None) -> str:
    """A screen of its parts, an empty line between; None leaves one out."""
    return "\n\n".join(part for part in parts if part)


def lines(rows: Sequence[str]) -> str | None:
    """Rows below each other; None for none."""
    return "\n".join(rows) or None
