"""Payments, refunds and differences as other slices may hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NewType
from uuid import UUID

from hamyon.payments.types.gateway import PaymentId, RefundId, RefundState

MismatchId = NewType("MismatchId", int)
RunId = NewType("RunId", UUID)


class PaymentState(StrEnum):
    """How a payment stands. The last three are all ``paid`` in the database."""

    CREATED = "created"
    PENDING = "pending"
    PAID = "paid"
    CANCELED = "canceled"
    REFUNDING = "refunding"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Payment:
    """One charge, or the place to make it. Amounts of money in minor units of ``currency``.

    ``amount`` is what the purchase promises, its bonus included; ``granted`` what the charge
    brought. ``payer_id`` is set where the vendor says who paid.
    """

    id: PaymentId
    user_id: int
    gateway: str
    state: PaymentState
    currency: str
    amount_minor: int
    asset: str
    amount: int
    title: str
    vendor_key: str
    vendor_key_at: datetime
    created_at: datetime
    rate_numerator: int | None = None
    rate_denominator: int | None = None
    package_key: str | None = None
    quantity: int = 1
    discount_id: int | None = None
    invoice_id: PaymentId | None = None
    external_id: str | None = None
    url: str | None = None
    vendor_at: datetime | None = None
    check_at: datetime | None = None
    checks: int = 0
    cancel_reason: str | None = None
    payer_id: int | None = None
    paid_minor: int | None = None
    granted: int | None = None
    paid_at: datetime | None = None
    refunded_minor: int = 0
    taken_back: int = 0

    def again(self, payment_id: PaymentId, now: datetime) -> Payment:
        """The same purchase once more, for a charge of its own. A discount counted once."""
        return Payment(
            id=payment_id,
            user_id=self.user_id,
            gateway=self.gateway,
            state=PaymentState.CREATED,
            currency=self.currency,
            amount_minor=self.amount_minor,
            asset=self.asset,
            amount=self.amount,
            title=self.title,
            vendor_key=str(payment_id),
            vendor_key_at=now,
            created_at=now,
            rate_numerator=self.rate_numerator,
            rate_denominator=self.rate_denominator,
            package_key=self.package_key,
            quantity=self.quantity,
            invoice_id=self.invoice_id or self.id,
        )

    @property
    def was_paid(self) -> bool:
        """Whether the charge succeeded, whatever was given back since."""
        return self.paid_at is not None

    def grant_for(self, paid_minor: int) -> int:
        """What a charge of ``paid_minor`` brings, rounded down: by the rate, else in proportion."""
        if self.rate_numerator is not None and self.rate_denominator is not None:
            return paid_minor * self.rate_numerator // self.rate_denominator
        return self.amount * paid_minor // self.amount_minor


def share(whole: int, part_minor: int, whole_minor: int) -> int:
    """What of ``whole`` belongs to ``part_minor`` of ``whole_minor``, rounded down.

    Taken of running totals it never drifts: when all of the money is given back, all is taken.
    """
    return whole * part_minor // whole_minor


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back, or on its way. ``taken`` is what it took of the granted amount: out of
    the wallet, and ``debt`` of it as a debt."""

    id: RefundId
    payment_id: PaymentId
    gateway: str
    origin: Literal["operator", "vendor"]
    state: RefundState
    amount_minor: int
    taken: int
    debt: int
    external_id: str | None
    vendor_key: str
    vendor_key_at: datetime
    check_at: datetime | None
    checks: int
    actor: str
    reason: str | None
    error: str | None
    vendor_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


class MismatchKind(StrEnum):
    """How a vendor's books and ours can differ."""

    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    STATE_DIFFERS = "state_differs"
    REFERENCE_DIFFERS = "reference_differs"
    SECOND_CHARGE = "second_charge"
    REFUND_ONLY_OURS = "refund_only_ours"
    REFUND_ONLY_THEIRS = "refund_only_theirs"
    REFUND_DIFFERS = "refund_differs"


MismatchState = Literal["open", "healed", "resolved"]
Decision = Literal["credit", "claw_back", "dismiss"]
"""What an operator does about a difference: give what the vendor says was paid, take back what the
vendor does not know of, or leave it."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference between a vendor's books and ours; ``subject`` is the vendor's id."""

    id: MismatchId
    gateway: str
    kind: MismatchKind
    subject: str
    payment_id: PaymentId | None
    ours: Mapping[str, object] | None
    theirs: Mapping[str, object] | None
    run_id: RunId | None
    state: MismatchState
    decision: Decision | None
    note: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """A look through a vendor's books, and how far it is."""

    id: RunId
    gateway: str
    since: datetime
    until: datetime
    state: Literal["listing", "comparing", "healing", "done", "failed"]
    heal: bool
    cursor: str | None
    listed: int
    compared: int
    differences: int
    healed: int
    error: str | None
    started_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Revenue:
    """What charges brought in one currency, and what of it went back."""

    currency: str
    payments: int
    paid_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """``next_after`` is what the next page starts behind; None on the last one."""

    payments: Sequence[Payment]
    next_after: tuple[datetime, PaymentId] | None
