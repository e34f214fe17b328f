"""Telegram Stars as a gateway of payments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hamyon.kit.clock import Clock
from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Declined,
    Event,
    Fact,
    Gateway,
    GatewayParts,
    Listed,
    Offer,
    Opened,
    PaymentId,
    RefundMade,
    RefundState,
    RefundWish,
    Unclear,
)
from hamyon.payments.types.stars import STARS, XTR, StarEvent
from hamyon.providers.stars.books import StarBooks
from hamyon.providers.stars.payload import payload_of, payment_id_of
from hamyon.providers.telegram.api import Answered, BotApi, BotRefused, BotUnclear

TITLE_MAX: Final = 32
DESCRIPTION_MAX: Final = 255
_SERVER_CODE: Final = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_ALREADY_REFUNDED: Final = "CHARGE_ALREADY_REFUNDED"
_NO_BOT: Final = Declined("not_connected", "there is no bot here: BOT_TOKEN is not set")


def gateway(parts: GatewayParts) -> Gateway:
    """The gateway, always: without a bot of its own it still credits what services report.

    Neither is ``STARS_ENABLED`` asked: it stops selling, while what is on its way must still be
    credited, refunded and compared.
    """
    settings = parts.settings
    bot = None
    if settings.bot_token is not None:
        bot = BotApi(
            parts.http,
            token=settings.bot_token.get_secret_value(),
            base_url=settings.telegram_api_base_url,
            timeout_s=settings.telegram_timeout_s,
        )
    return StarsGateway(bot, parts.clock, parts.signing_key)


_BAD_REQUEST: Final = 400
"""The one refusal that is about the charge itself."""


class StarsGateway:
    """A ``Gateway`` over the Bot API; ``bot`` is None where services alone speak with Telegram.

    Telegram knows no charge before it is paid and cannot be asked about one: what happened comes
    over the bot's own connection as events, and hourly out of the statement.
    """

    name: Final = STARS
    currency: Final = XTR
    scale: Final = 0
    invoices_are_reusable: Final = True
    grants_what_was_paid: Final = True
    refunds_parts: Final = False

    def __init__(self, bot: BotApi | None, clock: Clock, signing_key: bytes) -> None:
        self._bot = bot
        self._clock = clock
        self._signing_key = signing_key

    @property
    def is_connected(self) -> bool:
        return self._bot is not None

    def invoice_of(self, payload: str) -> PaymentId | None:
        """The payment that an invoice's payload names; None for whatever we did not sign."""
        return payment_id_of(payload, self._signing_key)

    async def open(self, offer: Offer) -> Opened | Declined | Unclear:
        """A link to the invoice. Asking again makes another link to the same payment, and each
        charge by either is a purchase; so it is harmless, and there is no key to repeat."""
        if self._bot is None:
            return _NO_BOT
        title = _clipped(offer.title, TITLE_MAX)
        wanted = {
            "title": title,
            "description": _clipped(offer.description or offer.title, DESCRIPTION_MAX),
            "payload": payload_of(offer.payment_id, self._signing_key),
            "provider_token": "",
            "currency": XTR,
            "prices": [{"label": title, "amount": offer.amount_minor}],
        }
        outcome = await self._bot.call("createInvoiceLink", wanted)
        if not isinstance(outcome, Answered):
            return _not_done(outcome)
        link = outcome.result
        if not isinstance(link, str) or not link.startswith(("https://", "http://")):
            return Unclear("createInvoiceLink answered without a link")
        return Opened(url=link, external_id=None)

    async def find(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Charge | Unclear | None:
        """None: an invoice that nobody paid is nothing at Telegram, and one that was paid is told
        by its event and found again by ``books``."""
        del payment_id, since, until
        return None

    async def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> Event | None:
        """None: there is no web door; the bot stores what Telegram tells it."""
        del address, headers, body
        return None

    async def truth(self, subject: str, events: Sequence[bytes]) -> Sequence[Fact] | Unclear:
        """What the stored events say of the charge ``subject``, its payment before its refund."""
        charges: list[Fact] = []
        refunds: list[Fact] = []
        try:
            for event in map(_event, events):
                if event.telegram_payment_charge_id != subject:
                    continue
                if event.kind == "successful_payment":
                    charges.append(self._charge(event))
                else:
                    refunds.append(_refund_told(event))
        except (TypeError, ValueError, OverflowError, OSError):
            # Passing over it could lose somebody's money without a word.
            return Unclear(f"an event about {subject} cannot be read")
        return charges + refunds

    async def refund(self, wish: RefundWish) -> RefundMade | Declined | Unclear:
        """Send all Stars of a charge back. Telegram gives none back twice, so that a repetition
        says ``CHARGE_ALREADY_REFUNDED``, which is success."""
        if self._bot is None:
            return Unclear(_NO_BOT.message)
        if not wish.is_whole:
            return Declined("partial_refund", "Telegram sends back all Stars of a charge or none")
        charge = {"user_id": wish.payer_id, "telegram_payment_charge_id": wish.charge_id}
        outcome = await self._bot.call("refundStarPayment", charge)
        if isinstance(outcome, Answered):
            done = outcome.result is True
            return self._refunded(wish) if done else Unclear("refundStarPayment did not say True")
        if isinstance(outcome, BotRefused) and _ALREADY_REFUNDED in outcome.description:
            return self._refunded(wish)
        if isinstance(outcome, BotRefused) and outcome.error_code != _BAD_REQUEST:
            # A refused bot says nothing of the charge: an earlier call may have sent it back.
            return Unclear(f"{outcome.error_code} {outcome.description}")
        return _not_done(outcome)

    async def find_refund(self, wish: RefundWish) -> RefundMade | Unclear | None:
        """None, at any time: repeating ``refund`` is the look-up, since its key is the charge."""
        del wish
        return None

    async def books(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        """One page of the bot's statement."""
        if self._bot is None:
            return Unclear(_NO_BOT.message)
        return await StarBooks(self._bot, self._signing_key).page(since, until, cursor)

    def _charge(self, event: StarEvent) -> Charge:
        return Charge(
            external_id=event.telegram_payment_charge_id,
            state=ChargeState.PAID,
            amount_minor=event.total_amount,
            currency=event.currency,
            at=event.time,
            payment_id=self.invoice_of(event.invoice_payload),
            payer_id=event.telegram_id,
        )

    def _refunded(self, wish: RefundWish) -> RefundMade:
        return RefundMade(
            external_id=wish.charge_id,
            charge_id=wish.charge_id,
            state=RefundState.DONE,
            amount_minor=wish.amount_minor,
            currency=XTR,
            at=self._clock.now(),
            refund_id=wish.refund_id,
        )


def _refund_told(event: StarEvent) -> RefundMade:
    return RefundMade(
        external_id=event.telegram_payment_charge_id,
        charge_id=event.telegram_payment_charge_id,
        state=RefundState.DONE,
        amount_minor=event.total_amount,
        currency=event.currency,
        at=event.time,
    )


def _event(raw: bytes) -> StarEvent:
    """Raises TypeError or ValueError for what is no event of ours."""
    event = StarEvent.from_bytes(raw)
    numbers: tuple[object, ...] = (event.total_amount, event.telegram_id, event.at)
    if not all(type(one) is int and one > 0 for one in numbers):
        raise ValueError("an amount, a payer or a time that is no number")
    texts: tuple[object, ...] = (
        event.currency,
        event.invoice_payload,
        event.telegram_payment_charge_id,
    )
    if not all(isinstance(one, str) for one in texts):
        raise ValueError("a currency, a payload or a charge that is no text")
    if event.kind not in {"successful_payment", "refunded_payment"}:
        raise ValueError("neither a payment nor a refund")
    return event


def _not_done(outcome: BotRefused | BotUnclear) -> Declined | Unclear:
    """429 was surely not done, but the same call may succeed later: it is to be repeated."""
    if isinstance(outcome, BotUnclear):
        return Unclear(outcome.reason)
    if outcome.may_repeat:
        return Unclear(outcome.description)
    code = _SERVER_CODE.search(outcome.description)
    return Declined(code[0] if code else f"telegram_{outcome.error_code}", outcome.description)


def _clipped(text: str, limit: int) -> str:
    """At most ``limit`` UTF-16 units, which is how Telegram counts."""
    return text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
