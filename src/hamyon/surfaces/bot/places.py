"""Where the bot's buttons lead: its sections by name."""

from __future__ import annotations

from enum import StrEnum

from aiogram import F
from aiogram.filters.callback_data import CallbackData, CallbackQueryFilter

from hamyon.kit.texts import Language, text
from hamyon.messages.types import Button


class Menu(CallbackData, prefix="menu"):
    """Back to the menu."""


class Place(StrEnum):
    """A section that a button opens without any more to say."""

    CREATE = "create"
    BALANCE = "balance"
    TOPUP = "topup"
    PROMO = "promo"
    DAILY = "daily"
    REFERRAL = "referral"
    PROFILE = "profile"
    LANGUAGE = "language"
    NOTIFICATIONS = "notifications"
    PAYSUPPORT = "paysupport"
    HELP = "help"


class Go(CallbackData, prefix="go"):
    """To a section."""

    to: Place


def going(place: Place) -> CallbackQueryFilter:
    """Presses of the buttons that lead there."""
    return Go.filter(F.to == place)


def door(language: Language, place: Place) -> Button:
    """The button that leads to a section."""
    return Button(text(language, f"people.doors.button_{place}"), data=Go(to=place).pack())


def back(language: Language) -> Button:
    """The button that leads to the menu."""
    return Button(text(language, "bot.button_menu"), data=Menu().pack())
