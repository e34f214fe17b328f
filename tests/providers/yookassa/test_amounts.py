"""Roubles as text and kopecks as numbers: the same both ways, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamyon.providers.yookassa.amounts import amount_of, minor_of


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("0.00", 0),
        ("0.01", 1),
        ("1.00", 100),
        ("149.00", 14_900),
        ("70.10", 7010),
        ("0.29", 29),
        ("999999999999.99", 99_999_999_999_999),
    ],
)
def test_what_is_read(text: str, minor: int) -> None:
    assert minor_of(text) == minor


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "1", "1.", "1.0", "1.000", ".50", "01.00", "00.00", "-1.00", "+1.00", " 1.00"),
        *("1.00 ", "1.00\n", "1,00", "1 000.00", "1_000.00", "1e2", "1.0e2", "0x1.00", "NaN"),
        *("Infinity", "١.٠٠", "１.00", "1.0٠", "1000000000000.00", "1.00RUB", "1.00\x00"),
        *(None, 1, 1.0, 149.0, True, ["1.00"], {"value": "1.00"}, b"1.00"),
    ],
)
def test_what_is_not_read(value: object) -> None:
    assert minor_of(value) is None


@given(st.integers(0, 10**14 - 1))
def test_both_ways(minor: int) -> None:
    amount = amount_of(minor, "RUB")
    assert amount["currency"] == "RUB"
    assert minor_of(amount["value"]) == minor


def test_below_nothing() -> None:
    with pytest.raises(ValueError, match="below"):
        amount_of(-1, "RUB")
