"""Coming in, finding one's way, and getting out of a question."""

from __future__ import annotations

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message

from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.surfaces.bot.memory import expect_nothing
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import Synced, User


class Menu(CallbackData, prefix="menu"):
    """Back to the menu."""


def back(language: Language) -> Button:
    """The button that leads to the menu."""
    return Button(text(language, "bot.button_menu"), data=Menu().pack())


def create_router() -> Router:
    router = Router(name="menu")
    router.message.register(start, CommandStart())
    router.message.register(show_help, Command("help"))
    router.message.register(cancel, Command("cancel"))
    router.callback_query.register(show_menu, Menu.filter())
    return router


async def start(
    message: Message, needs: Needs, person: User, language: Language, synced: Synced
) -> None:
    await expect_nothing(needs, person.id)
    facts = {"name": person.first_name or person.username or str(person.id)}
    greeting = "bot.welcome" if synced.is_new else "bot.welcome_back"
    await show(message, rich_text(language, greeting, facts), rows(language))


async def show_menu(query: CallbackQuery, language: Language) -> None:
    await show(query, rich_text(language, "bot.menu"), rows(language))


async def show_help(message: Message, language: Language) -> None:
    await show(message, rich_text(language, "bot.help"), [[back(language)]])


async def cancel(message: Message, needs: Needs, person: User, language: Language) -> None:
    await expect_nothing(needs, person.id)
    await show(message, rich_text(language, "bot.canceled"), [[back(language)]])


def rows(language: Language) -> Keyboard:
    """The menu's buttons."""
    return [[back(language)]]
