"""One update, whichever way it came: the money that it tells of or asks about."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from hamyon.payments.service import stars
from hamyon.payments.types import StarEvent
from hamyon.surfaces.bot.checkout import answer
from hamyon.surfaces.bot.types import Needs
from hamyon.surfaces.bot.updates import Question, Strange, money_of

log = structlog.get_logger("hamyon.bot")


async def take(needs: Needs, update: Mapping[str, object]) -> None:
    """Take one update, as it came. It may come again: nothing has its effect twice.

    A payment is committed to the inbox, and what people say to theirs, and only then is the update
    acknowledged. What this raises is what kept it from being committed: then, and only then,
    Telegram must send the update again.
    """
    money = money_of(update)
    if isinstance(money, Strange):
        # What was paid nevertheless is found in the bot's statement by the hourly comparison.
        log.error("a strange update was passed by", problem=money.problem)
    elif isinstance(money, StarEvent):
        await stars.receive(needs, money)
    elif isinstance(money, Question):
        await answer(needs, money)
    elif needs.conversations is not None:
        await needs.conversations.take(needs, update)
