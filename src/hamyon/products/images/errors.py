"""What the images product refuses by itself."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError


class PriceChanged(HamyonError):
    """The price changed between the look and the order, twice in a row."""

    code = "price_changed"
    status = 409
