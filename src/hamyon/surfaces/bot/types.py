"""What the bot takes from wiring, and how it speaks with Telegram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from hamyon.payments import types as payments
from hamyon.payments.types import PaymentId

ALLOWED_UPDATES: Final = ("message", "pre_checkout_query")
"""The kinds of updates that Telegram keeps for us; payments are messages."""


class Trouble(Protocol):
    """A call that Telegram refused, or of which nobody knows what it did."""

    @property
    def code(self) -> int | None:
        """Telegram's ``error_code``; None when there was no clear answer."""
        ...

    @property
    def description(self) -> str:
        """For operators. It holds no secret."""
        ...

    @property
    def retry_after_s(self) -> float | None:
        """How long Telegram wants to be left alone."""
        ...


class BotClient(Protocol):
    """One bot at Telegram. Its calls have a time-out and a byte limit, and raise nothing."""

    async def get_me(self) -> str | Trouble:
        """The bot's username."""
        ...

    async def get_updates(
        self, offset: int | None, timeout_s: int, allowed_updates: Sequence[str]
    ) -> Sequence[Mapping[str, object]] | Trouble:
        """Updates from ``offset`` on, in their order; those below it are forgotten there.

        Waits up to ``timeout_s`` for the first one.
        """
        ...

    async def answer_pre_checkout(self, query_id: str, error_message: str | None) -> bool:
        """Let somebody pay, or tell him why not. Whether Telegram took the answer."""
        ...

    async def set_webhook(
        self, url: str, *, secret_token: str, allowed_updates: Sequence[str]
    ) -> Trouble | None:
        """Have updates sent to ``url``, beginning with those that wait. None: done."""
        ...

    async def delete_webhook(self) -> Trouble | None:
        """Keep updates for ``get_updates``; those that wait stay. None: done."""
        ...


@runtime_checkable
class Invoices(Protocol):
    """What the gateway of Stars knows of its own invoices, without asking anybody."""

    def invoice_of(self, payload: str) -> PaymentId | None:
        """The payment that a payload names; None for whatever we did not sign."""
        ...


class Needs(payments.Needs, Protocol):
    @property
    def bot(self) -> BotClient | None:
        """None without ``BOT_TOKEN``."""
        ...

    @property
    def bot_secret(self) -> str:
        """What Telegram repeats in each webhook: letters, digits, ``_`` and ``-``."""
        ...
