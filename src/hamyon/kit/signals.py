"""What other processes did, heard through PostgreSQL's LISTEN/NOTIFY on one connection.

A notification is sent inside the writer's transaction and arrives only after its commit. It is a
hint, never the truth: whoever is told looks again. After the connection was lost anything may
have been missed, so everybody who listens is told that there was a gap.

Sending takes a lock that all sending transactions of the database share at commit, so the
hottest paths should not send.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg
import structlog

from hamyon.kit import store
from hamyon.kit.db import Connection, connect

_log = structlog.get_logger(__name__)

CACHE_CHANNEL: Final = "hamyon_cache"
ORDERS_CHANNEL: Final = "hamyon_orders"
PAYLOAD_BYTES_MAX: Final = 7999
RECONNECT_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
PING_INTERVAL_S: Final = 10.0
PING_TIMEOUT_S: Final = 5.0
UNREAD_MAX: Final = 100

OnPayload: TypeAlias = Callable[[str], None]
OnGap: TypeAlias = Callable[[], None]
Callback = TypeVar("Callback")


async def send(connection: Connection, channel: str, payload: str) -> None:
    """Tell every process after this transaction's commit. ``payload`` is at most 7,999 bytes."""
    if len(payload.encode()) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a payload of {len(payload)} characters is too long to be sent")
    await store.notify(connection, channel, payload)


class Watch:
    """Payloads for one waiting reader. Use it as: start the watch, read the state, then wait."""

    def __init__(self) -> None:
        self._payloads: asyncio.Queue[str | None] = asyncio.Queue(UNREAD_MAX)

    async def next(self, timeout_s: float) -> str | None:
        """The next payload; None after the time-out or a gap, when the reader should look again."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._payloads.get()
        except TimeoutError:
            return None

    def put(self, payload: str | None) -> None:
        """A reader who is far behind loses payloads, but then one of the unread makes him look."""
        with contextlib.suppress(asyncio.QueueFull):
            self._payloads.put_nowait(payload)


class Signals:
    """Listens on ``channels`` from ``start`` to ``close``, and comes back by itself."""

    def __init__(
        self,
        dsn: str,
        channels: Sequence[str] = (CACHE_CHANNEL, ORDERS_CHANNEL),
        *,
        ping_interval_s: float = PING_INTERVAL_S,
    ) -> None:
        self._dsn = dsn
        self._ping_interval_s = ping_interval_s
        self._callbacks: dict[str, list[OnPayload]] = {channel: [] for channel in channels}
        self._on_gap: list[OnGap] = []
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @property
    def is_listening(self) -> bool:
        """False while notifications may be missed."""
        return self._listening.is_set()

    async def start(self, timeout_s: float = 10.0) -> None:
        """Begin to listen. Raises TimeoutError when the database does not answer."""
        self._task = asyncio.create_task(self._run(), name="signals")
        try:
            async with asyncio.timeout(timeout_s):
                await self._listening.wait()
        except TimeoutError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def subscribe(self, channel: str, callback: OnPayload) -> Callable[[], None]:
        """Call ``callback`` for every payload; answers what ends it. KeyError: no such channel."""
        callbacks = self._callbacks[channel]
        callbacks.append(callback)
        return lambda: _remove(callbacks, callback)

    def subscribe_gap(self, callback: OnGap) -> Callable[[], None]:
        """Call ``callback`` when listening stops, and when it is back; answers what ends it."""
        self._on_gap.append(callback)
        return lambda: _remove(self._on_gap, callback)

    @asynccontextmanager
    async def watch(self, channel: str, matches: Callable[[str], bool]) -> AsyncIterator[Watch]:
        """Collect the payloads that match while inside."""
        watch = Watch()

        def keep(payload: str) -> None:
            if matches(payload):
                watch.put(payload)

        end = self.subscribe(channel, keep)
        end_gap = self.subscribe_gap(lambda: watch.put(None))
        try:
            yield watch
        finally:
            end()
            end_gap()

    async def wait_for(
        self, channel: str, matches: Callable[[str], bool], timeout_s: float
    ) -> str | None:
        """The next payload that matches; None after the time-out or a gap.

        What is sent before the call is missed; ``watch`` first and read afterwards where that
        matters.
        """
        async with self.watch(channel, matches) as watch:
            return await watch.next(timeout_s)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("signals_lost", error=type(error).__name__)
            except Exception:  # noqa: BLE001 -- a process that went deaf for good would serve lies
                _log.exception("signals_failed")
            if self._listening.is_set():
                self._listening.clear()
                failures = 0
                self._tell_gap()
            await asyncio.sleep(RECONNECT_WAITS_S[min(failures, len(RECONNECT_WAITS_S) - 1)])
            failures += 1

    async def _listen(self) -> None:
        """Until the connection is lost."""
        async with asyncio.timeout(PING_TIMEOUT_S):
            connection = await connect(self._dsn)
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            for channel in self._callbacks:
                await connection.add_listener(channel, self._received)
            self._listening.set()
            # What was sent since the last connection is unknown, and so is what was cached then.
            self._tell_gap()
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._ping_interval_s):
                        await ended.wait()
                if not ended.is_set():
                    # A peer that vanished without a word is found only by asking.
                    async with asyncio.timeout(PING_TIMEOUT_S):
                        await store.database_time(connection)
        finally:
            connection.terminate()

    def _received(self, _: Any, __: int, channel: str, payload: object) -> None:
        for callback in tuple(self._callbacks.get(channel, ())):
            try:
                callback(str(payload))
            except Exception:  # noqa: BLE001 -- one listener must not deafen the others
                _log.exception("signal_callback_failed", channel=channel)

    def _tell_gap(self) -> None:
        for callback in tuple(self._on_gap):
            try:
                callback()
            except Exception:  # noqa: BLE001 -- as above
                _log.exception("gap_callback_failed")


def _remove(callbacks: list[Callback], callback: Callback) -> None:
    """Ending twice is no mistake."""
    with contextlib.suppress(ValueError):
        callbacks.remove(callback)
