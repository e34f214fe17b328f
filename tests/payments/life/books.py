"""What the model of payments keeps, and how purses change: plain Python, no code of ours.

Hours are counted from the beginning of a life, which is at ten in the evening there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tests.payments.life.calls import DAWN, EndHold, Hold, Spend

MISMATCH: Final = "idempotency_mismatch"
KEY_HOURS: Final = 23
DISCOUNT_PERCENT: Final = 30
STARS_MIN: Final = 2
STARS_MAX: Final = 60
PEOPLE: Final = 4
USES_EACH: Final = 2
INVITERS: Final = {1: 0, 2: 1, 3: 1}
"""Who was invited by whom."""
CODES: Final = {"LIFE 7": 7, "LIFE 50": 50, "LIFE 133": 133}
PACKAGES: Final[dict[str, tuple[str, int, dict[str, int]]]] = {
    "life_credits": ("credit", 101, {"yookassa": 37, "stars": 13, "toy": 7}),
    "life_few": ("credit", 2, {"yookassa": 9, "toy": 5}),
    "life_tokens": ("token", 11, {"yookassa": 300, "toy": 3}),
    "life_revivals": ("revival", 6, {"yookassa": 50, "stars": 19, "toy": 2}),
}
"""What is granted of which asset, and the prices."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What inviting brings in this life, and what Stars cost."""

    percent: int
    first_only: bool
    join_bonus: int
    cap: int
    hold_days: int
    rate: tuple[int, int]


@dataclass(frozen=True, slots=True)
class House:
    """How a gateway behaves."""

    currency: str
    is_reusable: bool
    grants_what_was_paid: bool
    refunds_parts: bool
    names_charges: bool


HOUSES: Final = {
    "stars": House("XTR", True, True, False, False),
    "yookassa": House("RUB", False, False, True, True),
    "toy": House("PBL", True, False, True, False),
}


View: TypeAlias = dict[str, dict[Any, Any]]
"""What is compared, by kind and name."""


class Refused(Exception):
    """The model's refusal; its text is the code of the typed error."""


@dataclass(slots=True)
class Purse:
    wallet: int = 0
    held: int = 0
    debt: int = 0

    @property
    def available(self) -> int:
        return self.wallet - self.held


@dataclass(slots=True)
class Payment:
    """``invoice``: what a second charge was made for. ``is_watched``: its vendor will be asked."""

    who: int
    gateway: str
    price: int
    asset: str
    amount: int
    rate: tuple[int, int] | None
    hour: int
    is_discounted: bool = False
    invoice: str | None = None
    state: str = "created"
    charge: str | None = None
    is_open: bool = False
    is_watched: bool = True
    paid: int | None = None
    granted: int | None = None
    refunded: int = 0
    taken: int = 0

    def brings(self, paid: int) -> int:
        """What a charge of so much brings: the promise, the rate, or its part of the promise."""
        if paid == self.price:
            return self.amount
        if self.rate is not None:
            return paid * self.rate[0] // self.rate[1]
        return self.amount * paid // self.price


@dataclass(slots=True)
class Bonus:
    who: int
    payer: int | None
    payment: str | None
    asset: str
    amount: int
    day: int
    due: int
    state: str
    taken: int = 0


@dataclass(slots=True)
class Refund:
    """``took`` has what it took of bonuses: which, how much, the debt; None: it was on paper."""

    payment: str
    origin: str
    amount: int
    taken: int
    debt: int
    hour: int
    state: str = "sending"
    external: str | None = None
    took: list[tuple[str, int, int | None]] = field(default_factory=list)


@dataclass(slots=True)
class Books:
    """All that payments and rewards keep, by names that the database's rows have too."""

    terms: Terms
    hour: int = 0
    purses: defaultdict[tuple[int, str], Purse] = field(default_factory=lambda: defaultdict(Purse))
    holds: dict[str, tuple[Hold, int | None]] = field(default_factory=dict)
    spent: dict[str, Spend] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    bonuses: dict[str, Bonus] = field(default_factory=dict)
    waiting: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    redeemed: defaultdict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    discounts: dict[int, str | None] = field(default_factory=lambda: dict.fromkeys([1, 2]))
    kept: dict[tuple[int, str], tuple[tuple[object, ...], str]] = field(default_factory=dict)
    differences: dict[tuple[str, str, str], str] = field(default_factory=dict)
    debts_paid: int = 0
    bonuses_cut: int = 0

    @property
    def day(self) -> int:
        return (DAWN + self.hour) // 24

    def give(self, who: int, asset: str, amount: int, *, off_debt: int = 0) -> None:
        """``off_debt``: what this undoes had made so much debt, and what is left of it goes."""
        purse = self.purses[who, asset]
        forgiven = min(off_debt, purse.debt)
        purse.debt -= forgiven
        purse.wallet += amount - forgiven
        self._pay_debt(purse)

    def take(self, who: int, asset: str, amount: int) -> int:
        """Returns the debt that it made."""
        purse = self.purses[who, asset]
        there = min(amount, purse.available)
        purse.wallet -= there
        purse.debt += amount - there
        return amount - there

    def _pay_debt(self, purse: Purse) -> None:
        paid = min(purse.debt, purse.available)
        self.debts_paid += paid > 0
        purse.wallet -= paid
        purse.debt -= paid

    def spend(self, call: Spend) -> None:
        purse = self.purses[call.who, call.asset]
        if call.key not in self.spent:
            if purse.available < call.amount:
                raise Refused("insufficient_funds")
            purse.wallet -= call.amount
            self.spent[call.key] = call

    def hold(self, call: Hold) -> None:
        purse = self.purses[call.who, call.asset]
        if call.key not in self.holds:
            if purse.available < call.amount:
                raise Refused("insufficient_funds")
            purse.held += call.amount
            self.holds[call.key] = call, None

    def end_hold(self, call: EndHold) -> None:
        hold, captured = self.holds[call.hold]
        if captured is None:
            purse = self.purses[hold.who, hold.asset]
            purse.held -= hold.amount
            purse.wallet -= call.captured
            self.holds[call.hold] = hold, call.captured
            self._pay_debt(purse)
        elif captured != call.captured:
            raise Refused("hold_closed" if 0 in {captured, call.captured} else MISMATCH)

    def view(self) -> View:
        """Everything that can be compared, as ``tests.payments.life.rows`` reads it."""
        return {
            "purses": {
                name: (purse.wallet, purse.held, purse.debt)
                for name, purse in self.purses.items()
                if purse.wallet or purse.debt
            },
            "payments": {
                name: (
                    *(p.who, p.gateway, p.state, p.price, p.asset, p.amount, p.charge),
                    *(p.is_open, p.is_watched, p.paid, p.granted, p.refunded, p.taken),
                )
                for name, p in self.payments.items()
            },
            "refunds": {
                name: (r.payment, r.origin, r.state, r.amount, r.taken, r.debt, r.external)
                for name, r in self.refunds.items()
            },
            "bonuses": {
                name: (b.who, b.payer, b.asset, b.amount, b.taken, b.state)
                for name, b in self.bonuses.items()
            },
            "discounts": dict(self.discounts),
            "differences": dict(self.differences),
        }
