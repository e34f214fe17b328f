"""Conversations: one update through aiogram's dispatcher, with its effect once for ever.

Telegram sends an update until somebody answers for it, to whichever process. So each one is
claimed by its number in the database before it is handled: what is done is passed over, what
another process has in hand comes again later, and what a dead process left is handled anew when its
lease is over. The effects of a handler that runs twice are keyed by what they are about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import Update
from pydantic import ValidationError

from hamyon.kit import leases
from hamyon.kit.db import LOST_DATABASE
from hamyon.kit.errors import Unavailable
from hamyon.kit.http import HttpFailure
from hamyon.kit.storage import StorageFailed
from hamyon.surfaces.bot.commands import announce
from hamyon.surfaces.bot.flows import create_router
from hamyon.surfaces.bot.lanes import Lanes
from hamyon.surfaces.bot.middlewares import apologise, install
from hamyon.surfaces.bot.store import updates as store
from hamyon.surfaces.bot.types import Needs, NotNow
from hamyon.surfaces.bot.updates import person_of

AT_ONCE: Final = 8
"""Fewer than DATABASE_POOL_SIZE by default, so that payments find a connection in any crowd."""
PATIENCE_S: Final = 45.0
LEASE: Final = timedelta(seconds=10)
"""Renewed while a handler works: what a dead process left is free again that soon."""
ATTEMPTS_MAX: Final = 5

PASSING: Final = (
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    HttpFailure,
    StorageFailed,
    Unavailable,
    *LOST_DATABASE,
)
"""What is away now and comes back. A handler that met it runs again."""

log = structlog.get_logger("hamyon.bot")


class Chats:
    """``Conversations`` over aiogram."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._dispatcher = Dispatcher(disable_fsm=True)
        install(self._dispatcher)
        self._dispatcher.include_router(create_router())
        self._lanes = Lanes(AT_ONCE)

    async def take(self, needs: Needs, update: Mapping[str, object]) -> None:
        """Answer an update, once for ever. Raises NotNow when it must come again."""
        number, person_id = update.get("update_id"), person_of(update)
        if not isinstance(number, int) or person_id is None:
            return
        async with self._lanes.of(person_id):
            try:
                claimed = await store.claim(needs.pool, self._bot.id, number, lease=LEASE)
            except PASSING as error:
                raise NotNow(repr(error)) from error
            if claimed is None:
                raise NotNow("another process has it in hand")
            attempts, done = claimed
            if not done:
                await self._handle(needs, number, update, attempts)

    async def introduce(self, needs: Needs) -> None:
        """Tell Telegram the commands, however long that takes. Raises nothing."""
        await announce(self._bot, needs.settings.products)

    async def _handle(
        self, needs: Needs, number: int, update: Mapping[str, object], attempts: int
    ) -> None:
        try:
            async with self._lease_kept(needs, number):
                await self._feed(needs, update)
        except PASSING as error:
            if attempts < ATTEMPTS_MAX:
                await self._let_go(needs, number)
                raise NotNow(repr(error)) from error
            log.exception("an update was given up", update_id=number, attempts=attempts)
        except Exception:
            # Sending it again would bring the same error, and hold up the person's other updates.
            log.exception("an update was not understood", update_id=number)
            await apologise(self._bot, update)
        await store.finish(needs.pool, self._bot.id, number)

    async def _feed(self, needs: Needs, raw: Mapping[str, object]) -> None:
        try:
            update = Update.model_validate(raw, context={"bot": self._bot})
        except ValidationError as error:
            places = {".".join(map(str, one["loc"])) for one in error.errors(include_input=False)}
            log.warning("an update of an unknown form was passed by", fields=sorted(places))
            return
        async with asyncio.timeout(PATIENCE_S):
            await self._dispatcher.feed_update(self._bot, update, needs=needs)

    def _lease_kept(self, needs: Needs, number: int) -> AbstractAsyncContextManager[None]:
        async def renew() -> bool:
            return await store.renew(needs.pool, self._bot.id, number, lease=LEASE)

        return leases.kept(renew, lease_s=LEASE.total_seconds())

    async def _let_go(self, needs: Needs, number: int) -> None:
        try:
            await store.let_go(needs.pool, self._bot.id, number)
        except PASSING:
            log.warning("an update waits for the end of its lease", update_id=number)
