"""Pauses and the breaker, seen from several processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hamyon.catalog import service
from hamyon.catalog.errors import ProviderNotFound
from hamyon.catalog.service.outages import BUSY_PROBE_S, Outages
from hamyon.catalog.types import CatalogCache, ProviderStatus
from hamyon.kit.db import Pool, in_transaction, transaction
from hamyon.users.types import Acting
from tests.catalog.conftest import OpenCache
from tests.catalog.waiting import until

NAME = "wavespeed"


async def outage(pool: Pool, *, threshold: int = 3, open_s: float = 60) -> bool:
    async with transaction(pool) as connection:
        return await service.note_outage(
            connection, NAME, "502 Bad Gateway", threshold=threshold, open_s=open_s
        )


async def success(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await service.note_success(connection, await service.read_provider(pool, NAME))


async def let_time_pass(pool: Pool) -> None:
    """The breaker's while is over."""
    await pool.execute(
        "UPDATE providers SET open_until = now() - interval '1 s' WHERE name = $1", NAME
    )


async def status(pool: Pool) -> ProviderStatus:
    return await service.read_provider(pool, NAME)


async def test_outages_in_a_row_open_the_breaker(pool: Pool) -> None:
    assert [await outage(pool) for _ in range(3)] == [False, False, True]
    now = await status(pool)
    assert (now.failures, now.closed, now.probing) == (3, True, False)
    assert 50 <= now.retry_after_s <= 60
    assert now.last_error == "502 Bad Gateway"


async def test_a_success_in_between_starts_the_count_anew(pool: Pool) -> None:
    await outage(pool)
    await outage(pool)
    await success(pool)
    assert [await outage(pool) for _ in range(2)] == [False, False]
    assert (await status(pool)).failures == 2


async def test_racing_outages_are_all_counted(pool: Pool) -> None:
    opened = await asyncio.gather(*(outage(pool, threshold=20) for _ in range(20)))
    assert (await status(pool)).failures == 20
    assert opened.count(True) == 1


async def test_one_worker_gets_the_probe(pool: Pool) -> None:
    for _ in range(3):
        await outage(pool)
    await let_time_pass(pool)
    known = await status(pool)
    assert (known.closed, known.probing) == (False, True)

    async def claim() -> bool:
        return await in_transaction(
            pool, lambda connection: service.claim_call(connection, known, open_s=60)
        )

    claims = await asyncio.gather(*(claim() for _ in range(15)))
    assert claims.count(True) == 1
    assert (await status(pool)).closed

    await let_time_pass(pool)  # The worker with the probe died: the next one gets another.
    assert await claim()


async def test_a_probe_that_fails_opens_at_once_and_one_that_succeeds_closes(pool: Pool) -> None:
    for _ in range(3):
        await outage(pool)
    await let_time_pass(pool)
    assert await outage(pool)
    assert (await status(pool)).closed
    await let_time_pass(pool)
    await success(pool)
    now = await status(pool)
    assert (now.failures, now.open_until, now.closed, now.probing) == (0, None, False, False)


async def test_success_writes_nothing_while_there_is_nothing_to_reset(pool: Pool) -> None:
    version = "SELECT xmin::text FROM providers WHERE name = $1"
    before = await pool.fetchval(version, NAME)
    sound = await status(pool)
    await success(pool)
    assert await pool.fetchval(version, NAME) == before
    await outage(pool)
    stale = await status(pool)
    async with transaction(pool) as connection:
        await service.note_success(connection, sound)
    assert (await status(pool)).failures == 1  # What is known to be sound is not asked about.
    await success(pool)
    after = await pool.fetchval(version, NAME)
    async with transaction(pool) as connection:
        await service.note_success(connection, stale)
    assert await pool.fetchval(version, NAME) == after != before


