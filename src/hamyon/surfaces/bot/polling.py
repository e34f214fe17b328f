"""Asking Telegram for updates, and letting it forget only those that were taken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog

from hamyon.surfaces.bot.backoff import Backoff
from hamyon.surfaces.bot.intake import take
from hamyon.surfaces.bot.types import ALLOWED_UPDATES, BotClient, Needs
from hamyon.surfaces.bot.updates import lane_of

POLL_S: Final = 30
"""How long Telegram holds a call for which there is nothing yet."""
GLANCE_S: Final = 0.2
"""How long the next call waits for updates in hand, so that a slow one holds up nobody else."""
RETRY_S: Final = 1.0
"""Until an update that was not taken is asked for again."""

log = structlog.get_logger("hamyon.bot")
T = TypeVar("T")


class Polling:
    """Takes a bot's updates until it is stopped, through outages of Telegram and the database.

    Telegram forgets what lies below the offset of a call and sends the rest again, so the offset
    is the first update that is not taken yet. While there is one, calls do not wait: they bring
    it, and at most 100 that follow, and what was taken of those is passed over. A payment that
    cannot be committed is asked for again until it can be, or for the 24 hours that Telegram keeps
    it; after that the hourly comparison with the bot's statement finds it.

    Each person's updates are taken one after the other, those about money in a lane of their own,
    different people's at once. Only an update that is asked for again comes behind later ones: of
    a charge, any order settles the same.
    """

    def __init__(self, needs: Needs, bot: BotClient) -> None:
        self._needs = needs
        self._bot = bot
        self._stop = asyncio.Event()
        self._backoff = Backoff(self._stop)
        self._next: int | None = None
        self._takings: dict[int, asyncio.Task[bool]] = {}
        """By update, those that Telegram still keeps; True: it may forget this one."""
        self._last_of: dict[tuple[int, bool], asyncio.Task[bool]] = {}
        """By lane."""

    async def run(self) -> None:
        """Poll until ``stop``. What is in hand then is finished."""
        try:
            await self._leave_webhook()
            while not self._stop.is_set():
                await self._pass()
            await self._finish(None)
        finally:
            for taking in self._takings.values():
                taking.cancel()

    def stop(self) -> None:
        """Ask for nothing more."""
        self._stop.set()

    async def _leave_webhook(self) -> None:
        """Once, at the start. Later on a webhook means that somebody else took over on purpose:
        taking the bot back would leave the other one deaf without a word."""
        while not self._stop.is_set():
            trouble = await self._bot.delete_webhook()
            if trouble is None:
                self._backoff.reset()
                return
            await self._backoff.after(trouble)

    async def _pass(self) -> None:
        offset = self._offset()
        waits = not self._takings
        found = await self._unless_stopped(
            self._bot.get_updates(offset, POLL_S if waits else 0, ALLOWED_UPDATES)
        )
        if found is None:
            return
        if not isinstance(found, Sequence):
            await self._backoff.after(found)
            return
        self._backoff.reset()
        is_news = self._begin(found)
        await self._finish(GLANCE_S if is_news else RETRY_S)
        is_unreadable = bool(found) and not self._takings
        if is_unreadable or any(_failed(taking) for taking in self._takings.values()):
            await self._backoff.pause(RETRY_S)

    def _offset(self) -> int | None:
        """The first update that is not taken; else the one behind all. Forgets those before."""
        missing = [number for number, taking in self._takings.items() if not _taken(taking)]
        offset = min(missing, default=self._next)
        if offset is not None:
            gone = [number for number in self._takings if number < offset]
            for number in gone:
                del self._takings[number]
        return offset

    def _begin(self, updates: Sequence[Mapping[str, object]]) -> bool:
        """Take what is new, and what failed before. Whether there was any of it."""
        numbered = [(number, update) for update in updates if (number := _number(update))]
        served = {number for number, _ in numbered}
        for number in [n for n, taking in self._takings.items() if _failed(taking)]:
            if number not in served:
                log.error("Telegram forgot an update that was not taken", update_id=number)
            del self._takings[number]
        fresh = [one for one in numbered if one[0] not in self._takings]
        for number, update in fresh:
            self._takings[number] = self._taking(number, update)
        if numbered:
            self._next = numbered[-1][0] + 1
        return bool(fresh)

    def _taking(self, number: int, update: Mapping[str, object]) -> asyncio.Task[bool]:
        lane = lane_of(update)
        before = self._last_of.get(lane) if lane is not None else None
        taking = asyncio.create_task(self._take(number, update, before))
        if lane is not None:
            self._last_of[lane] = taking
            taking.add_done_callback(lambda done: self._leave_lane(lane, done))
        return taking

    async def _take(
        self, number: int, update: Mapping[str, object], before: asyncio.Task[bool] | None
    ) -> bool:
        """Take an update after the one before it of the same lane."""
        if before is not None:
            await asyncio.wait({before})
        try:
            await take(self._needs, update)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the update is not taken yet
            log.warning("an update could not be taken yet", update_id=number, error=repr(error))
            return False
        return True

    def _leave_lane(self, lane: tuple[int, bool], taking: asyncio.Task[bool]) -> None:
        if self._last_of.get(lane) is taking:
            del self._last_of[lane]

    async def _finish(self, timeout_s: float | None) -> None:
        under_way = [taking for taking in self._takings.values() if not taking.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=timeout_s)

    async def _unless_stopped(self, call: Coroutine[Any, Any, T]) -> T | None:
        calling = asyncio.ensure_future(call)
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({calling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return calling.result() if calling.done() else None
        finally:
            calling.cancel()
            stopping.cancel()


def _taken(taking: asyncio.Task[bool]) -> bool:
    return taking.done() and not taking.cancelled() and taking.result()


def _failed(taking: asyncio.Task[bool]) -> bool:
    return taking.done() and not _taken(taking)


def _number(update: Mapping[str, object]) -> int | None:
    """None for an update without one, which Telegram never sends and nobody could acknowledge."""
    number = update.get("update_id")
    return number if isinstance(number, int) and number > 0 else None
