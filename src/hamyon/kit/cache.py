"""Values that are read often and changed rarely: in memory, then in Redis, then from the source.

The writer invalidates inside his own transaction; PostgreSQL tells every process after the
commit, and each of them drops its copy. Three things keep an old value from coming back:

- a load that was under way when its key was dropped is answered to those who waited, not stored;
- the key in Redis is replaced by a tombstone for a few seconds, and values are stored only where
  nothing lies, so that a slow reader's old value is refused;
- until that tombstone is in Redis (or while Redis is away, or while notifications may be missed)
  this process does not read Redis, and while it hears no notifications it stores nothing.

A balance is never cached.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import orjson
import structlog
from redis.asyncio import Redis

from hamyon.kit import signals
from hamyon.kit.db import Connection
from hamyon.kit.redis_link import RedisDown, RedisLink
from hamyon.kit.signals import CACHE_CHANNEL, Signals

_log = structlog.get_logger(__name__)

MEMORY_LIFE_S: Final = 60.0
ENTRIES_MAX: Final = 10_000
TOMBSTONE: Final = b"\0"
TOMBSTONE_LIFE_S: Final = 10.0
TOMBSTONES_WAITING_MAX: Final = 10_000

T = TypeVar("T")
Id: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How a value travels through Redis. Raise ``version`` whenever its shape changes."""

    version: int
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Namespace(Generic[T]):
    """One kind of value. ``codec`` None keeps it out of Redis.

    In memory a value lives ``ttl_s``, at most a minute; in Redis ``ttl_s``.
    """

    name: str
    ttl_s: float
    codec: Codec[T] | None = None


async def invalidate(connection: Connection, namespace: Namespace[Any], key: str) -> None:
    """Have every process drop ``key`` once this transaction commits."""
    payload = orjson.dumps([namespace.name, key]).decode()
    await signals.send(connection, CACHE_CHANNEL, payload)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    until: float


