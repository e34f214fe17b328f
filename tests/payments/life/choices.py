"""What hypothesis chooses from in a life, and how a number becomes a choice."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st

from hamyon.payments.types import ChargeState, PaymentId
from tests.payments.life.books import Terms, View
from tests.payments.life.toy import Mood

V = TypeVar("V")

# The last ones of the chain most of all: two inviters stand behind them.
PAYER = st.sampled_from([0, 1, 2, 2, 3])
ASSETS = st.sampled_from(["credit", "credit", "credit", "token", "revival"])
MOODS = st.sampled_from([*[Mood.FINE] * 4, *Mood])
PICK = st.integers(0, 10_000)
COUNT = st.integers(1, 5)
HOW = st.sampled_from([
    *["exactly"] * 8, "more", "less", "a trifle", "in other money", "for nothing", "for nothing",
    "for another",
    "again", "again", "again", "again less", "again in other money",
])  # fmt: skip
STATES = st.sampled_from([*[ChargeState.PAID] * 5, ChargeState.PENDING, ChargeState.CANCELED])
TERMS = st.builds(
    Terms,
    percent=st.sampled_from([10, 10, 7]),
    first_only=st.sampled_from([False, False, True]),
    join_bonus=st.sampled_from([0, 15]),
    cap=st.sampled_from([0, 0, 20, 40]),
    hold_days=st.sampled_from([0, 0, 1, 3]),
    rate=st.sampled_from([(1000, 70), (10, 7), (9, 2)]),
)


def pick_of(some: dict[str, V], pick: int) -> tuple[str, V]:
    """Any of them, the newest ones more often than the others."""
    names = list(some)
    name = names[-1 - (pick // 3) % min(len(names), 2 if pick % 3 else len(names))]
    return name, some[name]


def differing(seen: View, expected: View) -> dict[tuple[str, object], tuple[object, object]]:
    """What is otherwise than expected: both, under its kind and name."""
    return {
        (kind, name): (seen[kind].get(name), expected[kind].get(name))
        for kind in seen
        for name in {**seen[kind], **expected[kind]}
        if seen[kind].get(name) != expected[kind].get(name)
    }


def payment_id(name: str) -> PaymentId:
    """Of a payment that was no second charge, whose name is its id."""
    return PaymentId(UUID(name))
