"""Who sends broadcasts: one process of the whole fleet, which any other can follow.

Every worker looks once a second. One that finds a running broadcast and nobody at it takes the
channel's row, and renews its lease for as long as it works; when it dies the lease runs out, and
the next to look goes on where it stopped. It is no job of the queue: a job of a dead worker waits
for its heartbeat to grow old, and a broadcast takes as long as it takes.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog

from hamyon.kit.ids import new_id
from hamyon.kit.queue import Schedule
from hamyon.messages.service import broadcasts
from hamyon.messages.service.pace import Pace
from hamyon.messages.service.progress import Rates, found
from hamyon.messages.service.round import DATABASE_TROUBLE, Hold, Round
from hamyon.messages.store import pump as store
from hamyon.messages.types import Needs, Sender
from hamyon.messages.types.broadcast import CHANNEL, BroadcastId

LEASE_S: Final = 5.0
LEASE_MARGIN_S: Final = 1.0
"""We stop so long before the lease ends: clocks of two machines do not run alike."""
RENEW_S: Final = 1.0
LOOK_S: Final = 1.0

_log = structlog.get_logger(__name__)


def schedules(needs: Needs) -> list[Schedule]:
    """By the clock."""

    async def start_due() -> None:
        await broadcasts.start_due(needs)

    return [Schedule("broadcasts_due", "* * * * *", start_due)]


class Pump:
    """Runs beside a worker's queue until it is stopped, through outages of the database."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._stopping = asyncio.Event()
        self._hold: Hold | None = None
        self._round: Round | None = None

    async def run(self) -> None:
        """Look for a broadcast to send, again and again."""
        while not self._stopping.is_set():
            try:
                await self._look()
            except DATABASE_TROUBLE as error:
                _log.warning("broadcasts_wait_for_the_database", error=repr(error))
            except Exception:  # noqa: BLE001 -- whatever it was, the next look must come
                _log.exception("broadcast_failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Start no more messages; ``run`` returns when those on their way are written down."""
        self._stopping.set()
        if self._hold is not None:
            self._hold.stop()

    async def _look(self) -> None:
        pool, sender = self._needs.pool, self._needs.senders.get(CHANNEL)
        if sender is None or not await store.is_wanted(pool, CHANNEL):
            return
        lease, asked = new_id(), time.monotonic()
        taken = await store.take(pool, CHANNEL, lease=lease, lease_s=LEASE_S)
        if taken is None:
            return
        self._hold = hold = Hold(
            CHANNEL, lease, asked + LEASE_S - LEASE_MARGIN_S, asked + taken.wait_s
        )
        if self._stopping.is_set():
            hold.stop()
        keeping = asyncio.create_task(self._keep(hold), name="broadcast-lease")
        try:
            await self._send_all(hold, sender)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            self._hold = None
            await store.give_up(pool, CHANNEL, lease=lease)

    async def _send_all(self, hold: Hold, sender: Sender) -> None:
        """Every broadcast that runs, one after the other."""
        pool, clock = self._needs.pool, self._needs.clock
        rates = Rates.of(self._needs.settings)
        pace: Pace | None = None
        while hold.stands and (number := await store.next_running(pool)) is not None:
            broadcast = await found(pool, number)
            rate = rates.of_broadcast(broadcast)
            if pace is None or pace.rate != rate:
                pace = Pace(rate)
            self._round = Round(pool, clock, sender, hold, broadcast, pace)
            try:
                await self._round.run()
            finally:
                self._round = None

    async def _keep(self, hold: Hold) -> None:
        """Renew the lease. When the database does not answer it ends by itself."""
        while True:
            await asyncio.sleep(RENEW_S)
            asked, current = time.monotonic(), self._round
            number: BroadcastId | None = current.broadcast_id if current is not None else None
            try:
                is_kept, state = await store.renew(
                    self._needs.pool, CHANNEL, lease=hold.lease, lease_s=LEASE_S,
                    broadcast_id=number,
                )  # fmt: skip
            except DATABASE_TROUBLE as error:
                _log.warning("broadcast_lease_not_renewed", error=repr(error))
                continue
            if not is_kept:
                _log.warning("broadcast_lease_lost")
                hold.deadline = 0.0
                return
            hold.deadline = asked + LEASE_S - LEASE_MARGIN_S
            if current is not None:
                current.learn(state)
