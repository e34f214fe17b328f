"""Transactions, their bounded retry, and what a connection of the application is."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import asyncpg
import pytest

from hamyon.kit import db
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from tests.fixtures.database import Database


async def count_inbox(connection: db.Connection | db.Pool) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM inbox")
    return count


async def add_event(connection: db.Connection, key: str) -> None:
    await connection.execute(
        "INSERT INTO inbox (source, event_key, subject, body) VALUES ('test', $1, '', '')", key
    )


async def test_a_connection_acts_as_the_application(pool: db.Pool) -> None:
    row = await pool.fetchrow(
        "SELECT current_user AS role, current_setting('timezone') AS timezone, "
        "current_setting('transaction_isolation') AS isolation"
    )
    assert row is not None
    assert dict(row) == {
        "role": db.APPLICATION_ROLE,
        "timezone": "UTC",
        "isolation": "read committed",
    }


async def test_connect_without_a_role_keeps_the_login(database: Database) -> None:
    connection = await db.connect(database.owner_dsn, role=None)
    row = await connection.fetchrow("SELECT current_user AS now, session_user AS login")
    await connection.close()
    assert row is not None
    assert row["now"] == row["login"] != db.APPLICATION_ROLE


@pytest.mark.parametrize("value", [{"a": [1, None, "ў"]}, [], "text", 5, True, {"n": 2**53}])
async def test_jsonb_is_a_python_value(connection: db.Connection, value: object) -> None:
    assert await connection.fetchval("SELECT $1::jsonb", value) == value


async def test_a_statement_cannot_hang(database: Database) -> None:
    pool = await db.open_pool(database.dsn, min_size=1, max_size=1, timeout_s=0.2)
    try:
        with pytest.raises(TimeoutError):
            await pool.execute("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1
    finally:
        await pool.close()


async def test_in_transaction_commits_and_returns(pool: db.Pool) -> None:
    async def use_case(connection: db.Connection, key: str, *, answer: int) -> int:
        await add_event(connection, key)
        return answer

    assert await db.in_transaction(pool, use_case, "e1", answer=7) == 7
    assert await count_inbox(pool) == 1


async def test_an_error_undoes_everything_and_is_not_retried(pool: db.Pool) -> None:
    attempts = 0

    async def use_case(connection: db.Connection) -> None:
        nonlocal attempts
        attempts += 1
        await add_event(connection, "e1")
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await db.in_transaction(pool, use_case)
    assert attempts == 1
    assert await count_inbox(pool) == 0


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
async def test_a_lost_race_is_tried_five_times(pool: db.Pool, sqlstate: str) -> None:
    attempts = 0

    async def use_case(connection: db.Connection) -> None:
        nonlocal attempts
        attempts += 1
        await add_event(connection, f"e{attempts}")
        await connection.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{sqlstate}'; END $$"
        )

    with pytest.raises(db.RETRYABLE, match="lost"):
        await db.in_transaction(pool, use_case)
    assert attempts == db.ATTEMPTS_MAX == 5
    assert await count_inbox(pool) == 0


async def test_a_lost_race_may_be_won_the_next_time(pool: db.Pool) -> None:
    attempts = 0

    async def use_case(connection: db.Connection) -> int:
        nonlocal attempts
        attempts += 1
        await add_event(connection, "e1")
        if attempts < db.ATTEMPTS_MAX:
            await connection.execute(
                "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$"
            )
        return attempts

    assert await db.in_transaction(pool, use_case) == db.ATTEMPTS_MAX
    assert await count_inbox(pool) == 1


async def test_a_failure_that_shows_at_commit_is_retried(pool: db.Pool) -> None:
    """Two serializable transactions that each read what the other writes: one fails at COMMIT."""
    both_have_read = asyncio.Barrier(2)
    attempts = {"a": 0, "b": 0}

    async def cross(name: str) -> int:
        async def attempt() -> int:
            attempts[name] += 1
            async with (
                pool.acquire() as connection,
                connection.transaction(isolation="serializable"),
            ):
                seen = await count_inbox(connection)
                if attempts[name] == 1:
                    await both_have_read.wait()
                await add_event(connection, name)
                return seen

        return await db.with_retries(attempt)

    seen = await asyncio.gather(cross("a"), cross("b"))
    assert sorted(seen) == [0, 1]
    assert sorted(attempts.values()) == [1, 2]
    assert await count_inbox(pool) == 2


async def test_transaction_gives_its_connection_back(database: Database) -> None:
    pool = await db.open_pool(database.dsn, min_size=1, max_size=1)
    try:
        for fails in (True, False, True, False):
            with pytest.raises(asyncpg.DivisionByZeroError) if fails else nullcontext():
                async with db.transaction(pool) as connection:
                    await add_event(connection, str(fails))
                    await connection.execute("SELECT 1 / $1::integer", 0 if fails else 1)
            assert await count_inbox(pool) == (0 if fails else 1)
            await pool.execute("DELETE FROM inbox")
    finally:
        await pool.close()


ERRORS = {"idempotency_mismatch": IdempotencyMismatch}
REFUSE = "SELECT refuse($1, $2)"


async def test_a_refusal_is_a_typed_error_with_its_facts(connection: db.Connection) -> None:
    with pytest.raises(IdempotencyMismatch) as refused, db.refusals(ERRORS):
        await connection.execute(REFUSE, "idempotency_mismatch", {"key": "k", "n": 2})
    assert refused.value.facts == {"key": "k", "n": 2}
    # The driver's error would carry the statement and its values into logs.
    assert refused.value.__suppress_context__


async def test_a_refusal_may_have_no_facts(connection: db.Connection) -> None:
    with pytest.raises(IdempotencyMismatch) as refused, db.refusals(ERRORS):
        await connection.execute("SELECT refuse('idempotency_mismatch')")
    assert refused.value.facts == {}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT refuse('some_other_code')",
        "SELECT 1 / 0",
        "DO $$ BEGIN RAISE EXCEPTION 'idempotency_mismatch'; END $$",
    ],
)
async def test_what_is_not_named_goes_through(connection: db.Connection, statement: str) -> None:
    """A code unknown to the slice, another error, and one that only reads like a refusal."""
    with pytest.raises(asyncpg.PostgresError), db.refusals(ERRORS):
        await connection.execute(statement)


async def test_a_refusal_rolls_the_transaction_back(pool: db.Pool) -> None:
    async def use_case(connection: db.Connection) -> None:
        await add_event(connection, "e1")
        with db.refusals(ERRORS):
            await connection.execute("SELECT refuse('idempotency_mismatch')")

    with pytest.raises(HamyonError):
        await db.in_transaction(pool, use_case)
    assert await count_inbox(pool) == 0
