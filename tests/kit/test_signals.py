"""Signals over a real PostgreSQL: after the commit, to every process, back after a loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from hamyon.kit.db import Pool, connect
from hamyon.kit.signals import ORDERS_CHANNEL, Signals, send
from tests.fixtures.database import Database


@pytest.fixture
async def signals(database: Database) -> AsyncIterator[Signals]:
    made = Signals(database.dsn, ping_interval_s=0.2)
    await made.start()
    yield made
    await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def cut_listeners(database: Database) -> None:
    """End every connection that listens, as a failing network or a restart would."""
    connection = await connect(
        database.superuser_dsn, role=None
    )  # The application may not end others.
    ended = await connection.fetch(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT clock_timestamp%')
        """
    )
    await connection.close()
    assert ended, "nobody was listening"


async def test_heard_only_after_the_commit(pool: Pool, signals: Signals) -> None:
    heard: list[str] = []
    signals.subscribe(ORDERS_CHANNEL, heard.append)
    async with pool.acquire() as connection:
        with pytest.raises(RuntimeError):
            async with connection.transaction():
                await send(connection, ORDERS_CHANNEL, "rolled back")
                raise RuntimeError
        async with connection.transaction():
            await send(connection, ORDERS_CHANNEL, "committed")
            await send(connection, ORDERS_CHANNEL, "committed too")
            await asyncio.sleep(0.2)
            assert heard == []
    await until(lambda: len(heard) >= 2)
    assert heard == ["committed", "committed too"]


async def test_every_process_hears(database: Database, pool: Pool, signals: Signals) -> None:
    other = Signals(database.dsn)
    await other.start()
    heard: list[str] = []
    for listener in (signals, other):
        listener.subscribe(ORDERS_CHANNEL, heard.append)
    async with pool.acquire() as connection:
        await send(connection, ORDERS_CHANNEL, "x")
    await until(lambda: heard == ["x", "x"])
    await other.close()


async def test_what_ended_hears_nothing(pool: Pool, signals: Signals) -> None:
    gone: list[str] = []
    kept: list[str] = []
    end = signals.subscribe(ORDERS_CHANNEL, gone.append)
    signals.subscribe(ORDERS_CHANNEL, kept.append)
    end()
    async with pool.acquire() as connection:
        await send(connection, ORDERS_CHANNEL, "x")
    await until(lambda: kept == ["x"])
    assert gone == []
    with pytest.raises(KeyError):
        signals.subscribe("no_such_channel", gone.append)


async def test_one_bad_listener_does_not_deafen_the_others(pool: Pool, signals: Signals) -> None:
    heard: list[str] = []

    def bad(_: str) -> None:
        raise RuntimeError

    signals.subscribe(ORDERS_CHANNEL, bad)
    signals.subscribe(ORDERS_CHANNEL, heard.append)
    async with pool.acquire() as connection:
        await send(connection, ORDERS_CHANNEL, "1")
        await send(connection, ORDERS_CHANNEL, "2")
    await until(lambda: heard == ["1", "2"])


async def test_back_after_a_lost_connection_and_everybody_is_told(
    database: Database, pool: Pool, signals: Signals
) -> None:
    heard: list[str] = []
    gaps: list[bool] = []
    signals.subscribe(ORDERS_CHANNEL, heard.append)
    signals.subscribe_gap(lambda: gaps.append(signals.is_listening))
    for round_number in (1, 2, 3):
        await cut_listeners(database)
        await until(lambda n=round_number: len(gaps) >= 2 * n)  # type: ignore[misc]
        await until(lambda: signals.is_listening)
        async with pool.acquire() as connection:
            await send(connection, ORDERS_CHANNEL, str(round_number))
        await until(lambda n=round_number: heard[-1:] == [str(n)])  # type: ignore[misc]
    assert gaps == [False, True] * 3


async def test_waiting_for_one_payload_among_others(pool: Pool, signals: Signals) -> None:
    waiting = asyncio.create_task(
        signals.wait_for(ORDERS_CHANNEL, lambda payload: payload == "mine", timeout_s=20)
    )
    await asyncio.sleep(0)
    async with pool.acquire() as connection:
        for payload in ("theirs", "mine"):
            await send(connection, ORDERS_CHANNEL, payload)
    assert await waiting == "mine"
    assert await signals.wait_for(ORDERS_CHANNEL, lambda _: True, timeout_s=0.05) is None


async def test_a_watch_keeps_what_comes_while_its_reader_reads(
    database: Database, pool: Pool, signals: Signals
) -> None:
    async with signals.watch(ORDERS_CHANNEL, lambda _: True) as watch:
        async with pool.acquire() as connection:
            for number in range(3):
                await send(connection, ORDERS_CHANNEL, str(number))
        await asyncio.sleep(0.1)
        assert [await watch.next(20) for _ in range(3)] == ["0", "1", "2"]
        await cut_listeners(database)
        async with asyncio.timeout(20):
            assert await watch.next(3600) is None, "a gap is a reason to look again"


async def test_a_payload_has_its_limit(pool: Pool, signals: Signals) -> None:
    heard: list[str] = []
    signals.subscribe(ORDERS_CHANNEL, heard.append)
    async with pool.acquire() as connection:
        await send(connection, ORDERS_CHANNEL, "x" * 7999)
        with pytest.raises(ValueError, match="too long"):
            await send(connection, ORDERS_CHANNEL, "\u044f" * 4000)
    await until(lambda: [len(payload) for payload in heard] == [7999])


async def test_a_database_that_is_not_there_is_said_at_the_start(unused_tcp_port: int) -> None:
    lost = Signals(f"postgresql://x@127.0.0.1:{unused_tcp_port}/x")
    with pytest.raises(TimeoutError):
        await lost.start(timeout_s=0.5)
    assert not lost.is_listening


async def test_closing_ends_the_connection(database: Database) -> None:
    made = Signals(database.dsn)
    await made.start()
    await made.close()

    connection = await connect(database.superuser_dsn, role=None)
    async with asyncio.timeout(20):
        while await connection.fetchval(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'
            """
        ):
            await asyncio.sleep(0.05)
    await connection.close()
