"""The contract between payments and whoever takes people's money.

A gateway is one folder under ``providers`` and one line of wiring. It speaks its vendor's protocol
and decides nothing about credits: it opens what somebody may pay, tells what the vendor says of a
charge now, and sends money back. Every call may be made again; an outcome that nobody knows is
``Unclear``, never a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Protocol, TypeAlias
from uuid import UUID

from hamyon.kit.clock import Clock
from hamyon.kit.http import HttpClient
from hamyon.kit.settings import Settings
from hamyon.kit.texts import Language

KEY_LIFE: Final = timedelta(hours=23)
"""How long a vendor surely knows an idempotence key; YooKassa keeps them for 24 hours. An older one
is never sent again: the vendor is searched for what became of it."""

PaymentId = NewType("PaymentId", UUID)
RefundId = NewType("RefundId", UUID)


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is asked to pay. ``key`` is the same at each repetition, at most 64 signs."""

    payment_id: PaymentId
    user_id: int
    amount_minor: int
    title: str
    description: str
    language: Language
    key: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Where to pay. ``external_id`` is None where the vendor knows no charge before it is paid."""

    url: str
    external_id: str | None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The vendor surely did nothing, and would not if it were asked again like this."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows what the vendor did: ask it, or repeat the call with the same key."""

    reason: str


class ChargeState(StrEnum):
    """A charge in the vendor's own books."""

    PENDING = "pending"
    PAID = "paid"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as its vendor tells it now.

    ``payment_id`` is what of ours it carries, when that is genuine. ``at`` is the time under which
    the vendor lists it. ``payer_id`` is the Telegram id of who paid, where the vendor knows it.
    """

    external_id: str
    state: ChargeState
    amount_minor: int
    currency: str
    at: datetime
    payment_id: PaymentId | None = None
    payer_id: int | None = None
    cancel_reason: str | None = None


class RefundState(StrEnum):
    """A refund, in the vendor's books and in ours; ``sending`` is ours alone."""

    SENDING = "sending"
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundMade:
    """A refund as its vendor tells it now. ``refund_id``: what of ours it carries."""

    external_id: str
    charge_id: str
    state: RefundState
    amount_minor: int
    currency: str
    at: datetime
    refund_id: RefundId | None = None
    reason: str | None = None


Fact = Charge | RefundMade
"""What a vendor says now."""


@dataclass(frozen=True, slots=True)
class Event:
    """A genuine message of the vendor: ``subject`` is the charge that it is about."""

    key: str
    subject: str


@dataclass(frozen=True, slots=True)
class RefundWish:
    """Money to be sent back for the charge ``charge_id``; ``key`` as in ``Offer``."""

    refund_id: RefundId
    payment_id: PaymentId
    charge_id: str
    payer_id: int
    amount_minor: int
    is_whole: bool
    reason: str
    key: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the vendor's books; ``cursor`` continues, None on the last page."""

    facts: Sequence[Fact]
    cursor: str | None


class Gateway(Protocol):
    """One way to pay. Its calls have a time-out and a byte limit, and raise nothing."""

    @property
    def name(self) -> str:
        """Its key in payments, packages and addresses."""
        ...

    @property
    def currency(self) -> str:
        """The one currency that it takes, ``RUB`` or ``XTR``."""
        ...

    @property
    def scale(self) -> int:
        """Digits behind the point of that currency."""
        ...

    @property
    def invoices_are_reusable(self) -> bool:
        """Whether one invoice may be paid again: then each charge is a purchase of its own."""
        ...

    @property
    def grants_what_was_paid(self) -> bool:
        """Whether a charge of another amount is granted in proportion, and flagged; else it is
        flagged and grants nothing."""
        ...

    @property
    def refunds_parts(self) -> bool:
        """Whether less than the whole can be sent back."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether it can reach its vendor. One that cannot sells nothing and has no books, and
        still settles what trusted services report."""
        ...

    async def open(self, offer: Offer) -> Opened | Declined | Unclear:
        """Make a place to pay. The same ``key``: the same place."""
        ...

    async def find(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Charge | Unclear | None:
        """The charge that carries ``payment_id``, made in [since, until); None: surely none, or
        nothing that anybody could pay without having seen it."""
        ...

    async def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> Event | None:
        """The event in a webhook, or None for what is not surely the vendor's."""
        ...

    async def truth(self, subject: str, events: Sequence[bytes]) -> Sequence[Fact] | Unclear:
        """What stands behind the events about a charge: from the vendor itself, where it can be
        asked; else from ``events``, whose origin was checked when they were stored."""
        ...

    async def refund(self, wish: RefundWish) -> RefundMade | Declined | Unclear:
        """Send money back. The same ``key``: the same refund."""
        ...

    async def find_refund(self, wish: RefundWish) -> RefundMade | Unclear | None:
        """The refund that carries ``wish.refund_id``; None: surely none, or ``refund`` repeated
        is the look-up."""
        ...

    async def books(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        """One page of paid charges and finished refunds listed in [since, until), in any order."""
        ...


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What wiring gives to a gateway's folder. ``signing_key`` is for payments alone."""

    settings: Settings
    http: HttpClient
    clock: Clock
    signing_key: bytes = field(repr=False)


GatewayFactory: TypeAlias = Callable[[GatewayParts], Gateway | None]
"""None: the settings that this gateway needs are not there."""
