"""Coming in, finding one's way, and getting out of a question."""

from __future__ import annotations

from collections.abc import Sequence

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, Message

from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.products.images.types import PRODUCT
from hamyon.rewards import service as rewards
from hamyon.surfaces.bot.phrases import paragraphs
from hamyon.surfaces.bot.pictures.callbacks import History as Pictures
from hamyon.surfaces.bot.places import Menu, Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.support_letters import Support
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import Synced, User

__all__ = ["Menu", "back", "create_router"]


def create_router() -> Router:
    router = Router(name="menu")
    router.message.register(start, CommandStart())
    router.message.register(show_menu, Command("menu"))
    router.message.register(show_help, Command("help"))
    router.message.register(show_terms, Command("terms"))
    router.message.register(cancel, Command("cancel"))
    router.callback_query.register(show_menu, Menu.filter())
    router.callback_query.register(show_help, going(Place.HELP))
    router.callback_query.register(show_creating, going(Place.CREATE))
    return router


async def start(
    message: Message, needs: Needs, person: User, language: Language, synced: Synced
) -> None:
    html = welcome_screen(language, synced, free=await _free_pictures(needs, person))
    await show(message, html, menu_rows(language, needs.settings.products))


async def show_menu(event: Message | CallbackQuery, needs: Needs, language: Language) -> None:
    await show(event, menu_screen(language), menu_rows(language, needs.settings.products))


async def show_creating(
    query: CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    free = await _free_pictures(needs, person)
    await show(query, creating_screen(language, free=free), [[back(language)]])


async def show_help(event: Message | CallbackQuery, language: Language) -> None:
    rows = [[door(language, Place.PAYSUPPORT)], [back(language)]]
    await show(event, help_screen(language), rows)


async def show_terms(message: Message, language: Language) -> None:
    await show(message, terms_screen(language), [[back(language)]])


async def cancel(message: Message, language: Language) -> None:
    """The question is forgotten by now, as before every command."""
    await show(message, rich_text(language, "bot.canceled"), [[back(language)]])


async def _free_pictures(needs: Needs, person: User) -> int:
    limit = needs.settings.trial_generations_limit
    return (await rewards.trial(needs.pool, person.id, PRODUCT, limit=limit)).remaining


# --- screens --------------------------------------------------------------------------------------


def welcome_screen(language: Language, synced: Synced, *, free: int) -> str:
    """The greeting. Who invited somebody stays between the two of them."""
    person = synced.user
    facts = {"name": person.first_name or person.username or str(person.id)}
    if not synced.is_new:
        return paragraphs(rich_text(language, "bot.welcome_back", facts), _gift(language, free))
    invited = rich_text(language, "people.start.invited") if synced.referral_applied else None
    return paragraphs(rich_text(language, "bot.welcome", facts), invited, _gift(language, free))


def menu_screen(language: Language) -> str:
    """What to do next."""
    return rich_text(language, "bot.menu")


def creating_screen(language: Language, *, free: int) -> str:
    """How a picture is made."""
    return paragraphs(rich_text(language, "people.start.creating"), _gift(language, free))


def help_screen(language: Language) -> str:
    """What there is, and where."""
    return rich_text(language, "bot.help")


def terms_screen(language: Language) -> str:
    """What holds for who pays."""
    return rich_text(language, "people.start.terms")


def _gift(language: Language, free: int) -> str | None:
    return rich_text(language, "people.start.free", {"count": free}) if free else None


def menu_rows(language: Language, products: Sequence[str]) -> Keyboard:
    """The menu's buttons, two in a row; what is not mounted has none."""
    daily = [door(language, Place.DAILY)] if "drawings" in products else []
    places = (Place.REFERRAL, Place.PROFILE, Place.HELP)
    buttons = [
        door(language, Place.CREATE),
        Button(text(language, "people.doors.button_history"), data=Pictures().pack()),
        door(language, Place.BALANCE),
        door(language, Place.TOPUP),
        *daily,
        *(door(language, place) for place in places),
        support(language),
    ]
    return [buttons[at : at + 2] for at in range(0, len(buttons), 2)]


def support(language: Language) -> Button:
    """The button that leads to people who help."""
    return Button(text(language, "people.doors.button_support"), data=Support(act="open").pack())
