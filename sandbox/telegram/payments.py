"""People pay invoices, and get Stars back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from sandbox.telegram.books import XTR, Charge
from sandbox.telegram.bots import Bot, News
from sandbox.telegram.messages import from_person
from sandbox.telegram.state import Checkout, Invoice, Person, State
from sandbox.telegram.updates import Updates

PRE_CHECKOUT_LIFETIME_S = 150.0
NO_ANSWER = "the bot did not answer"
NOT_ENOUGH = "not enough Stars"
PAID_BEFORE = "this invoice is already paid"


class NotPaidError(Exception):
    """Why a payment did not happen, as it is shown to the person."""


@dataclass(frozen=True, slots=True)
class Payments:
    """The part of Telegram between a person's tap on "Pay" and the bot's update."""

    state: State
    updates: Updates

    async def pay(self, invoice: Invoice, user_id: int, *, asks_bot: bool = True) -> Charge:
        """Pay once: the bot is asked, the Stars move, the bot is told.

        Raises ``NotPaidError``; then nothing has moved.
        """
        person = self.state.person(user_id)
        _check(invoice, person)
        if asks_bot:
            await self._ask(invoice, person)
            # While the bot was thinking the same person may have paid elsewhere.
            _check(invoice, person)
        person.stars -= invoice.amount
        invoice.paid = invoice.chat_id is not None
        charge = invoice.bot.books.charge(user_id, invoice.amount, invoice.payload)
        self._tell(invoice.bot, "successful_payment", charge)
        return charge

    def refund(self, bot: Bot, charge: Charge) -> None:
        """Give the Stars back and tell the bot, whoever wanted it.

        Raises ``AlreadyRefundedError``; then nothing has moved.
        """
        bot.books.refund(charge)
        self.state.person(charge.user_id).stars += charge.amount
        bot.counts.refunds.add(charge.id)
        self._tell(bot, "refunded_payment", charge)

    async def _ask(self, invoice: Invoice, person: Person) -> None:
        """Ask the bot whether it still wants the payment. Raises ``NotPaidError``."""
        bot = invoice.bot
        checkout = self.state.open_checkout(bot)
        bot.counts.pre_checkout["asked"] += 1
        query = {
            "id": checkout.id,
            "from": person.as_user(),
            "currency": XTR,
            "total_amount": invoice.amount,
            "invoice_payload": invoice.payload,
        }
        news = News(
            "pre_checkout_query", person.id, query, invoice.payload, PRE_CHECKOUT_LIFETIME_S
        )
        self.updates.publish(bot, news)
        refusal = await self._answer(checkout)
        if refusal is not None:
            raise NotPaidError(refusal)

    async def _answer(self, checkout: Checkout) -> str | None:
        """None for yes, else what to show."""
        counts = checkout.bot.counts
        try:
            timeout_s = self.state.settings.pre_checkout_timeout_s
            refusal = await asyncio.wait_for(checkout.answer, timeout_s)
        except TimeoutError:
            counts.pre_checkout["unanswered"] += 1
            self.state.give_up(checkout)
            return NO_ANSWER
        finally:
            self.state.checkouts.pop(checkout.id, None)
        counts.pre_checkout["ok" if refusal is None else "refused"] += 1
        counts.pre_checkout_ms.append(round((time.monotonic() - checkout.asked_at) * 1000))
        return refusal

    def _tell(self, bot: Bot, what: str, charge: Charge) -> None:
        message = from_person(bot, self.state.person(charge.user_id), {what: charge.as_payment()})
        self.updates.publish(bot, News("message", charge.user_id, message, charge.payload))


def _check(invoice: Invoice, person: Person) -> None:
    if invoice.paid:
        raise NotPaidError(PAID_BEFORE)
    if person.stars < invoice.amount:
        raise NotPaidError(NOT_ENOUGH)
