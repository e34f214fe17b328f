"""The console's front door: what the operator's role may do, and what he wants to be told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import BotCommand, BotCommandScopeChat

from hamyon.kit.db import in_transaction
from hamyon.kit.texts import Language, text
from hamyon.kit.web.permission import Role
from hamyon.messages.kinds import operator_topics
from hamyon.messages.service import preferences
from hamyon.messages.types import Button, Topic
from hamyon.surfaces.bot.commands import commands
from hamyon.surfaces.bot.flows.operators.desk import Desk, Screen, Shown, rows_of
from hamyon.surfaces.bot.places import back
from hamyon.surfaces.bot.support_letters import Support
from hamyon.users.types import role_name

DOORS: Final[Sequence[tuple[str, Role]]] = (
    ("stats", Role.SUPPORT),
    ("users", Role.SUPPORT),
    ("payments", Role.SUPPORT),
    ("models", Role.SUPPORT),
    ("orders", Role.FINANCE),
    ("providers", Role.ADMIN),
    ("broadcasts", Role.ADMIN),
    ("topics", Role.SUPPORT),
)
"""The sections, in the order of the menu."""
OFFERED: Final[Sequence[tuple[str, Role]]] = (
    ("admin", Role.SUPPORT),
    ("admin_stats", Role.SUPPORT),
    ("admin_users", Role.SUPPORT),
    ("admin_payments", Role.SUPPORT),
    ("admin_models", Role.SUPPORT),
    ("admin_orders", Role.FINANCE),
    ("admin_providers", Role.ADMIN),
    ("broadcast", Role.ADMIN),
)
"""The commands that Telegram offers to operators."""

log = structlog.get_logger("hamyon.bot")


async def render(desk: Desk, of: str) -> Shown:
    threads = Button(text(desk.language, "support.button_list"), data=Support(act="list").pack())
    doors = [
        desk.see(desk.word(f"menu.button_{screen}"), screen)
        for screen, role in DOORS
        if desk.may(role)
    ]
    role = desk.word(f"role.label_{role_name(desk.acting.operator.role)}")
    rows = rows_of(*doors[:-1], threads, doors[-1])
    return Shown(desk.say("menu.welcome", role=role), [*rows, [back(desk.language)]])


async def open_console(desk: Desk, of: str) -> Shown:
    """The menu; whoever comes here is offered the commands of his role from now on."""
    role, products = desk.acting.operator.role, desk.needs.settings.products
    await offer_commands(desk.bot, desk.person.id, desk.language, role, products)
    return await render(desk, of)


async def offer_commands(
    bot: Bot, user_id: int, language: Language, role: Role, products: Sequence[str]
) -> None:
    """Offer an operator everybody's commands and those of his role. Raises nothing."""
    own = [
        BotCommand(command=name, description=text(language, f"operators.commands.label_{name}"))
        for name, least in OFFERED
        if role >= least
    ]
    offered = [*commands(language, products), *own]
    try:
        await bot.set_my_commands(offered, scope=BotCommandScopeChat(chat_id=user_id))
    except AiogramError as error:
        # They can be typed without being offered.
        log.warning("commands were not offered", telegram_id=user_id, error=repr(error))


# --- what operators are told of -------------------------------------------------------------------


async def topics(desk: Desk, of: str) -> Shown:
    """Every topic of the role with its switch, which says what it is switched to."""
    wanted = await preferences.read(desk.needs.pool, desk.person.id, desk.acting.operator.role)
    rows = [
        [
            desk.see(
                f"{'🔔' if wanted[topic] else '🔕'} {desk.word(f'topics.button_{topic}')}",
                "topic",
                f"{topic}-{'off' if wanted[topic] else 'on'}",
            )
        ]
        for topic in operator_topics(desk.acting.operator.role)
    ]
    return Shown(desk.say("topics.ask"), [*rows, [desk.back()]])


async def switch_topic(desk: Desk, of: str) -> Shown:
    """Switch one topic, for oneself: pressed twice it stays as the button said."""
    name, _, wish = of.rpartition("-")
    if name in operator_topics(desk.acting.operator.role) and wish in {"on", "off"}:
        await in_transaction(
            desk.needs.pool,
            lambda connection: preferences.set_preference(
                connection, desk.person.id, Topic(name), enabled=wish == "on"
            ),
        )
    return await topics(desk, "")


SCREENS: Final = {
    "menu": Screen(Role.SUPPORT, render),
    "console": Screen(Role.SUPPORT, open_console),
    "topics": Screen(Role.SUPPORT, topics),
    "topic": Screen(Role.SUPPORT, switch_topic),
}
COMMANDS: Final = {"admin": "console"}
