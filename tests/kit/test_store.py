"""Keys of idempotency, the inbox and the queue's entries, on a real database."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TypedDict

import pytest

from hamyon.kit import db, store
from hamyon.kit.errors import IdempotencyMismatch
from tests.fixtures.database import Database


class Key(TypedDict):
    caller: str
    user_id: int
    route: str
    key: str


KEY: Key = {"caller": "api", "user_id": 1, "route": "POST /things", "key": "k1"}


async def have_an_effect(
    connection: db.Connection, *, input_hash: bytes = b"body", key: Key = KEY
) -> dict[str, object]:
    """A route in short: claim, have an effect that anybody can count, keep the answer."""
    first = await store.claim_key(connection, **key, input_hash=input_hash)
    if first is not None:
        return first
    number = await connection.fetchval(
        "INSERT INTO inbox (source, event_key, subject, body) "
        "VALUES ('effect', gen_random_uuid()::text, '', '') RETURNING id"
    )
    answer: dict[str, object] = {"number": number}
    await store.answer_key(connection, **key, answer=answer)
    return answer


async def request_once(
    pool: db.Pool, *, input_hash: bytes = b"body", key: Key = KEY
) -> dict[str, object]:
    """The route as its caller sees it."""

    async def use_case(connection: db.Connection) -> dict[str, object]:
        return await have_an_effect(connection, input_hash=input_hash, key=key)

    return await db.in_transaction(pool, use_case)


async def effects(pool: db.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM inbox WHERE source = 'effect'")
    return count


async def test_a_hundred_equal_requests_have_one_effect(pool: db.Pool) -> None:
    barrier = asyncio.Barrier(100)

    async def request() -> object:
        await barrier.wait()
        return (await request_once(pool))["number"]

    answers = Counter(await asyncio.gather(*(request() for _ in range(100))))
    assert list(answers.values()) == [100]
    assert await effects(pool) == 1
    again = await request_once(pool)
    assert again["number"] in answers
    with pytest.raises(IdempotencyMismatch) as refused:
        await request_once(pool, input_hash=b"another body")
    assert refused.value.facts == {"key": "k1"}
    assert await effects(pool) == 1


async def test_different_bodies_race_for_one_key(pool: db.Pool) -> None:
    async def request(number: int) -> str:
        try:
            await request_once(pool, input_hash=b"%d" % number)
        except IdempotencyMismatch as error:
            return error.code
        return "done"

    answers = Counter(await asyncio.gather(*(request(number) for number in range(50))))
    assert answers == {"done": 1, "idempotency_mismatch": 49}
    assert await effects(pool) == 1


@pytest.mark.parametrize(
    "other_key",
    [
        pytest.param({**KEY, "caller": "other"}, id="caller"),
        pytest.param({**KEY, "user_id": 2}, id="user"),
        pytest.param({**KEY, "route": "POST /others"}, id="route"),
        pytest.param({**KEY, "key": "k2"}, id="key"),
    ],
)
async def test_a_key_belongs_to_its_caller_user_and_route(pool: db.Pool, other_key: Key) -> None:
    first = await request_once(pool)
    other = await request_once(pool, key=other_key)
    assert first != other
    assert await effects(pool) == 2


async def test_a_claim_that_is_rolled_back_is_free_again(pool: db.Pool) -> None:
    async def fails(connection: db.Connection) -> None:
        await have_an_effect(connection, input_hash=b"first body")
        raise ValueError

    with pytest.raises(ValueError):
        await db.in_transaction(pool, fails)
    assert await request_once(pool, input_hash=b"second body")
    assert await effects(pool) == 1


async def test_a_racing_claim_waits_for_the_outcome(pool: db.Pool) -> None:
    """Told nothing before the first one's end: then its answer, or the key when it failed."""
    for commits in (True, False):
        key: Key = {**KEY, "key": f"race {commits}"}
        async with pool.acquire() as connection:
            first = connection.transaction()
            await first.start()
            assert await store.claim_key(connection, **key, input_hash=b"body") is None
            await store.answer_key(connection, **key, answer={"by": "first"})

            async def second(connection: db.Connection, key: Key = key) -> object:
                return await store.claim_key(connection, **key, input_hash=b"body")

            waiting = asyncio.create_task(db.in_transaction(pool, second))
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            await (first.commit() if commits else first.rollback())
        assert await waiting == ({"by": "first"} if commits else None)


