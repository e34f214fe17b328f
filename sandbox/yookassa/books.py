"""The vendor's memory of payments and refunds, and every step that they can take."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from sandbox.counters import Tally
from sandbox.yookassa.cards import Card
from sandbox.yookassa.envelope import invalid
from sandbox.yookassa.objects import Cancellation, Payment, Refund, Status, new_id
from sandbox.yookassa.shelf import Shelf

PAYMENTS_MAX = 1_000_000

Tell = Callable[[str, "Payment | Refund"], None]
"""Told of an event, such as ``payment.succeeded``, and what it is about."""


@dataclass(slots=True)
class Books:
    """Payments and refunds, with what is due when. Times are ms of the vendor's clock.

    ``counts`` and ``sums_minor`` are about what was done here, without what was planted;
    ``refunded_minor`` is by payment.
    """

    tell: Tell
    payments: Shelf[Payment] = field(default_factory=Shelf)
    refunds: Shelf[Refund] = field(default_factory=Shelf)
    counts: Counter[str] = field(default_factory=Counter)
    sums_minor: Counter[str] = field(default_factory=Counter)
    refunded_minor: Counter[str] = field(default_factory=Counter)
    created_by_metadata: Tally = field(default_factory=Tally)
    refunded_by_metadata: Tally = field(default_factory=Tally)
    capture_delay_ms_min: int = 0
    capture_delay_ms_max: int = 0
    _due: list[tuple[int, int, Payment | Refund]] = field(default_factory=list)
    _number: int = 0

    def next_number(self) -> int:
        """A number that nothing else has: it tells apart what was created in the same ms."""
        self._number += 1
        return self._number

    # --- payments -----------------------------------------------------------------------------

    def open(self, payment: Payment) -> None:
        """Remember a new payment, until its ``ends_ms`` at the most."""
        while len(self.payments) >= PAYMENTS_MAX:
            self.forget(self.payments.oldest())
        self.payments.add(payment)
        self._remember_due(payment, payment.ends_ms)
        self.counts["created"] += 1
        self.sums_minor["created"] += payment.amount_minor
        if payment.metadata:
            self.created_by_metadata.add(_key(payment.metadata))

    def pay(self, payment: Payment, card: Card, now_ms: int, hold_s: int) -> None:
        """The payer has paid; the money is the shop's at once, or held for it."""
        payment.card = card
        if payment.captures_itself:
            self._succeed(payment, now_ms)
            return
        payment.ends_ms = now_ms + hold_s * 1000
        self.payments.move(payment, Status.WAITING)
        self._remember_due(payment, payment.ends_ms)
        self.tell("payment.waiting_for_capture", payment)

    def capture(self, payment: Payment, amount_minor: int, now_ms: int) -> None:
        """Take held money, or a part of it; the rest goes back to the payer."""
        _must_wait(payment, "capture")
        if amount_minor > payment.amount_minor:
            raise invalid("amount.value", "The amount exceeds the authorized amount")
        payment.amount_minor = amount_minor
        self._succeed(payment, now_ms)

    def give_back(self, payment: Payment) -> None:
        """The shop does not want held money."""
        _must_wait(payment, "cancel")
        self.cancel(payment, Cancellation("merchant", "canceled_by_merchant"))

    def cancel(
        self, payment: Payment, cancellation: Cancellation, card: Card | None = None
    ) -> None:
        """End a payment without money; ``card`` is the one that was refused."""
        payment.cancellation, payment.ends_ms = cancellation, None
        payment.card = card or payment.card
        self.payments.move(payment, Status.CANCELED)
        self.counts["canceled"] += 1
        self.tell("payment.canceled", payment)

    def _succeed(self, payment: Payment, now_ms: int) -> None:
        payment.captured_ms, payment.ends_ms = now_ms, None
        self.note_capture(payment)
        self.payments.move(payment, Status.SUCCEEDED)
        self.counts["succeeded"] += 1
        self.sums_minor["succeeded"] += payment.amount_minor
        self.tell("payment.succeeded", payment)

    def note_capture(self, payment: Payment) -> None:
        """Keep how long it can take from creation to capture: it bounds what a list looks at.

        Less than nothing, when the clock was moved back in between.
        """
        if payment.captured_ms is not None:
            delay_ms = payment.captured_ms - payment.position[0]
            self.capture_delay_ms_min = min(self.capture_delay_ms_min, delay_ms)
            self.capture_delay_ms_max = max(self.capture_delay_ms_max, delay_ms)

    # --- refunds ------------------------------------------------------------------------------

    def refund(
        self,
        payment: Payment,
        amount_minor: int,
        now_ms: int,
        *,
        metadata: Mapping[str, str],
        description: str | None,
        pending_s: float,
        ending: Cancellation | None,
    ) -> Refund:
        """Begin to send money back; ``ending`` is why it will not arrive, None if it will.

        Raises ``RefusedError`` (400) for more than is left, or a payment that is not paid.
        """
        if payment.status is not Status.SUCCEEDED:
            raise invalid("payment_id", "The payment is not succeeded: it cannot be refunded")
        if amount_minor > payment.refundable_minor:
            raise invalid("amount.value", "Refund amount exceeds the amount that can be refunded")
        refund = Refund(
            id=new_id(now_ms, "0015"),
            payment_id=payment.id,
            position=(now_ms, self.next_number()),
            amount_minor=amount_minor,
            status=Status.PENDING,
            metadata=metadata,
            description=description,
            ends_ms=now_ms + round(pending_s * 1000),
            ending=ending,
        )
        payment.refunds.append(refund)
        self.refunds.add(refund)
        self.counts["refunds_created"] += 1
        if metadata:
            self.refunded_by_metadata.add(_key(metadata))
        if pending_s:
            self._remember_due(refund, refund.ends_ms)
        else:
            self._end_refund(refund)
        return refund

    def _end_refund(self, refund: Refund) -> None:
        """There is no event for a canceled refund."""
        refund.ends_ms, refund.cancellation = None, refund.ending
        if refund.ending is not None:
            self.refunds.move(refund, Status.CANCELED)
            self.counts["refunds_canceled"] += 1
            return
        self.refunds.move(refund, Status.SUCCEEDED)
        self.counts["refunds_succeeded"] += 1
        self.sums_minor["refunded"] += refund.amount_minor
        self.refunded_minor[refund.payment_id] += refund.amount_minor
        self.tell("refund.succeeded", refund)

    # --- time and memory ----------------------------------------------------------------------

    def let_time_pass(self, now_ms: int) -> None:
        """Do what is due by now, in the order in which it is due."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, _, item = heapq.heappop(self._due)
            if item.ends_ms != due_ms:
                continue  # It has ended, or waits for something else.
            if isinstance(item, Refund):
                self._end_refund(item)
            elif item.status is Status.PENDING:
                self.cancel(item, Cancellation("yoo_money", "expired_on_confirmation"))
            else:
                self.cancel(item, Cancellation("yoo_money", "expired_on_capture"))

    def plant(self, payments: Iterable[Payment]) -> None:
        """Remember payments that were made before; one with an id that is known replaces it.

        Raises ``ValueError`` and remembers nothing when two have the same id.
        """
        planted = list(payments)
        self._must_differ(planted)
        for payment in planted:
            known = self.payments.get(payment.id)
            if known is not None:
                self.forget(known)
            self._remember_due(payment, payment.ends_ms)
            self.note_capture(payment)
        self.payments.extend(planted)
        self.refunds.extend(refund for payment in planted for refund in payment.refunds)
        self.counts["planted"] += len(planted)

    def _must_differ(self, planted: Sequence[Payment]) -> None:
        ids = {payment.id for payment in planted}
        refunds = [refund for payment in planted for refund in payment.refunds]
        if len(ids) < len(planted) or len({refund.id for refund in refunds}) < len(refunds):
            raise ValueError("two payments or two refunds have the same id")
        for refund in refunds:
            known = self.refunds.get(refund.id)
            if known is not None and known.payment_id not in ids:
                raise ValueError(f"refund {refund.id} is known with another payment")

    def forget(self, payment: Payment) -> None:
        """Let go of a payment and its refunds."""
        payment.ends_ms = None
        self.payments.remove(payment)
        for refund in payment.refunds:
            refund.ends_ms = None
            self.refunds.remove(refund)

    def _remember_due(self, item: Payment | Refund, due_ms: int | None) -> None:
        if due_ms is not None:
            heapq.heappush(self._due, (due_ms, self.next_number(), item))


def _must_wait(payment: Payment, step: str) -> None:
    if payment.status is not Status.WAITING:
        raise invalid("payment_id", f"Payment in status {payment.status.value}: no {step} of it")


def _key(metadata: Mapping[str, str]) -> str:
    return orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS).decode()
