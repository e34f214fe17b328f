"""The cache over a real PostgreSQL and a real Valkey: loaded once, never old after a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import pytest

from hamyon.kit.cache import TOMBSTONE, Cache, Codec, Namespace, invalidate
from hamyon.kit.db import Pool
from hamyon.kit.redis_link import RedisDown, RedisLink
from hamyon.kit.signals import Signals
from tests.fixtures.database import Database
from tests.fixtures.valkey import ValkeyServer
from tests.kit.test_signals import cut_listeners, until


def _encode(value: str) -> bytes:
    return orjson.dumps(value)


def _decode(raw: bytes) -> str:
    value = orjson.loads(raw)
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


NAMES = Namespace("names", ttl_s=300, codec=Codec(1, _encode, _decode))
NAMES_2 = Namespace("names", ttl_s=300, codec=Codec(2, _encode, _decode))
LOCAL: Namespace[str] = Namespace("local", ttl_s=300)
REDIS_KEY = "hamyon:cache:names:1:k"


class Source:
    """The truth, which counts how often it was read and can be slow."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.reading = asyncio.Event()

    async def load(self) -> str:
        self.reads += 1
        value = self.value  # Read first, slow afterwards: the worst that a reader can be.
        self.reading.set()
        await self.gate.wait()
        return value


@dataclass
class Process:
    """What one process has of its own."""

    signals: Signals
    cache: Cache
    link: RedisLink | None


class Moved:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(database: Database) -> AsyncIterator[Start]:
    """Starts as many processes' worth of caches as a test needs."""
    started: list[Process] = []

    async def make(
        url: str | None = None,
        *,
        seconds: Callable[[], float] | None = None,
        namespaces: tuple[Namespace[str], ...] = (NAMES, LOCAL),
        entries_max: int = 100,
    ) -> Process:
        link = RedisLink(url, timeout_s=2) if url else None
        signals = Signals(database.dsn, ping_interval_s=0.2)
        cache = Cache(
            signals, namespaces, link, seconds=seconds or Moved(), entries_max=entries_max
        )
        await signals.start()
        started.append(Process(signals, cache, link))
        return started[-1]

    yield make
    for process in started:
        await process.cache.close()
        await process.signals.close()
        if process.link:
            await process.link.close()


async def write(pool: Pool, source: Source, value: str, key: str = "k") -> None:
    """A writer: changes the truth and says so in the same transaction."""
    async with pool.acquire() as connection, connection.transaction():
        await invalidate(connection, NAMES, key)
        await invalidate(connection, LOCAL, key)
        source.value = value


async def in_redis(process: Process, key: str = REDIS_KEY) -> object:
    assert process.link is not None
    return await process.link.call(lambda redis: redis.get(key))


@asynccontextmanager
async def closed(source: Source) -> AsyncIterator[None]:
    """Readers who have read stand still inside."""
    source.gate.clear()
    source.reading.clear()
    try:
        yield
    finally:
        source.gate.set()


async def test_a_hundred_callers_load_once(start: Start) -> None:
    cache, source = (await start()).cache, Source("a")
    async with closed(source):
        waiting = [asyncio.create_task(cache.get(LOCAL, "k", source.load)) for _ in range(100)]
        await source.reading.wait()
    assert await asyncio.gather(*waiting) == ["a"] * 100
    assert await cache.get(LOCAL, "k", source.load) == "a"
    assert source.reads == 1


async def test_one_caller_who_leaves_does_not_take_the_others_along(start: Start) -> None:
    cache, source = (await start()).cache, Source("a")
    async with closed(source):
        first = asyncio.create_task(cache.get(LOCAL, "k", source.load))
        await source.reading.wait()
        second = asyncio.create_task(cache.get(LOCAL, "k", source.load))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
    assert await second == "a"
    assert source.reads == 1


