"""The console's front door: what the operator's role may do, and what he wants to be told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from aiogram.exceptions import AiogramError
from aiogram.types import BotCommand, BotCommandScopeChat

from hamyon.kit.db import in_transaction
from hamyon.kit.texts import text
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
    own = [
        BotCommand(command=name, description=desk.word(f"commands.label_{name}"))
        for name, role in OFFERED
        if desk.may(role)
    ]
    offered = [*commands(desk.language, desk.needs.settings.products), *own]
    try:
        await desk.bot.set_my_commands(offered, scope=BotCommandScopeChat(chat_id=desk.person.id))
    except AiogramError as error:
        # They can be typed without being offered.
        log.warning("commands were not offered", telegram_id=desk.person.id, error=repr(error))
    return await render(desk, of)


# --- what operators are told of -------------------------------------------------------------------


async def topics(desk: Desk, of: str) -> Shown:
    """Every topic of the role with its switch."""
    wanted = await preferences.read(desk.needs.pool, desk.person.id, desk.acting.operator.role)
    rows = [
        [
            desk.see(
                f"{'🔔' if wanted[topic] else '🔕'} {desk.word(f'topics.button_{topic}')}",
                "topic",
                topic,
            )
        ]
        for topic in operator_topics(desk.acting.operator.role)
    ]
    return Shown(desk.say("topics.ask"), [*rows, [desk.back()]])


async def switch_topic(desk: Desk, of: str) -> Shown:
    """Turn one topic over, for oneself."""
    role = desk.acting.operator.role
    wanted = await preferences.read(desk.needs.pool, desk.person.id, role)
    if of in wanted and of in operator_topics(role):
        topic = Topic(of)
        await in_transaction(
            desk.needs.pool,
            lambda connection: preferences.set_preference(
                connection, desk.person.id, topic, enabled=not wanted[topic]
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
