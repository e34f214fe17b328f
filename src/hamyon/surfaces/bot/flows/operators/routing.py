"""Which update leads to which screen or act of the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.filters import Expecting, Operates
from hamyon.surfaces.bot.flows.operators import (
    acts,
    broadcast,
    mailings,
    menu,
    models,
    orders,
    payments,
    providers,
    stats,
    users,
)
from hamyon.surfaces.bot.flows.operators.access import guard, least
from hamyon.surfaces.bot.flows.operators.acts import Confirm, Forget, Whole
from hamyon.surfaces.bot.flows.operators.desk import Desk, Do, Screen, See
from hamyon.surfaces.bot.flows.operators.errors import NothingPending
from hamyon.surfaces.bot.memory import expect_nothing
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Chat, Needs

SCREENS: Final[Mapping[str, Screen]] = {
    **menu.SCREENS,
    **stats.SCREENS,
    **users.SCREENS,
    **models.SCREENS,
    **payments.SCREENS,
    **orders.SCREENS,
    **providers.SCREENS,
    **mailings.SCREENS,
    **broadcast.SCREENS,
}
ACTS: Final[acts.Acts] = {
    **users.ACTS,
    **models.ACTS,
    **payments.ACTS,
    **orders.ACTS,
    **providers.ACTS,
    **mailings.ACTS,
}
COMMANDS: Final[Mapping[str, str]] = {
    **menu.COMMANDS,
    **stats.COMMANDS,
    **users.COMMANDS,
    **models.COMMANDS,
    **payments.COMMANDS,
    **orders.COMMANDS,
    **providers.COMMANDS,
    **mailings.COMMANDS,
}
"""Each command with the screen that it opens."""

TYPED: Final = ~F.text.startswith("/")
"""Whatever is no command."""


def create_router() -> Router:
    router = guard(Router(name="operators"))
    messages, presses = router.message, router.callback_query
    anybody = least(Role.SUPPORT)  # With a role; each screen and act asks for its own.
    messages.register(command, Command(*COMMANDS), Operates(), flags=anybody)
    for what, handler in (
        (users.FIND, find),
        (acts.AMOUNT, take_amount),
        (acts.REASON, take_reason),
        (acts.CONFIRM, show_plan_again),
    ):
        # Whether he operates is asked last: the texts of plain people cost no query.
        messages.register(handler, F.text, TYPED, Expecting(what), Operates(), flags=anybody)
    broadcast.register(router)
    presses.register(look, See.filter(), flags=anybody)
    presses.register(begin, Do.filter(), flags=anybody)
    presses.register(take_whole, Whole.filter(), flags=anybody)
    presses.register(confirm, Confirm.filter(), flags=anybody)
    presses.register(forget, Forget.filter(), flags=anybody)
    return router


async def command(message: Message, desk: Desk, command: CommandObject) -> None:
    await _open(message, desk, COMMANDS[command.command], "")


async def look(query: CallbackQuery, desk: Desk, callback_data: See) -> None:
    await _open(query, desk, callback_data.screen, callback_data.of)


async def _open(event: Message | CallbackQuery, desk: Desk, name: str, of: str) -> None:
    screen = SCREENS.get(name)
    if screen is None:  # A button of an older version.
        raise NothingPending
    desk.require(screen.least)
    shown = await screen.render(desk, of)
    await show(event, shown.html, shown.rows)


async def find(message: Message, desk: Desk) -> None:
    shown = await users.find(desk, message.text or "")
    await show(message, shown.html, shown.rows)


async def begin(query: CallbackQuery, desk: Desk, callback_data: Do) -> None:
    await acts.begin(query, desk, ACTS, callback_data.act, callback_data.of)


async def take_amount(message: Message, desk: Desk, chat: Chat) -> None:
    await acts.take_amount(message, desk, ACTS, chat)


async def take_reason(message: Message, desk: Desk, chat: Chat) -> None:
    await acts.take_reason(message, desk, ACTS, chat)


async def show_plan_again(message: Message, desk: Desk, chat: Chat) -> None:
    await acts.show_plan_again(message, desk, ACTS, chat)


async def take_whole(query: CallbackQuery, desk: Desk, chat: Chat, callback_data: Whole) -> None:
    await acts.take_whole(query, desk, ACTS, chat, callback_data.key)


async def confirm(query: CallbackQuery, desk: Desk, chat: Chat, callback_data: Confirm) -> None:
    await acts.confirm(query, desk, ACTS, chat, callback_data.key)


async def forget(query: CallbackQuery, needs: Needs, chat: Chat, desk: Desk) -> None:
    if chat.expecting is not None:
        await expect_nothing(needs, chat.user_id)
    await show(query, desk.say("forgotten"), [[desk.back()]])
