"""Commands that nobody knows, and buttons that nobody hears any more."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import CallbackQuery, Message

from hamyon.kit.texts import Language, rich_text
from hamyon.surfaces.bot.places import back
from hamyon.surfaces.bot.screens import show


def create_router() -> Router:
    router = Router(name="unknown")
    router.message.register(show_way, F.text.startswith("/"))
    router.callback_query.register(show_way_on)
    return router


async def show_way(message: Message, language: Language) -> None:
    await show(message, rich_text(language, "people.unknown.command"), [[back(language)]])


async def show_way_on(query: CallbackQuery, language: Language) -> None:
    """As a new message: what the old button stands under may be a picture."""
    below = query.message if isinstance(query.message, Message) else query
    await show(below, rich_text(language, "people.unknown.button"), [[back(language)]])
