"""Showing something in a chat: as a new message, or in place of the one that was pressed."""

from __future__ import annotations

from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)

from hamyon.messages.types import Button, Keyboard


def markup(rows: Keyboard) -> InlineKeyboardMarkup | None:
    """Buttons as aiogram sends them; None for none."""
    if not rows:
        return None
    return InlineKeyboardMarkup(inline_keyboard=[[_button(one) for one in row] for row in rows])


def _button(button: Button) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=button.text, url=button.url, callback_data=button.data)


async def show(event: Message | CallbackQuery, html: str, rows: Keyboard = ()) -> None:
    """Answer a message; or put the screen in place of the one whose button was pressed.

    What cannot be edited any more, because it is too old or has a picture, is left standing.
    """
    if isinstance(event, Message):
        await event.answer(html, reply_markup=markup(rows))
    elif isinstance(event.message, Message):
        await _replace(event.message, html, rows)
    elif event.bot is not None:
        await event.bot.send_message(event.from_user.id, html, reply_markup=markup(rows))


async def _replace(message: Message, html: str, rows: Keyboard) -> None:
    try:
        await message.edit_text(html, reply_markup=markup(rows))
    except TelegramBadRequest as complaint:
        if "message is not modified" not in complaint.message:
            await message.answer(html, reply_markup=markup(rows))