async def test_a_failed_load_is_told_to_all_and_not_kept(start: Start) -> None:
    cache, source = (await start()).cache, Source("a")
    calls = 0

    async def fail() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        raise RuntimeError

    got = await asyncio.gather(
        *(cache.get(LOCAL, "k", fail) for _ in range(5)), return_exceptions=True
    )
    assert [type(error) for error in got] == [RuntimeError] * 5
    assert calls == 1
    assert await cache.get(LOCAL, "k", source.load) == "a"


async def test_memory_lives_a_minute_and_is_bounded(start: Start) -> None:
    clock = Moved()
    cache = (await start(seconds=clock, entries_max=10)).cache
    source = Source("a")
    await cache.get(LOCAL, "k", source.load)
    clock.now += 59
    await cache.get(LOCAL, "k", source.load)
    assert source.reads == 1
    clock.now += 2
    await cache.get(LOCAL, "k", source.load)
    assert source.reads == 2
    for number in range(10):
        await cache.get(LOCAL, str(number), source.load)
    await cache.get(LOCAL, "k", source.load)
    assert source.reads == 13, "the longest unused had to go"


async def test_a_write_reaches_every_process(
    start: Start, pool: Pool, own_valkey: ValkeyServer
) -> None:
    source = Source("old")
    processes = [await start(own_valkey.url) for _ in range(3)]
    for process in processes:
        assert await process.cache.get(NAMES, "k", source.load) == "old"
    assert source.reads == 1, "the second and third had it from Redis"
    await write(pool, source, "new")
    async with asyncio.timeout(20):
        for process in processes:
            while await process.cache.get(NAMES, "k", source.load) != "new":
                await asyncio.sleep(0.01)
    for _ in range(5):
        for process in processes:
            assert await process.cache.get(NAMES, "k", source.load) == "new"


async def test_a_rolled_back_write_drops_nothing(start: Start, pool: Pool) -> None:
    process, source = await start(), Source("a")
    await process.cache.get(LOCAL, "k", source.load)
    async with pool.acquire() as connection:
        with pytest.raises(RuntimeError):
            async with connection.transaction():
                await invalidate(connection, LOCAL, "k")
                raise RuntimeError
        await invalidate(connection, LOCAL, "other")
    await asyncio.sleep(0.2)
    await process.cache.get(LOCAL, "k", source.load)
    assert source.reads == 1


async def test_a_slow_reader_stores_nothing_old_in_his_own_memory(start: Start, pool: Pool) -> None:
    process, source = await start(), Source("old")
    told: list[str] = []
    process.signals.subscribe("hamyon_cache", told.append)
    async with closed(source):
        slow = asyncio.create_task(process.cache.get(LOCAL, "k", source.load))
        await source.reading.wait()
        await write(pool, source, "new")
        await until(lambda: len(told) == 2)
    assert await slow == "old", "he asked before the write"
    assert await process.cache.get(LOCAL, "k", source.load) == "new"


async def test_a_slow_reader_elsewhere_cannot_refill_redis(
    start: Start, pool: Pool, own_valkey: ValkeyServer
) -> None:
    """The deaf process read before the commit and writes to Redis after everybody's drop."""
    deaf, other = await start(own_valkey.url), await start(own_valkey.url)
    source = Source("old")
    # Notifications reach him late: he still believes that he hears everything.
    deaf.signals._callbacks["hamyon_cache"].clear()
    async with closed(source):
        slow = asyncio.create_task(deaf.cache.get(NAMES, "k", source.load))
        await source.reading.wait()
        await write(pool, source, "new")
        async with asyncio.timeout(20):
            while await in_redis(other) != TOMBSTONE:
                await asyncio.sleep(0.01)
    assert await slow == "old"
    assert await in_redis(other) == TOMBSTONE
    assert await other.cache.get(NAMES, "k", source.load) == "new"


