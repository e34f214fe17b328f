"""The daily bonus: a revival for drawings, more for days in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiogram import Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message, TelegramObject

from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.products.drawings import service as drawings
from hamyon.products.drawings.types import PRODUCT, UNIT, DailyBonus, Registration
from hamyon.rewards import service as rewards
from hamyon.rewards.errors import AlreadyClaimed
from hamyon.rewards.service.daily import ONE_DAY, begin_of
from hamyon.surfaces.bot.phrases import amount, paragraphs, time_of_day, wait
from hamyon.surfaces.bot.places import Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import User

DONE: Final = "✅"
OPEN: Final = "▫️"


class ClaimDaily(CallbackData, prefix="daily"):
    """Today's bonus, please."""


@dataclass(frozen=True, slots=True)
class Day:
    """How the bonus stands for somebody; ``left`` until the next one."""

    claimed: bool
    streak: int
    rewards: Sequence[int]
    next_at: datetime
    left: timedelta


def create_router() -> Router:
    router = Router(name="daily")
    router.message.register(show_daily, Command("daily"), _mounted)
    router.callback_query.register(show_daily, going(Place.DAILY), _mounted)
    router.callback_query.register(claim, ClaimDaily.filter(), _mounted)
    return router


async def _mounted(event: TelegramObject, needs: Needs) -> bool:
    del event
    return PRODUCT in needs.settings.products


async def show_daily(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    day = await _day(needs, person)
    html = daily_screen(language, day, needs.settings.zone)
    await show(event, html, daily_rows(language, day))


async def claim(query: CallbackQuery, needs: Needs, person: User, language: Language) -> None:
    """Who claims comes to drawings, where somebody new is welcomed."""
    wish = Registration(person.id, person.username, True, None, None)
    _, is_new = await drawings.register(needs, wish)
    try:
        claimed = await drawings.claim_daily_bonus(needs, person.id)
    except AlreadyClaimed:
        await show_daily(query, needs, person, language)
        return
    day = await _day(needs, person)
    gift = needs.settings.drawings_welcome_revivals if is_new else 0
    html = claimed_screen(language, claimed, gift, day, needs.settings.zone)
    await show(query, html, daily_rows(language, day))


async def _day(needs: Needs, person: User) -> Day:
    settings, now = needs.settings, needs.clock.now()
    zone = settings.zone
    status = await rewards.daily_status(needs.pool, person.id, PRODUCT, zone, now)
    next_at = begin_of(now.astimezone(zone).date() + ONE_DAY, zone)
    given = settings.drawings_daily_revivals
    return Day(status.claimed_today, status.streak, given, next_at, next_at - now)


# --- screens --------------------------------------------------------------------------------------


def daily_screen(language: Language, day: Day, zone: ZoneInfo) -> str:
    """The streak, and what comes next."""
    key = "streak" if day.streak else "streak_none"
    streak = rich_text(language, f"people.daily.{key}", {"count": day.streak})
    return paragraphs(
        rich_text(language, "people.daily.title"),
        f"{marks(day)}\n{streak}",
        _next(language, day, zone),
    )


def claimed_screen(
    language: Language, claimed: DailyBonus, gift: int, day: Day, zone: ZoneInfo
) -> str:
    """What was given just now, with the welcome gift of who is new to drawings."""
    facts = {
        "granted": amount(language, UNIT, claimed.granted),
        "balance": amount(language, UNIT, claimed.available),
    }
    welcome = None
    if gift:
        given = {"gift": amount(language, UNIT, gift)}
        welcome = rich_text(language, "people.daily.welcome_gift", given)
    return paragraphs(
        rich_text(language, "people.daily.claimed", facts),
        welcome,
        daily_screen(language, day, zone),
    )


def marks(day: Day) -> str:
    """A row of the days after which rewards begin anew: those of this round that are claimed."""
    length = len(day.rewards)
    done = day.streak % length
    if day.claimed and done == 0:
        done = length
    return DONE * done + OPEN * (length - done)


def _next(language: Language, day: Day, zone: ZoneInfo) -> str:
    reward = day.rewards[day.streak % len(day.rewards)]
    facts = {
        "amount": amount(language, UNIT, reward),
        "time": time_of_day(day.next_at, zone),
        "wait": wait(language, day.left),
    }
    return rich_text(language, f"people.daily.{'next' if day.claimed else 'today'}", facts)


def daily_rows(language: Language, day: Day) -> Keyboard:
    """The bonus, while it waits."""
    if day.claimed:
        return [[door(language, Place.BALANCE), back(language)]]
    claim = Button(text(language, "people.daily.button_claim"), data=ClaimDaily().pack())
    return [[claim], [back(language)]]
