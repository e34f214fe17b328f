"""Rubles on the wire, kopecks inside."""

from __future__ import annotations

import re
from typing import Final

from sandbox.yookassa.envelope import invalid

CURRENCY: Final = "RUB"
_VALUE = re.compile(r"[0-9]{1,12}\.[0-9]{2}", re.ASCII)


def parse_value(value: str) -> int:
    """Kopecks of ``"100.00"``. Raises ``ValueError``."""
    if not _VALUE.fullmatch(value):
        raise ValueError("an amount has two digits behind the point, as in 100.00")
    return int(value.replace(".", ""))


def parse_amount(given: object, parameter: str = "amount") -> int:
    """Kopecks of ``{value, currency}``, above zero. Raises ``RefusedError`` (400)."""
    if not isinstance(given, dict):
        raise invalid(parameter, "Amount is missing or illegal")
    value, currency = given.get("value"), given.get("currency")
    if currency != CURRENCY:
        raise invalid(f"{parameter}.currency", "Incorrect currency code")
    try:
        minor = parse_value(value) if isinstance(value, str) else 0
    except ValueError:
        minor = 0
    if minor <= 0:
        raise invalid(f"{parameter}.value", "Incorrect value of the amount")
    return minor


def amount(minor: int) -> dict[str, str]:
    """``{value, currency}``."""
    return {"value": f"{minor // 100}.{minor % 100:02d}", "currency": CURRENCY}