async def test_redis_is_not_read_before_the_tombstone_lies_there(
    start: Start, pool: Pool, own_valkey: ValkeyServer
) -> None:
    process, source = await start(own_valkey.url), Source("old")
    await process.cache.get(NAMES, "k", source.load)
    assert await in_redis(process) == b'"old"'
    told: list[str] = []
    process.signals.subscribe("hamyon_cache", told.append)
    own_valkey.freeze()
    await write(pool, source, "new")
    await until(lambda: len(told) == 2)
    own_valkey.thaw()  # It has the old value still, for whoever asks before the tombstone comes.
    assert await process.cache.get(NAMES, "k", source.load) == "new"


async def test_a_key_that_waits_for_its_tombstone_is_not_read_from_redis(
    start: Start, own_valkey: ValkeyServer
) -> None:
    process, source = await start(own_valkey.url), Source("old")
    await process.cache.get(NAMES, "k", source.load)
    process.cache.clear()
    source.value = "new"
    process.cache._tombstones["names", "k"] = object()
    assert await process.cache.get(NAMES, "k", source.load) == "new"
    assert await in_redis(process) == b'"old"', "or this test shows nothing"


async def test_without_redis_the_cache_goes_on(
    start: Start, pool: Pool, own_valkey: ValkeyServer
) -> None:
    process, source = await start(own_valkey.url), Source("old")
    assert await process.cache.get(NAMES, "k", source.load) == "old"
    own_valkey.kill()
    await write(pool, source, "new")
    async with asyncio.timeout(20):
        while await process.cache.get(NAMES, "k", source.load) != "new":
            await asyncio.sleep(0.01)
    reads = source.reads
    assert await process.cache.get(NAMES, "k", source.load) == "new"
    assert source.reads == reads
    assert process.link is not None
    own_valkey.start()
    await until(lambda: process.link is not None and process.link.is_up)
    async with asyncio.timeout(20):
        while await _in_redis_once_it_is_up(process) != TOMBSTONE:
            await asyncio.sleep(0.01)


async def _in_redis_once_it_is_up(process: Process) -> object:
    """On a busy machine one slow answer opens the breaker again for a moment."""
    try:
        return await in_redis(process)
    except RedisDown:
        return None


async def test_after_a_gap_everything_is_looked_up_again(start: Start, database: Database) -> None:
    process, source = await start(), Source("old")
    await process.cache.get(LOCAL, "k", source.load)
    gaps: list[None] = []
    process.signals.subscribe_gap(lambda: gaps.append(None))
    await cut_listeners(database)
    await until(lambda: len(gaps) >= 1)
    source.value = "new"  # Written while nobody heard; no signal will ever come.
    assert await process.cache.get(LOCAL, "k", source.load) == "new"


async def test_a_deaf_process_keeps_nothing(start: Start) -> None:
    process, source = await start(), Source("a")
    await process.signals.close()
    process.signals._listening.clear()
    for _ in range(3):
        await process.cache.get(LOCAL, "k", source.load)
    assert source.reads == 3


async def test_what_lies_in_redis_may_be_anything(start: Start, own_valkey: ValkeyServer) -> None:
    process, source = await start(own_valkey.url), Source("a")
    for number, raw in enumerate((b"", b"{", b"17", b"\xff\xfe", b"x" * 1000)):
        key = f"k{number}"
        assert process.link is not None
        await process.link.call(
            lambda redis, key=key, raw=raw: redis.set(f"hamyon:cache:names:1:{key}", raw)  # type: ignore[misc]
        )
        assert await process.cache.get(NAMES, key, source.load) == "a"


async def test_versions_do_not_read_each_other(start: Start, own_valkey: ValkeyServer) -> None:
    one = await start(own_valkey.url)
    two = await start(own_valkey.url, namespaces=(NAMES_2,))
    source = Source("shape of version 1")
    await one.cache.get(NAMES, "k", source.load)
    source.value = "shape of version 2"
    assert await two.cache.get(NAMES_2, "k", source.load) == "shape of version 2"


async def test_an_undeclared_namespace_is_a_mistake(start: Start) -> None:
    stranger: Namespace[str] = Namespace("stranger", ttl_s=1)
    with pytest.raises(AssertionError):
        await (await start()).cache.get(stranger, "k", Source("a").load)
