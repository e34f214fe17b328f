"""Telegram Stars as they come from bots: the event that is stored, and the rate."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Self

import orjson

STARS: Final = "stars"
"""The gateway's name."""
XTR: Final = "XTR"
AT_ONCE_MAX: Final = 10**12
"""Stars of one charge: far more than anybody has, and far from the end of the ledger's numbers."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``numerator`` credits for ``denominator`` Stars: 1000 for 70."""

    numerator: int
    denominator: int

    def credits(self, stars: int) -> int:
        """What so many Stars buy, rounded down. The same formula takes it back at a refund."""
        return stars * self.numerator // self.denominator


@dataclass(frozen=True, slots=True)
class StarEvent:
    """A ``successful_payment`` or ``refunded_payment`` of Telegram's, reduced to what counts.

    It is trusted: it came over the bot's own connection, or from a service with a key.
    ``telegram_id`` is who paid. ``at``: Unix time in seconds.
    """

    kind: Literal["successful_payment", "refunded_payment"]
    telegram_id: int
    total_amount: int
    currency: str
    invoice_payload: str
    telegram_payment_charge_id: str
    at: int
    provider_payment_charge_id: str | None = None

    @property
    def key(self) -> str:
        """What makes two deliveries one event: all that it says but when, so that a false report
        of a charge does not stand in for the true one."""
        said = (self.telegram_id, self.total_amount, self.currency, self.invoice_payload)
        digest = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
        return f"{self.kind}:{self.telegram_payment_charge_id}:{digest}"

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def to_bytes(self) -> bytes:
        """As the inbox keeps it."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """The inverse of ``to_bytes``."""
        return cls(**orjson.loads(raw))
