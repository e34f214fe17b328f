"""A bot's Stars: its charges, what was given back, and its list of transactions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

XTR: Final = "XTR"


class Planted(BaseModel):
    """A transaction that a test says has happened. Times: Unix seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=200)
    amount: PositiveInt
    date: PositiveInt
    user_id: PositiveInt
    invoice_payload: str = Field(max_length=128)
    refunded_at: PositiveInt | None = None

    @model_validator(mode="after")
    def _refunded_afterwards(self) -> Self:
        if self.refunded_at is not None and self.refunded_at < self.date:
            raise ValueError("refunded_at lies before date")
        return self


@dataclass(slots=True)
class Charge:
    """One payment of Stars to a bot. ``refunded_at`` is set once and for ever."""

    id: str
    provider_id: str
    user_id: int
    amount: int
    payload: str
    date: int
    refunded_at: int | None = None

    def as_payment(self) -> dict[str, object]:
        """As ``successful_payment`` and ``refunded_payment`` tell it, in the server's order."""
        return {
            "currency": XTR,
            "total_amount": self.amount,
            "invoice_payload": self.payload,
            "telegram_payment_charge_id": self.id,
            "provider_payment_charge_id": self.provider_id,
        }


@dataclass(frozen=True, slots=True)
class Transaction:
    """A charge coming in, or going back under the same id."""

    charge: Charge
    date: int
    is_refund: bool


class AlreadyRefundedError(Exception):
    """The charge was given back before."""


@dataclass(slots=True)
class Books:
    """``transactions`` are in the order of their dates."""

    charges: dict[str, Charge] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    stars: int = 0

    def charge(self, user_id: int, amount: int, payload: str) -> Charge:
        """Book a payment that happens now."""
        charge = Charge(
            id="stx" + secrets.token_urlsafe(45),
            provider_id=f"{user_id}_{len(self.charges)}",
            user_id=user_id,
            amount=amount,
            payload=payload,
            date=int(time.time()),
        )
        self.charges[charge.id] = charge
        self._append(Transaction(charge, charge.date, is_refund=False))
        self.stars += amount
        return charge

    def refund(self, charge: Charge) -> None:
        """Book that a charge goes back now. Raises ``AlreadyRefundedError``."""
        if charge.refunded_at is not None:
            raise AlreadyRefundedError
        charge.refunded_at = int(time.time())
        self._append(Transaction(charge, charge.refunded_at, is_refund=True))
        self.stars -= charge.amount

    def plant(self, planted: Sequence[Planted]) -> None:
        """Book what is said to have happened. Raises ``ValueError`` for an id that is there."""
        fresh = {one.id for one in planted}
        if len(fresh) < len(planted) or not fresh.isdisjoint(self.charges):
            raise ValueError("an id is there twice")
        for one in planted:
            charge = Charge(
                id=one.id,
                provider_id=f"{one.user_id}_{len(self.charges)}",
                user_id=one.user_id,
                amount=one.amount,
                payload=one.invoice_payload,
                date=one.date,
                refunded_at=one.refunded_at,
            )
            self.charges[charge.id] = charge
            self.transactions.append(Transaction(charge, charge.date, is_refund=False))
            if charge.refunded_at is None:
                self.stars += charge.amount
            else:
                self.transactions.append(Transaction(charge, charge.refunded_at, is_refund=True))
        self.transactions.sort(key=_date)

    def _append(self, transaction: Transaction) -> None:
        """Keep the order also when something was planted in the future."""
        self.transactions.append(transaction)
        if len(self.transactions) > 1 and self.transactions[-2].date > transaction.date:
            self.transactions.sort(key=_date)


def _date(transaction: Transaction) -> int:
    return transaction.date
