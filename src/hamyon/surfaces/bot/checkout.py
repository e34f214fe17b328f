"""Telegram's question before it takes somebody's Stars: may he pay?"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from hamyon.kit.texts import text
from hamyon.payments.service import stars
from hamyon.payments.types import STARS
from hamyon.surfaces.bot.types import Invoices, Needs
from hamyon.surfaces.bot.updates import Question

PATIENCE_S: Final = 3.0
"""Telegram waits 10 s for everything: its own way to us, our look, and our way back."""

log = structlog.get_logger("hamyon.bot")


async def answer(needs: Needs, question: Question) -> None:
    """Say yes, or why not: once, and in time, whatever state the database is in.

    A no charges nobody. An answer that does not arrive is a no, too, and is never given again:
    Telegram takes the first one only. Raises nothing.
    """
    if needs.bot is None:
        return
    refusal = await _refusal(needs, question)
    if not await needs.bot.answer_pre_checkout(question.id, refusal):
        log.warning("an answer before a payment did not arrive", was_yes=refusal is None)


async def _refusal(needs: Needs, question: Question) -> str | None:
    """None: he may pay; else the sentence that he reads."""
    gateway: object = needs.gateways.get(STARS)
    payment_id = gateway.invoice_of(question.payload) if isinstance(gateway, Invoices) else None
    look = asyncio.create_task(
        stars.may_pay(needs, payment_id, question.amount, question.currency, question.language)
    )
    look.add_done_callback(_forget)
    # Not waited for beyond that, nor for the end of its cancellation: towards a frozen database
    # that takes as long as the answer itself.
    done, _ = await asyncio.wait({look}, timeout=PATIENCE_S)
    if not done:
        look.cancel()
        problem = f"no answer within {PATIENCE_S:g} s"
    elif (error := look.exception()) is None:
        return look.result()
    else:
        problem = repr(error)
    log.error("the database could not be asked before a payment", problem=problem)
    return text(question.language, "payment.try_again")


def _forget(look: asyncio.Task[str | None]) -> None:
    """When nobody waits for it any more, its failure is no news."""
    if not look.cancelled():
        look.exception()
