"""Conversations: what people say is kept, and then goes through aiogram's dispatcher in its order.

An update is committed before Telegram may forget it, so nothing that a handler does holds up the
next update, and none is lost with a process. The first open update of a person is the only one that
can be claimed, by one process of the fleet and under a lease: what two processes took in is handled
in order and once. What a dead process left is free again when its lease is over. The effects of a
handler that runs twice are keyed by what they are about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.types import Update
from pydantic import ValidationError

from hamyon.kit import leases
from hamyon.kit.db import LOST_DATABASE
from hamyon.kit.errors import Unavailable
from hamyon.kit.http import HttpFailure
from hamyon.kit.ids import new_id
from hamyon.kit.storage import StorageFailed
from hamyon.surfaces.bot.commands import announce
from hamyon.surfaces.bot.flows import create_router
from hamyon.surfaces.bot.middlewares import apologise, install
from hamyon.surfaces.bot.store import updates as store
from hamyon.surfaces.bot.store.updates import Claim
from hamyon.surfaces.bot.types import Needs
from hamyon.surfaces.bot.updates import person_of

AT_ONCE: Final = 8
"""Fewer than DATABASE_POOL_SIZE by default, so that payments find a connection in any crowd."""
PATIENCE_S: Final = 45.0
LEASE_S: Final = 10.0
"""Renewed while a handler works: what a dead process left is free again that soon."""
TRIED_FOR: Final = timedelta(minutes=10)
ATTEMPTS_MAX: Final = 30
"""Also for an update that kills the process which handles it."""
DELAY_MAX_S: Final = 60.0
SWEEP_LIMIT: Final = 100

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
        self._places = asyncio.Semaphore(AT_ONCE)
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._news: set[int] = set()
        """Of whom something was kept while he was being served."""

    async def take(self, needs: Needs, update: Mapping[str, object]) -> None:
        """Keep an update, and answer it by and by. Raises what kept it from being kept."""
        number, person_id = update.get("update_id"), person_of(update)
        if not isinstance(number, int) or person_id is None:
            return
        await store.keep(needs.pool, self._bot.id, number, person_id, update)
        self._serve(needs, person_id)

    async def sweep(self, needs: Needs) -> None:
        """Go on with what dead processes left."""
        for person_id in await store.left_behind(needs.pool, self._bot.id, limit=SWEEP_LIMIT):
            self._serve(needs, person_id)

    async def introduce(self, needs: Needs) -> None:
        """Tell Telegram the commands, however long that takes. Raises nothing."""
        await announce(self._bot, needs.settings.products)

    async def close(self, within_s: float) -> None:
        """Finish what is in hand; what takes longer is left to the next process."""
        serving = list(self._serving.values())
        if serving:
            await asyncio.wait(serving, timeout=within_s)
        for task in serving:
            task.cancel()

    # --- one person -------------------------------------------------------------------------------

    def _serve(self, needs: Needs, person_id: int) -> None:
        if person_id in self._serving:
            self._news.add(person_id)
            return
        serving = asyncio.create_task(self._until_silent(needs, person_id), name="chat")
        self._serving[person_id] = serving
        serving.add_done_callback(lambda task: self._served(needs, person_id, task))

    def _served(self, needs: Needs, person_id: int, task: asyncio.Task[None]) -> None:
        del self._serving[person_id]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("a chat broke off; the next look goes on", error=repr(error))
        if person_id in self._news:
            self._news.discard(person_id)
            self._serve(needs, person_id)

    async def _until_silent(self, needs: Needs, person_id: int) -> None:
        """Handle everything of a person that is open, in its order."""
        pause_s = 0.2
        while True:
            self._news.discard(person_id)
            try:
                async with self._places:
                    claimed = await self._claim(needs, person_id)
                    if isinstance(claimed, Claim):
                        await self._handle(needs, claimed)
                        continue
            except LOST_DATABASE as error:
                log.warning("a chat waits for the database", error=repr(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
                continue
            if claimed is None:
                return
            # Another process has it in hand, or it rests. A sleeper takes nobody's place.
            await asyncio.sleep(min(claimed + 0.05, LEASE_S))

    async def _claim(self, needs: Needs, person_id: int) -> Claim | float | None:
        return await store.claim(
            needs.pool, self._bot.id, person_id, lease=new_id(), lease_s=LEASE_S
        )

    # --- one update -------------------------------------------------------------------------------

    async def _handle(self, needs: Needs, claim: Claim) -> None:
        if claim.attempts > ATTEMPTS_MAX:
            log.error("an update was given up", update_id=claim.update_id, attempts=claim.attempts)
            await self._end(needs, claim)
            return
        try:
            async with self._lease_kept(needs, claim):
                await self._feed(needs, claim)
        except PASSING as error:
            if needs.clock.now() - claim.created_at < TRIED_FOR:
                await self._put_off(needs, claim, error)
                return
            log.exception("an update was given up", update_id=claim.update_id)
            await apologise(needs, self._bot, claim.body)
        except Exception:
            # Trying it again would bring the same error, and hold up the person's other updates.
            log.exception("an update was not understood", update_id=claim.update_id)
            await apologise(needs, self._bot, claim.body)
        await self._end(needs, claim)

    async def _feed(self, needs: Needs, claim: Claim) -> None:
        try:
            update = Update.model_validate(claim.body, context={"bot": self._bot})
        except ValidationError as error:
            places = {".".join(map(str, one["loc"])) for one in error.errors(include_input=False)}
            log.warning("an update of an unknown form was passed by", fields=sorted(places))
            return
        async with asyncio.timeout(PATIENCE_S):
            await self._dispatcher.feed_update(
                self._bot, update, needs=needs, is_first=claim.attempts == 1
            )

    async def _end(self, needs: Needs, claim: Claim) -> None:
        await leases.written(lambda: store.finish(needs.pool, claim), within_s=PATIENCE_S)

    async def _put_off(self, needs: Needs, claim: Claim, error: Exception) -> None:
        wish_s = error.retry_after if isinstance(error, TelegramRetryAfter) else 0
        delay_s = max(float(wish_s), min(2.0 ** (claim.attempts - 1), DELAY_MAX_S))
        log.warning("an update is put off", delay_s=delay_s, error=repr(error))
        await store.put_off(needs.pool, claim, delay_s=delay_s)

    def _lease_kept(self, needs: Needs, claim: Claim) -> AbstractAsyncContextManager[None]:
        async def renew() -> bool:
            return await store.renew(needs.pool, claim, lease_s=LEASE_S)

        return leases.kept(renew, lease_s=LEASE_S)
