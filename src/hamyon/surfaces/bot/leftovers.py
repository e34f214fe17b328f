"""Going on with what people said to a bot's process that died."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import asyncpg
import structlog

from hamyon.surfaces.bot.types import Conversations, Needs

EVERY_S: Final = 2.0

log = structlog.get_logger("hamyon.bot")


class Leftovers:
    """Looks beside the worker's queue, so that a person waits for a lease and no more."""

    def __init__(self, needs: Needs, conversations: Conversations) -> None:
        self._needs = needs
        self._conversations = conversations
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Look until ``stop``. A lost database is waited for."""
        while not self._stop.is_set():
            try:
                await self._conversations.sweep(self._needs)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("nobody looked after chats", error=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._stop.wait()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
