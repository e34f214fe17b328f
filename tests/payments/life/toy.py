"""A vendor in memory, for tests whose subject is what we make of a vendor's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from hamyon.kit.clock import Clock
from hamyon.payments.types import (
    Charge,
    ChargeState,
    Declined,
    Event,
    Fact,
    Listed,
    Offer,
    Opened,
    PaymentId,
    RefundId,
    RefundMade,
    RefundState,
    RefundWish,
    Unclear,
)

T = TypeVar("T")


class Mood(StrEnum):
    """What the vendor does with the next calls."""

    FINE = "fine"
    SLOW = "slow"  # a refund is made later
    FAILING = "failing"  # a refund is taken and not made
    DECLINING = "declining"
    DEAF = "deaf"  # nothing is done, and nobody answers
    DUMB = "dumb"  # all is done, and nobody answers


@dataclass(slots=True)
class ToyVendor:
    """A gateway and its vendor's books. ``answers`` keeps what it said, and to which call.

    ``names_charges``: a charge has its name before it is paid.
    """

    name: str
    currency: str
    scale: int
    invoices_are_reusable: bool
    grants_what_was_paid: bool
    refunds_parts: bool
    names_charges: bool
    clock: Clock
    is_connected: bool = True
    mood: Mood = Mood.FINE
    places: dict[str, Opened] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    refunds: dict[str, RefundMade] = field(default_factory=dict)
    answers: list[tuple[str, object]] = field(default_factory=list)

    async def open(self, offer: Offer) -> Opened | Declined | Unclear:
        return self._says("open", self._open(offer))

    async def find(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Charge | Unclear | None:
        found = next((c for c in self.charges.values() if c.payment_id == payment_id), None)
        return self._says("find", found)

    async def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> Event | None:
        return None

    async def truth(self, subject: str, events: Sequence[bytes]) -> Sequence[Fact] | Unclear:
        charges = [self.charges[subject]] if subject in self.charges else []
        return self._says("truth", [*charges, *self.refunds_of(subject)])

    async def refund(self, wish: RefundWish) -> RefundMade | Declined | Unclear:
        return self._says("refund", self._refund(wish))

    async def find_refund(self, wish: RefundWish) -> RefundMade | Unclear | None:
        made = [made for made in self.refunds.values() if made.refund_id == wish.refund_id]
        return self._says("find_refund", made[-1] if made else None)

    async def books(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        return Listed([*self.charges.values(), *self.refunds.values()], None)

    # --- what tests ask and tell it ---------------------------------------------------------------

    def refunds_of(self, charge_id: str) -> list[RefundMade]:
        return [made for made in self.refunds.values() if made.charge_id == charge_id]

    def left(self, charge_id: str) -> int:
        """What can still be sent back of a charge."""
        back = [
            made.amount_minor
            for made in self.refunds_of(charge_id)
            if made.state is not RefundState.FAILED
        ]
        return self.charges[charge_id].amount_minor - sum(back)

    def sent(self) -> Counter[RefundId]:
        """How often money really went back for each refund of ours."""
        return Counter(
            made.refund_id
            for made in self.refunds.values()
            if made.refund_id is not None and made.state is RefundState.DONE
        )

    # --- its books --------------------------------------------------------------------------------

    def _says(self, call: str, answer: T) -> T | Unclear:
        said = Unclear("no answer") if self.mood in {Mood.DEAF, Mood.DUMB} else answer
        self.answers.append((call, said))
        return said

    def _open(self, offer: Offer) -> Opened | Declined:
        if offer.key not in self.places:
            if self.mood in {Mood.DECLINING, Mood.DEAF}:
                return Declined("no", "not today")
            charge_id = f"{self.name}-{offer.key}" if self.names_charges else None
            now = self.clock.now()
            self.places[offer.key] = Opened(f"https://toy.example/{offer.key}", charge_id, now)
            if charge_id is not None:
                state, amount = ChargeState.PENDING, offer.amount_minor
                charge = Charge(charge_id, state, amount, self.currency, now, offer.payment_id)
                self.charges.setdefault(charge_id, charge)
        return self.places[offer.key]

    def _refund(self, wish: RefundWish) -> RefundMade | Declined:
        if wish.key not in self.refunds:
            is_payable = self.left(wish.charge_id) >= wish.amount_minor
            if self.mood in {Mood.DECLINING, Mood.DEAF} or not is_payable:
                return Declined("no", "there is nothing to send back")
            states = {Mood.SLOW: RefundState.PENDING, Mood.FAILING: RefundState.FAILED}
            self.refunds[wish.key] = RefundMade(
                f"back-{wish.key}",
                wish.charge_id,
                states.get(self.mood, RefundState.DONE),
                wish.amount_minor,
                self.currency,
                self.clock.now(),
                wish.refund_id,
            )
        return self.refunds[wish.key]
