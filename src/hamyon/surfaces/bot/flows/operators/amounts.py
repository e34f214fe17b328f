"""Amounts as operators type them: taken strictly, because they move money."""

from __future__ import annotations

import re
from typing import Final

from hamyon.ledger.types import AMOUNT_LIMIT

_AMOUNT: Final = re.compile(
    r"(?P<sign>[-\u2212]?)"
    r"(?P<whole>0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:[ \u00a0\u202f][0-9]{3})+)"
    r"(?:[.,](?P<part>[0-9]+))?",
    re.ASCII,
)


def read_amount(typed: str, scale: int = 0) -> int | None:
    """``100``, ``1 000``, ``-50``, and with a ``scale`` also ``149.50``: in minor units.

    None for everything else, for nothing, and for what the ledger could not hold.
    """
    found = _AMOUNT.fullmatch(typed.strip())
    if found is None:
        return None
    part = found["part"] or ""
    if len(part) > scale:
        return None
    whole = re.sub(r"\D", "", found["whole"])
    if len(whole) + scale > len(str(AMOUNT_LIMIT)):
        return None
    minor = int(whole + part.ljust(scale, "0"))
    if not 0 < minor <= AMOUNT_LIMIT:
        return None
    return -minor if found["sign"] else minor