async def test_every_process_learns_of_the_breaker(pool: Pool, open_cache: OpenCache) -> None:
    caches = [await open_cache(), await open_cache()]
    books = [Outages(pool, cache, threshold=2, open_s=30) for cache in caches]
    for book in books:
        assert await book.closed_for_s(NAME) == 0
    await books[0].note_outage(NAME, "cut")
    await books[1].note_outage(NAME, "cut")
    for book in books:

        async def closed(book: Outages = book) -> bool:
            return await book.closed_for_s(NAME) >= 1

        await until(closed)
    assert await books[0].wait_s(NAME) >= 1
    await let_time_pass(pool)
    waits = await probation(pool, caches, books)
    assert sorted(waits) == [0, BUSY_PROBE_S]
    await books[1].note_success(NAME)
    for book in books:

        async def opened(book: Outages = book) -> bool:
            return await book.wait_s(NAME) == 0

        await until(opened)
    assert (await status(pool)).failures == 0


async def probation(pool: Pool, caches: list[CatalogCache], books: list[Outages]) -> list[float]:
    """What both processes' workers are told once both know that the while is over."""
    for cache in caches:
        cache.cache.drop(cache.providers, NAME)
        assert (await service.provider_status(pool, cache, NAME)).probing
    return list(await asyncio.gather(*(book.wait_s(NAME) for book in books)))


async def test_the_status_is_at_most_two_seconds_old(cache: CatalogCache) -> None:
    assert cache.providers.ttl_s <= 2
    assert cache.providers.codec is None


async def test_operators_pause_and_resume(pool: Pool, cache: CatalogCache, acting: Acting) -> None:
    book = Outages(pool, cache, threshold=1, open_s=30)
    await book.note_outage(NAME, "cut")
    async with transaction(pool) as connection:
        paused = await service.pause(connection, NAME, acting=acting, reason="no balance")
    assert (paused.closed, paused.paused_by) == (True, "user:7")
    assert paused.pause_reason == "no balance"

    async def closed() -> bool:
        return await book.closed_for_s(NAME) >= 1

    await until(closed)
    await let_time_pass(pool)
    async with transaction(pool) as connection:
        assert not await service.claim_call(connection, paused, open_s=30)
        # A stale status does not help: a paused provider gives no probe.
        stale = replace(paused, closed=False, probing=True)
        assert not await service.claim_call(connection, stale, open_s=30)
    async with transaction(pool) as connection:
        resumed = await service.resume(connection, NAME, acting=acting)
    assert (resumed.closed, resumed.failures, resumed.paused_at) == (False, 0, None)
    acts = await pool.fetch("SELECT action, subject, before, after FROM audit_log ORDER BY id")
    assert [(act["action"], act["subject"]) for act in acts] == [
        ("provider_paused", "provider:wavespeed"),
        ("provider_resumed", "provider:wavespeed"),
    ]
    assert acts[0]["before"]["paused_by"] is None
    assert acts[0]["after"]["paused_by"] == acts[1]["before"]["paused_by"] == "user:7"


async def test_balance_is_kept(pool: Pool) -> None:
    await service.note_balance(pool, NAME, 12_340_000)
    by_name = {provider.name: provider for provider in await service.read_providers(pool)}
    assert by_name[NAME].balance_micro_usd == 12_340_000
    assert by_name[NAME].balance_at is not None
    assert by_name["offline"].balance_micro_usd is None


async def test_unknown_providers(pool: Pool, cache: CatalogCache, acting: Acting) -> None:
    with pytest.raises(ProviderNotFound):
        await service.provider_status(pool, cache, "none-such")
    async with transaction(pool) as connection:
        with pytest.raises(ProviderNotFound):
            await service.pause(connection, "none-such", acting=acting, reason="x")
        with pytest.raises(ProviderNotFound):
            await service.resume(connection, "none-such", acting=acting)
        with pytest.raises(ProviderNotFound):
            await service.note_outage(connection, "none-such", "x", threshold=1, open_s=1)