class Cache:
    """``link`` None: memory only. Every namespace that is read must be among ``namespaces``."""

    def __init__(
        self,
        heard: Signals,
        namespaces: tuple[Namespace[Any], ...],
        link: RedisLink | None = None,
        *,
        seconds: Callable[[], float] = time.monotonic,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._heard = heard
        self._namespaces = {namespace.name: namespace for namespace in namespaces}
        self._link = link
        self._seconds = seconds
        self._entries_max = entries_max
        self._entries: OrderedDict[Id, _Entry] = OrderedDict()
        self._flights: dict[Id, asyncio.Task[Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._tombstones: dict[Id, object] = {}
        self._tombstones_lost_until = 0.0
        self._burial: asyncio.Task[None] | None = None
        self._ends = (
            heard.subscribe(CACHE_CHANNEL, self._told),
            heard.subscribe_gap(self.clear),
        )

    async def get(self, namespace: Namespace[T], key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The value, loaded once however many ask at the same time. Raises what ``load`` raises."""
        at = (namespace.name, key)
        entry = self._entries.get(at)
        if entry is not None and entry.until > self._seconds():
            self._entries.move_to_end(at)
            value: T = entry.value
            return value
        flight = self._flights.get(at)
        if flight is None:
            assert self._namespaces.get(namespace.name) is namespace, "an undeclared namespace"
            flight = asyncio.create_task(self._fill(namespace, at, load))
            self._flights[at] = flight
            self._running.add(flight)
            flight.add_done_callback(self._landed)
        # The flight belongs to all who wait: one caller who leaves must not end it for the rest.
        loaded: T = await asyncio.shield(flight)
        return loaded

    def drop(self, namespace: Namespace[Any], key: str) -> None:
        """Forget ``key`` in this process and in Redis."""
        self._drop((namespace.name, key))

    def clear(self) -> None:
        """Forget everything that this process holds; what is being loaded will not be stored."""
        self._entries.clear()
        self._flights.clear()

    async def close(self) -> None:
        """Stop listening and finish what was begun."""
        for end in self._ends:
            end()
        begun = [*self._running, *([self._burial] if self._burial else [])]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    async def _fill(self, namespace: Namespace[T], at: Id, load: Callable[[], Awaitable[T]]) -> T:
        mine = asyncio.current_task()
        try:
            stored = await self._read(namespace, at)
            value = stored[0] if stored else await load()
            if self._flights.get(at) is mine and self._heard.is_listening:
                self._keep(at, _Entry(value, self._seconds() + min(MEMORY_LIFE_S, namespace.ttl_s)))
                if not stored:
                    await self._write(namespace, at, value)
            return value
        finally:
            if self._flights.get(at) is mine:
                del self._flights[at]

    def _landed(self, flight: asyncio.Task[Any]) -> None:
        self._running.discard(flight)
        if not flight.cancelled():
            flight.exception()  # Who waited has it; when nobody is left it concerns nobody.

    def _keep(self, at: Id, entry: _Entry) -> None:
        self._entries[at] = entry
        self._entries.move_to_end(at)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    # --- Redis -----------------------------------------------------------------------------------

    def _redis_key(self, at: Id) -> str | None:
        namespace = self._namespaces.get(at[0])
        if namespace is None or namespace.codec is None:
            return None
        return f"hamyon:cache:{at[0]}:{namespace.codec.version}:{at[1]}"

    def _may_use_redis(self, at: Id) -> bool:
        return (
            self._heard.is_listening
            and at not in self._tombstones
            and self._seconds() >= self._tombstones_lost_until
        )

    async def _read(self, namespace: Namespace[T], at: Id) -> tuple[T] | None:
        redis_key = self._redis_key(at)
        if self._link is None or redis_key is None or not self._may_use_redis(at):
            return None
        try:
            raw = await self._link.call(lambda redis: redis.get(redis_key))
        except RedisDown:
            return None
        if not isinstance(raw, bytes) or raw == TOMBSTONE or namespace.codec is None:
            return None
        try:
            return (namespace.codec.decode(raw),)
        except Exception as error:  # noqa: BLE001 -- whatever lies in Redis must not break a read
            _log.warning("cache_value_unreadable", namespace=at[0], error=type(error).__name__)
            return None

    async def _write(self, namespace: Namespace[T], at: Id, value: T) -> None:
        redis_key, codec = self._redis_key(at), namespace.codec
        if self._link is None or redis_key is None or codec is None:
            return
        if not self._may_use_redis(at):
            return
        raw, life_ms = codec.encode(value), int(namespace.ttl_s * 1000)
        try:
            await self._link.call(lambda redis: redis.set(redis_key, raw, px=life_ms, nx=True))
        except RedisDown:
            return

    # --- being told ------------------------------------------------------------------------------

    def _told(self, payload: str) -> None:
        name, key = orjson.loads(payload)
        self._drop((str(name), str(key)))

    def _drop(self, at: Id) -> None:
        self._entries.pop(at, None)
        self._flights.pop(at, None)
        if self._link is None or self._redis_key(at) is None:
            return
        if len(self._tombstones) >= TOMBSTONES_WAITING_MAX:
            # Redis is away for long. What it will still hold then is at most this old.
            longest_s = max(namespace.ttl_s for namespace in self._namespaces.values())
            self._tombstones_lost_until = self._seconds() + longest_s
            return
        # A key that is dropped again while its tombstone travels needs a new one: it goes last.
        self._tombstones.pop(at, None)
        self._tombstones[at] = object()
        if self._burial is None or self._burial.done():
            self._burial = asyncio.create_task(self._bury(self._link), name="cache-tombstones")

    async def _bury(self, link: RedisLink) -> None:
        while self._tombstones:
            at, mark = next(iter(self._tombstones.items()))
            redis_key = self._redis_key(at)
            assert redis_key is not None
            command = partial(_set_tombstone, redis_key)
            try:
                await link.call(command)
            except RedisDown:
                await asyncio.sleep(0.1)
                continue
            if self._tombstones.get(at) is mark:
                del self._tombstones[at]


async def _set_tombstone(redis_key: str, redis: Redis) -> None:
    await redis.set(redis_key, TOMBSTONE, px=int(TOMBSTONE_LIFE_S * 1000))
