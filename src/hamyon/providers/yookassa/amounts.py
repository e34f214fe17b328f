"""Money as YooKassa writes it, ``"149.00"``, and as we count it, in kopecks; never a float."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,11})\.([0-9]{2})")


def minor_of(value: object) -> int | None:
    """Hundredths of the unit; None for anything but digits, a point and two digits."""
    parts = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    return None if parts is None else int(parts[1]) * 100 + int(parts[2])


def amount_of(amount_minor: int, currency: str) -> Mapping[str, str]:
    """The vendor's ``amount`` object. Raises ValueError for less than nothing."""
    if amount_minor < 0:
        raise ValueError("no amount is below zero")
    whole, hundredths = divmod(amount_minor, 100)
    return {"value": f"{whole}.{hundredths:02d}", "currency": currency}
