"""The commands that Telegram offers behind the button beside the text field."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import SetMyCommands
from aiogram.types import BotCommand, BotCommandScopeAllPrivateChats, BotCommandScopeChat

from hamyon.kit.texts import DEFAULT_LANGUAGE, LANGUAGES, Language, text

COMMANDS: Final = (
    "start",
    "balance",
    "topup",
    "daily",
    "history",
    "referral",
    "promo",
    "profile",
    "language",
    "notifications",
    "help",
    "support",
    "paysupport",
    "terms",
    "cancel",
)
"""In the order in which they are offered."""
OF_DRAWINGS: Final = frozenset({"daily"})
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0

log = structlog.get_logger("hamyon.bot")


def commands(language: Language, products: Sequence[str]) -> list[BotCommand]:
    """What people can type, in their language, where these products are mounted."""
    return [
        BotCommand(command=name, description=text(language, f"people.commands.label_{name}"))
        for name in COMMANDS
        if name not in OF_DRAWINGS or "drawings" in products
    ]


async def announce(bot: Bot, products: Sequence[str]) -> None:
    """Tell Telegram the commands in every language, however long that takes.

    Raises nothing: a bot without these hints answers the same commands.
    """
    scope = BotCommandScopeAllPrivateChats()
    for language in (None, *LANGUAGES):
        offered = commands(language or DEFAULT_LANGUAGE, products)
        call = SetMyCommands(commands=offered, scope=scope, language_code=language)
        await _persist(bot, call)


async def announce_to(bot: Bot, user_id: int, language: Language, products: Sequence[str]) -> None:
    """Offer one person the commands in the language that he chose. Raises nothing."""
    scope = BotCommandScopeChat(chat_id=user_id)
    try:
        await bot.set_my_commands(commands(language, products), scope=scope)
    except AiogramError as error:
        log.warning("commands stay in another language", telegram_id=user_id, error=repr(error))


async def _persist(bot: Bot, call: SetMyCommands) -> None:
    """Call until it succeeds, or Telegram says that it never will."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            await bot(call)
        except TelegramRetryAfter as refusal:
            await asyncio.sleep(refusal.retry_after)
        except (TelegramNetworkError, TelegramServerError, ClientDecodeError):
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        except AiogramError as error:
            log.error("commands could not be announced", error=repr(error))  # noqa: TRY400
            return
        else:
            return