async def test_an_event_is_stored_once(pool: db.Pool) -> None:
    async def arrives(source: str = "vendor") -> int | None:
        return await store.store_event(
            pool, source=source, event_key="e1", subject="job", body=b"{}"
        )

    stored = await asyncio.gather(*(arrives() for _ in range(50)))
    assert sum(one is not None for one in stored) == 1
    assert await arrives("other") is not None
    assert await store.events_about(pool, source="vendor", subject="job") == [b"{}"]


async def test_events_about_one_thing_come_oldest_first(connection: db.Connection) -> None:
    for number, subject in enumerate(("a", "b", "a")):
        await store.store_event(
            connection,
            source="vendor",
            event_key=f"e{number}",
            subject=subject,
            body=b"%d" % number,
        )
    assert await store.events_about(connection, source="vendor", subject="a") == [b"0", b"2"]
    assert await store.events_about(connection, source="vendor", subject="c") == []
    assert await store.events_about(connection, source="other", subject="a") == []


async def test_handled_is_said_once_and_of_one_thing(connection: db.Connection) -> None:
    for key, subject in (("e1", "a"), ("e2", "a"), ("e3", "b")):
        await store.store_event(
            connection, source="vendor", event_key=key, subject=subject, body=b""
        )
    when = "SELECT handled_at FROM inbox ORDER BY id"
    await store.mark_handled(connection, source="other", subject="a")
    assert {row[0] for row in await connection.fetch(when)} == {None}
    await store.mark_handled(connection, source="vendor", subject="a")
    first = [row[0] for row in await connection.fetch(when)]
    assert None not in first[:2]
    assert first[2] is None
    await store.mark_handled(connection, source="vendor", subject="a")
    assert [row[0] for row in await connection.fetch(when)] == first


async def test_a_job_is_queued_with_the_callers_transaction(pool: db.Pool) -> None:
    async def queue(connection: db.Connection, *, fails: bool) -> None:
        await store.add_job(connection, "advance", "payload", priority=3)
        if fails:
            raise ValueError

    with pytest.raises(ValueError):
        await db.in_transaction(pool, queue, fails=True)
    assert (await store.queue_depth(pool))[0] == 0
    await db.in_transaction(pool, queue, fails=False)
    depth, oldest_s = await store.queue_depth(pool)
    assert depth == 1
    assert oldest_s >= 0
    row = await pool.fetchrow("SELECT entrypoint, payload, priority, status FROM pgqueuer")
    assert row is not None
    assert tuple(row) == ("advance", b"payload", 3, "queued")


async def test_a_dedupe_key_queues_one_job_while_it_waits(connection: db.Connection) -> None:
    for dedupe_key in ("k", "k", "other", None, None):
        await store.add_job(connection, "advance", "payload", dedupe_key=dedupe_key)
    assert (await store.queue_depth(connection))[0] == 4
    await connection.execute("DELETE FROM pgqueuer WHERE dedupe_key = 'k'")
    await store.add_job(connection, "advance", "payload", dedupe_key="k")
    assert (await store.queue_depth(connection))[0] == 4


async def test_a_delayed_job_is_not_due(connection: db.Connection) -> None:
    await store.add_job(connection, "advance", "later", delay=timedelta(hours=1))
    assert await store.queue_depth(connection) == (0, 0.0)


async def test_prune_queue_log_keeps_what_is_young(connection: db.Connection) -> None:
    await connection.execute(
        """
        INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)
        SELECT now() - age, 1, 'successful', 0, 'advance'
        FROM unnest('{1 hour,3 days,8 days}'::interval[]) AS age
        """
    )
    assert await store.prune_queue_log(connection, older_than=timedelta(days=2)) == 2
    assert await connection.fetchval("SELECT count(*) FROM pgqueuer_log") == 1


async def test_a_signal_goes_out_with_the_commit(database: Database, pool: db.Pool) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()
    listener = await db.connect(database.dsn)
    await listener.add_listener("test", lambda *message: heard.put_nowait(message[-1]))
    with pytest.raises(ValueError):
        async with db.transaction(pool) as connection:
            await store.notify(connection, "test", "never")
            raise ValueError
    async with db.transaction(pool) as connection:
        await store.notify(connection, "test", "committed")
    assert await asyncio.wait_for(heard.get(), 10) == "committed"
    await listener.close()


async def test_the_database_tells_its_time(connection: db.Connection) -> None:
    first = await store.database_time(connection)
    assert first.tzinfo is not None
    assert await store.database_time(connection) >= first
