"""What the bot takes from wiring, and how it speaks with Telegram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from hamyon.kit.limits import Limiter
from hamyon.media.types import Needs as MediaNeeds
from hamyon.messages.types import Needs as MessageNeeds
from hamyon.payments.types import Needs as PaymentNeeds
from hamyon.payments.types import PaymentId
from hamyon.products.images.types import Needs as ImageNeeds
from hamyon.surfaces.admin.types import Needs as AdminNeeds
from hamyon.users.types import Needs as UserNeeds

ALLOWED_UPDATES: Final = ("message", "callback_query", "pre_checkout_query", "my_chat_member")
"""The kinds of updates that Telegram keeps for us; payments are messages."""


CHAT_LIMIT: Final = "chat"
"""How fast a person's updates are answered."""
PHOTOS_LIMIT: Final = "chat_photos"
"""How fast the parts of his albums are taken."""
TOLD_LIMIT: Final = "chat_told"
"""How often he is told that he is too fast."""


@dataclass(frozen=True, slots=True)
class Chat:
    """What the bot remembers of a person's chat.

    ``expecting`` names the question that his next text answers, with the question's facts;
    ``choices`` are what he chose last.
    """

    user_id: int
    expecting: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    choices: Mapping[str, object] = field(default_factory=dict)


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


class Needs(ImageNeeds, PaymentNeeds, MessageNeeds, AdminNeeds, UserNeeds, MediaNeeds, Protocol):
    """What the bot takes from wiring: everything that it does is done by the slices."""

    @property
    def limiter(self) -> Limiter: ...

    @property
    def bot(self) -> BotClient | None:
        """None without ``BOT_TOKEN``."""
        ...

    @property
    def bot_secret(self) -> str:
        """What Telegram repeats in each webhook: letters, digits, ``_`` and ``-``."""
        ...

    @property
    def conversations(self) -> Conversations | None:
        """Who talks with people; None without ``BOT_TOKEN``."""
        ...


class Conversations(Protocol):
    """Everything in a chat that moves no money by itself."""

    async def take(self, needs: Needs, update: Mapping[str, object]) -> None:
        """Keep an update; it is answered by and by, once for ever.

        Raises what kept it from being kept: then Telegram must send it again.
        """
        ...

    async def sweep(self, needs: Needs) -> None:
        """Go on with what dead processes left."""
        ...

    async def close(self, within_s: float) -> None:
        """Finish what is in hand, for so long at most."""
        ...

    async def introduce(self, needs: Needs) -> None:
        """Tell Telegram what can be typed here, however long that takes. Raises nothing."""
        ...
