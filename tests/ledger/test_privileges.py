"""PROOF: entries never change, and only the ledger's functions write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from hamyon.kit import db
from tests.fixtures.database import Database
from tests.ledger.money import assert_sound, capture, claw_back, deposit, hold, reverse, wallet

TABLES = {
    "assets": "code = code",
    "accounts": "posted = posted",
    "transfers": "kind = kind",
    "ledger_entries": "amount = amount",
    "holds": "captured = captured",
}
OPERATIONS = {
    "ledger_open_hold",
    "ledger_capture",
    "ledger_post",
    "ledger_claw_back",
    "ledger_reverse",
}


@pytest_asyncio.fixture
async def owner(database: Database) -> AsyncIterator[db.Connection]:
    connection = await db.connect(database.owner_dsn, role=None)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def used(connection: db.Connection) -> db.Connection:
    """The application's connection, on a ledger with a row in every table."""
    await deposit(connection, 1, 10, "d1")
    await hold(connection, 1, 4, "h1")
    return connection


@pytest.mark.parametrize("table", TABLES)
async def test_the_application_cannot_write(used: db.Connection, table: str) -> None:
    for statement in (
        f"UPDATE {table} SET {TABLES[table]}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}",
        f"SELECT * FROM {table} FOR UPDATE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table} CASCADE",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await used.execute(statement)
    await assert_sound(used)


@pytest.mark.parametrize("table", ["transfers", "ledger_entries"])
async def test_the_owner_cannot_change_what_is_written(
    used: db.Connection, owner: db.Connection, table: str
) -> None:
    before = await owner.fetch(f"SELECT * FROM {table}")
    assert before
    for statement in (
        f"UPDATE {table} SET {TABLES[table]}",
        f"UPDATE {table} SET {TABLES[table]} WHERE false",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        "TRUNCATE accounts, transfers, ledger_entries, holds",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the ledger only grows"):
            await owner.execute(statement)
    assert await owner.fetch(f"SELECT * FROM {table}") == before
    await assert_sound(used)


async def test_only_the_operations_are_executable(
    used: db.Connection, owner: db.Connection
) -> None:
    rows = await owner.fetch(
        """
        SELECT proname, prosecdef, provolatile, proconfig,
               has_function_privilege('hamyon_app', oid, 'EXECUTE') AS allowed
        FROM pg_proc WHERE proname LIKE 'ledger\\_%' AND prorettype <> 'trigger'::regtype
        """
    )
    assert {row["proname"] for row in rows if row["allowed"]} == OPERATIONS
    assert {row["proname"] for row in rows if row["prosecdef"]} == OPERATIONS
    assert len(rows) > len(OPERATIONS)
    for row in rows:
        assert row["provolatile"] == b"v"
        if row["prosecdef"]:
            # pg_temp last: otherwise a temporary table would be found before ours.
            assert "search_path=pg_catalog, public, pg_temp" in row["proconfig"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await used.execute("SELECT ledger_account(1, 'wallet', 'credit')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await used.execute(
            "SELECT ledger_write('fee', 'k', '', 'x', NULL, NULL, NULL, '{1,2}', '{1,-1}')"
        )
    await assert_sound(used)


async def test_a_temporary_table_cannot_stand_in(used: db.Connection) -> None:
    """The operations run as the owner: they must find our tables, not ones the session made."""
    for table in TABLES:
        await used.execute(f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM public.{table}")
    await used.execute("UPDATE pg_temp.accounts SET posted = 1000000")
    await deposit(used, 1, 5, "d2")
    assert await hold(used, 1, 11, "h2") == 0
    await capture(used, "h2", 1)
    await claw_back(used, 1, 1, "c1")
    await reverse(used, "c1", "r1")
    for table in TABLES:
        await used.execute(f"DROP TABLE pg_temp.{table}")
    assert await wallet(used, 1) == (14, 4)
    await assert_sound(used)


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param((), id="no line"),
        pytest.param((5,), id="one line"),
        pytest.param((5, -4), id="unbalanced"),
    ],
)
async def test_the_owners_own_transfer_must_balance(
    used: db.Connection, owner: db.Connection, amounts: tuple[int, ...]
) -> None:
    written = owner.transaction()
    await written.start()
    await _write_by_hand(owner, amounts)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await written.commit()
    assert await owner.fetchval("SELECT count(*) FROM transfers WHERE key = 'by hand'") == 0
    await assert_sound(used)


async def test_a_line_added_later_must_balance(used: db.Connection, owner: db.Connection) -> None:
    """The trigger watches the entries too: an old transfer cannot be grown by one line."""
    added = owner.transaction()
    await added.start()
    await owner.execute(
        """
        INSERT INTO ledger_entries (transfer_id, account_id, amount)
        SELECT transfer_id, account_id, 5 FROM ledger_entries LIMIT 1
        """
    )
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await added.commit()
    await assert_sound(used)


async def test_an_entry_needs_an_account(used: db.Connection, owner: db.Connection) -> None:
    """There is no foreign key; the trigger sees that the two lines have no asset."""
    written = owner.transaction()
    await written.start()
    await owner.execute(
        """
        WITH t AS (INSERT INTO transfers (kind, key, input_hash, actor)
                   VALUES ('fee', 'by hand', '', 'owner') RETURNING id)
        INSERT INTO ledger_entries (transfer_id, account_id, amount)
        SELECT t.id, 999, n FROM t, unnest('{5,-5}'::bigint[]) AS n
        """
    )
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await written.commit()
    await assert_sound(used)


async def test_a_transfer_of_the_owner_that_balances_is_taken(
    used: db.Connection, owner: db.Connection
) -> None:
    async with owner.transaction():
        await _write_by_hand(owner, (5, -2, -3))
    await assert_sound(used)


async def _write_by_hand(owner: db.Connection, amounts: tuple[int, ...]) -> None:
    transfer_id = await owner.fetchval(
        """
        INSERT INTO transfers (kind, key, input_hash, actor)
        VALUES ('fee', 'by hand', '', 'owner') RETURNING id
        """
    )
    for number, amount in enumerate(amounts):
        await owner.execute(
            """
            WITH a AS (INSERT INTO accounts (role, asset) VALUES ($2, 'credit') RETURNING id)
            INSERT INTO ledger_entries (transfer_id, account_id, amount) SELECT $1, a.id, $3 FROM a
            """,
            transfer_id,
            f"by hand {number}",
            amount,
        )
