"""Operators who chat with the bot, what the audit log has of them, and two presses at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hamyon.kit.db import transaction
from hamyon.kit.web.permission import Role
from hamyon.users.store import operators as store
from tests.bot.talk import Talk, Town, buttons, words
from tests.fixtures.service import eventually

SUPPORT, FINANCE, ADMIN, OWNER = 9_001, 9_002, 9_003, 9_004
OF_ROLE = {
    Role.SUPPORT: SUPPORT,
    Role.FINANCE: FINANCE,
    Role.ADMIN: ADMIN,
    Role.OWNER: OWNER,
}
REFUSED = "This needs a permission"


async def operator(town: Town, role: Role, **about: Any) -> Talk:
    """Somebody with the role, at his own chat."""
    user_id = OF_ROLE[role]
    talk = await town.person(user_id, **about)
    await town.service.api.sync(user_id)
    await appoint(town, user_id, role)
    return talk


async def appoint(town: Town, user_id: int, role: Role) -> None:
    """Give a person the role that he has from now on."""
    async with transaction(town.service.pool) as connection:
        now = town.service.deps.clock.now()
        await store.put_role(connection, user_id, role, granted_by="test", now=now)


async def dismiss(town: Town, user_id: int) -> None:
    """Take a person's role away."""
    async with transaction(town.service.pool) as connection:
        await store.delete_role(connection, user_id)


async def acts(town: Town, *actions: str) -> list[dict[str, Any]]:
    """The audit log, oldest first; of these actions when any are named."""
    rows = await town.service.pool.fetch(
        """
        SELECT actor, action, subject, before, after, reason, address, request_id FROM audit_log
        WHERE actor LIKE 'user:%' AND (cardinality($1::text[]) = 0 OR action = ANY ($1))
        ORDER BY id
        """,
        list(actions),
    )
    return [dict(row) for row in rows]


def without_request(act: Mapping[str, Any]) -> dict[str, Any]:
    """An act but for where it came from."""
    return {name: act[name] for name in act if name not in {"address", "request_id"}}


async def button_of(talk: Talk, label: str) -> tuple[int, str]:
    """The newest button with this in its label: its message and its data."""

    async def look() -> tuple[int, str] | None:
        await talk.look()
        for number in sorted(talk.screen, reverse=True):
            for button in buttons(talk.screen[number]):
                if label in button["text"] and "callback_data" in button:
                    return number, button["callback_data"]
        return None

    found: tuple[int, str] = await eventually(look, patience_s=20)
    return found


async def press_twice(talk: Talk, label: str) -> None:
    """Press a button twice before the bot has seen the first press."""
    number, data = await button_of(talk, label)
    await talk._begin()
    body = {"message_id": number, "data": data}
    await asyncio.gather(talk._post("press", json=body), talk._post("press", json=body))


def longest(talk: Talk) -> int:
    """The length of the longest message of the chat."""
    return max((len(words(message)) for message in talk.screen.values()), default=0)


async def confirmed_and_broken_off(town: Town, talk: Talk, user_id: int) -> None:
    """Confirm what is asked; then the same press again, as if the process had died between the
    act's commit and forgetting that it was pending."""
    number, data = await button_of(talk, "Yes, do it")
    pending = await town.service.pool.fetchrow(
        "SELECT expecting, expecting_facts, expecting_until FROM bot_chats WHERE user_id = $1",
        user_id,
    )
    assert pending is not None
    message = talk.screen[number]
    await talk.press("Yes, do it")
    await talk.hears("✅")

    async def forgotten() -> bool:
        return await town.service.pool.fetchval("SELECT expecting FROM bot_chats") is None

    await eventually(forgotten)
    await town.service.pool.execute(
        """
        UPDATE bot_chats SET expecting = $2, expecting_facts = $3, expecting_until = $4
        WHERE user_id = $1
        """,
        user_id,
        *pending.values(),
    )
    sender = {"id": user_id, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    press = {"id": "1", "from": sender, "chat_instance": "1", "data": data, "message": message}
    conversations = town.service.deps.conversations
    assert conversations is not None
    await conversations.take(town.service.deps, {"update_id": 10_000_001, "callback_query": press})
    await eventually(forgotten)


async def lose_answers(town: Town, operation: str, times: int) -> None:
    """Let the bot's next calls of this kind fail at Telegram: their updates come again."""
    await town.sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": operation, "times": times},
            "fault": {"kind": "status", "status": 502},
        }
    )
