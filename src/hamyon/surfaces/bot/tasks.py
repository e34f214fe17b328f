"""What the worker runs for the bot's chats."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hamyon.kit.queue import Handler, Schedule
from hamyon.surfaces.bot.pictures import drafts, status
from hamyon.surfaces.bot.store.drafts import forget_drafts
from hamyon.surfaces.bot.store.updates import forget_updates
from hamyon.surfaces.bot.types import Needs

DRAFTS_KEPT: Final = timedelta(days=30)
UPDATES_KEPT: Final = timedelta(days=2)
"""Telegram sends an update again for a day."""


def handlers(needs: Needs) -> dict[str, Handler]:
    """By entry point of the queue."""

    async def order_status(payload: str) -> None:
        await status.keep_fresh(needs, payload)

    async def draft_panel(payload: str) -> None:
        await drafts.refresh_panel(needs, payload)

    return {status.ENTRY: order_status, drafts.PANEL_ENTRY: draft_panel}


def schedules(needs: Needs) -> list[Schedule]:
    """By the clock."""

    async def forget() -> None:
        await forget_drafts(needs.pool, older_than=DRAFTS_KEPT)
        await forget_updates(needs.pool, older_than=UPDATES_KEPT)

    return [Schedule("bot_memory", "17 3 * * *", forget)]
