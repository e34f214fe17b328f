"""Who somebody is here, which language he hears, and what he is written to about."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message

from hamyon.kit.db import in_transaction
from hamyon.kit.texts import LANGUAGES, Language, rich_text, text
from hamyon.messages.service import preferences
from hamyon.messages.types import Button, Keyboard, Topic
from hamyon.surfaces.bot.commands import announce_to
from hamyon.surfaces.bot.flows.operators.menu import offer_commands
from hamyon.surfaces.bot.phrases import day, number
from hamyon.surfaces.bot.places import Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.store.people import pictures_made
from hamyon.surfaces.bot.types import Needs
from hamyon.users.service import operators, people
from hamyon.users.types import User


class Notify(CallbackData, prefix="ntf"):
    """Write about this topic from now on, or not any more. Operators' topics lie in their menu."""

    topic: Topic
    enabled: bool


class Speak(CallbackData, prefix="lang"):
    """In this language from now on."""

    language: Language


def create_router() -> Router:
    router = Router(name="profile")
    router.message.register(show_profile, Command("profile"))
    router.callback_query.register(show_profile, going(Place.PROFILE))
    router.message.register(ask_language, Command("language"))
    router.callback_query.register(ask_language, going(Place.LANGUAGE))
    router.callback_query.register(choose_language, Speak.filter())
    router.callback_query.register(ask_notifications, going(Place.NOTIFICATIONS))
    router.message.register(ask_notifications, Command("notifications"))
    router.callback_query.register(choose_notifications, Notify.filter())
    return router


async def show_profile(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    made = await pictures_made(needs.pool, person.id)
    html = profile_screen(language, person, made, needs.settings.zone)
    await show(event, html, profile_rows(language))


async def ask_language(event: Message | CallbackQuery, language: Language) -> None:
    await show(event, rich_text(language, "people.profile.ask_language"), language_rows(language))


async def choose_language(
    query: CallbackQuery, callback_data: Speak, needs: Needs, person: User, bot: Bot
) -> None:
    chosen = callback_data.language
    await in_transaction(needs.pool, people.choose_language, person.id, chosen)
    await show(query, rich_text(chosen, "people.profile.language_chosen"), language_rows(chosen))
    role, products = await operators.role_of(needs.pool, person.id), needs.settings.products
    if role is None:
        await announce_to(bot, person.id, chosen, products)
    else:
        await offer_commands(bot, person.id, chosen, role, products)


async def ask_notifications(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    wanted = await preferences.read(needs.pool, person.id, None)
    rows = notification_rows(language, wanted)
    await show(event, rich_text(language, "people.profile.notifications"), rows)


async def choose_notifications(
    query: CallbackQuery, callback_data: Notify, needs: Needs, person: User, language: Language
) -> None:
    topic, enabled = callback_data.topic, callback_data.enabled
    if topic in preferences.topics_for(None):
        await in_transaction(
            needs.pool, preferences.set_preference, person.id, topic, enabled=enabled
        )
    await ask_notifications(query, needs, person, language)


# --- screens --------------------------------------------------------------------------------------


def profile_screen(language: Language, person: User, made: int, zone: ZoneInfo) -> str:
    """What is known of somebody."""
    names = [name for name in (person.first_name, person.last_name) if name]
    facts = {
        "name": " ".join(names) or person.username or str(person.id),
        "id": str(person.id),
        "since": day(language, person.created_at, zone),
        "language": text(language, "people.profile.label_language"),
        "code": person.referral_code,
        "pictures": number(language, made),
    }
    return rich_text(language, "people.profile.about", facts)


def profile_rows(language: Language) -> Keyboard:
    """What he can change."""
    return [
        [door(language, Place.LANGUAGE), door(language, Place.NOTIFICATIONS)],
        [door(language, Place.BALANCE), back(language)],
    ]


def language_rows(current: Language) -> Keyboard:
    """Each language in its own words; the one that is spoken is marked."""
    buttons = [
        Button(
            text(language, "people.profile.label_language") + (" ✓" if language == current else ""),
            data=Speak(language=language).pack(),
        )
        for language in LANGUAGES
    ]
    return [buttons, [back(current)]]


def notification_rows(language: Language, wanted: Mapping[Topic, bool]) -> Keyboard:
    """A switch for each topic; a press turns it over."""
    switches = [
        Button(
            f"{'🔔' if enabled else '🔕'} {text(language, f'people.profile.button_topic_{topic}')}",
            data=Notify(topic=topic, enabled=not enabled).pack(),
        )
        for topic, enabled in wanted.items()
    ]
    return [*([switch] for switch in switches), [door(language, Place.PROFILE), back(language)]]
