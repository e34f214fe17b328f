"""Payments and refunds: what the vendor remembers of them, and how it shows them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from sandbox.yookassa.amounts import amount
from sandbox.yookassa.cards import Card
from sandbox.yookassa.timeline import Position

GATEWAY_ID = "100700"
_IDS_BEGIN_S = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


class Status(StrEnum):
    """The vendor's states. Refunds know all but ``waiting_for_capture``; the last two are final."""

    PENDING = "pending"
    WAITING = "waiting_for_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who ended it, and why."""

    party: str
    reason: str

    @property
    def shown(self) -> dict[str, str]:
        return {"party": self.party, "reason": self.reason}


@dataclass(slots=True, eq=False)
class Refund:
    """Money on its way back. ``ends_ms`` is when a pending one is decided, as ``ending`` says."""

    id: str
    payment_id: str
    position: Position
    amount_minor: int
    status: Status
    metadata: Mapping[str, str]
    description: str | None = None
    cancellation: Cancellation | None = None
    ends_ms: int | None = None
    ending: Cancellation | None = None

    def shown(self) -> dict[str, object]:
        """The refund object. Metadata is absent where none was given, as after a refund by hand."""
        body: dict[str, object] = {
            "id": self.id,
            "payment_id": self.payment_id,
            "status": self.status.value,
            "created_at": moment(self.position[0]),
            "amount": amount(self.amount_minor),
        }
        if self.description is not None:
            body["description"] = self.description
        if self.metadata:
            body["metadata"] = self.metadata
        if self.cancellation is not None:
            body["cancellation_details"] = self.cancellation.shown
        return body


@dataclass(slots=True, eq=False)
class Payment:
    """One payment. ``ends_ms`` is when the vendor gives up waiting for the payer or the shop.

    ``amount_minor`` is what was asked, and after the capture what was captured.
    """

    id: str
    position: Position
    amount_minor: int
    status: Status
    metadata: Mapping[str, str]
    description: str | None = None
    captures_itself: bool = True
    return_url: str = ""
    confirmation_url: str = ""
    merchant_customer_id: str | None = None
    has_receipt: bool = False
    method: str = "bank_card"
    card: Card | None = None
    captured_ms: int | None = None
    ends_ms: int | None = None
    cancellation: Cancellation | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded_minor(self) -> int:
        """What has been sent back."""
        return sum(r.amount_minor for r in self.refunds if r.status is Status.SUCCEEDED)

    @property
    def refundable_minor(self) -> int:
        """What may still be sent back: pending refunds have their part reserved."""
        if self.status is not Status.SUCCEEDED:
            return 0
        taken = sum(r.amount_minor for r in self.refunds if r.status is not Status.CANCELED)
        return self.amount_minor - taken

    def shown(self, shop_id: str, fee_bps: int) -> dict[str, object]:
        """The payment object."""
        body: dict[str, object] = {
            "id": self.id,
            "status": self.status.value,
            "amount": amount(self.amount_minor),
            "recipient": {"account_id": shop_id, "gateway_id": GATEWAY_ID},
            "created_at": moment(self.position[0]),
            "test": True,
            "paid": self.status in {Status.WAITING, Status.SUCCEEDED},
            "refundable": self.refundable_minor > 0,
            "metadata": self.metadata,
        }
        if self.description is not None:
            body["description"] = self.description
        if self.merchant_customer_id is not None:
            body["merchant_customer_id"] = self.merchant_customer_id
        if self.cancellation is not None:
            body["cancellation_details"] = self.cancellation.shown
        self._show_confirmation(body)
        self._show_method(body)
        self._show_money(body, fee_bps)
        return body

    def _show_confirmation(self, body: dict[str, object]) -> None:
        """Present while the payment waits for the payer."""
        if self.status is Status.PENDING:
            body["confirmation"] = {
                "type": "redirect",
                "return_url": self.return_url,
                "confirmation_url": self.confirmation_url,
            }

    def _show_method(self, body: dict[str, object]) -> None:
        if self.card is None:
            return
        method: dict[str, object] = {
            "type": self.method,
            "id": self.id,
            "saved": False,
            "status": "inactive",
        }
        body["payment_method"] = method
        if self.method == "bank_card":
            method["title"] = f"Bank card *{self.card.number[-4:]}"
            method["card"] = self.card.shown
            body["authorization_details"] = {
                "rrn": str(int(self.id[-12:], 16) % 10**12),
                "auth_code": str(int(self.id[:8], 16) % 10**6),
                "three_d_secure": {"applied": False},
            }

    def _show_money(self, body: dict[str, object], fee_bps: int) -> None:
        if self.status is Status.WAITING and self.ends_ms is not None:
            body["expires_at"] = moment(self.ends_ms)
        if self.status is Status.SUCCEEDED:
            fee_minor = (self.amount_minor * fee_bps + 5_000) // 10_000
            body["income_amount"] = amount(self.amount_minor - fee_minor)
            body["refunded_amount"] = amount(self.refunded_minor)
        if self.captured_ms is not None:
            body["captured_at"] = moment(self.captured_ms)
        if self.has_receipt:
            known = {Status.SUCCEEDED: "succeeded", Status.CANCELED: "canceled"}
            body["receipt_registration"] = known.get(self.status, "pending")


def moment(at_ms: int) -> str:
    """A time as the vendor writes it: UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def new_id(at_ms: int, kind: str) -> str:
    """36 characters, beginning with the time as the vendor's do; ``kind`` is four digits."""
    seconds = (at_ms // 1000 - _IDS_BEGIN_S) & 0xFFFFFFFF
    return f"{seconds:08x}-{kind}-5000-8000-{secrets.token_hex(6)}"
