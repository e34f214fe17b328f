"""Stopping the bot, and letting it write again."""

from __future__ import annotations

from typing import Final

from aiogram import Router
from aiogram.types import ChatMemberUpdated

from hamyon.kit.db import Connection, in_transaction
from hamyon.messages.service import reach
from hamyon.surfaces.bot.types import Needs
from hamyon.users.errors import UserNotFound
from hamyon.users.service import people

STOPPED: Final = frozenset({"kicked", "left"})


def create_router() -> Router:
    router = Router(name="membership")
    router.my_chat_member.register(changed)
    return router


async def changed(event: ChatMemberUpdated, needs: Needs, telegram_id: int) -> None:
    has_stopped = event.new_chat_member.status in STOPPED
    if await in_transaction(needs.pool, _note, telegram_id, has_stopped=has_stopped):
        needs.waker.wake()


async def _note(connection: Connection, telegram_id: int, *, has_stopped: bool) -> int:
    """How many deliveries go out again. Of strangers nothing is kept."""
    try:
        await people.profile(connection, telegram_id)
    except UserNotFound:
        return 0
    if not has_stopped:
        return await reach.note_return(connection, telegram_id)
    await reach.note_gone(connection, telegram_id, "blocked")
    return 0
