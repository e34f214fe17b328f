"""Amounts: integers in an asset's minor unit, and the assets there are."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

Amount = NewType("Amount", int)
"""Minor units of one asset, 64 bits signed. Never a float."""


class Asset(StrEnum):
    """What can be held. One asset is never silently turned into another."""

    CREDIT = "credit"
    REVIVAL = "revival"
    TOKEN = "token"  # noqa: S105 -- the unit of portraits, not a secret
    USD = "USD"


SCALE: dict[Asset, int] = {Asset.CREDIT: 0, Asset.REVIVAL: 0, Asset.TOKEN: 0, Asset.USD: 6}
"""Digits behind the point: one USD is 1,000,000 minor units."""
