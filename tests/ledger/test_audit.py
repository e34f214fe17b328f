"""The audit finds every kind of corruption: each is planted past all protection, by a superuser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from hamyon.kit import db
from hamyon.ledger import service
from hamyon.ledger.store import AUDIT
from tests.fixtures.database import Database
from tests.ledger.money import assert_sound, capture, claw_back, deposit, hold, reverse

WALLET_1 = "(SELECT id FROM accounts WHERE user_id = 1 AND role = 'wallet')"
DEBT_2 = "(SELECT id FROM accounts WHERE user_id = 2 AND role = 'debt')"
BONUS = "(SELECT id FROM accounts WHERE role = 'sales:stars' AND asset = 'credit')"
LAST_OF_1 = f"(SELECT max(id) FROM ledger_entries WHERE account_id = {WALLET_1})"
NEW_TRANSFER = (
    "INSERT INTO transfers (kind, key, input_hash, actor) VALUES ('fee', 'planted', '', 'thief')"
)

# What is planted, and the findings that it must cause.
PLANTED: dict[str, tuple[str, set[str]]] = {
    "money out of nothing": (
        f"UPDATE accounts SET posted = posted + 1 WHERE id = {WALLET_1}",
        {"posted_is_sum_of_entries", "last_balance_is_posted"},
    ),
    "a hold forgotten": (
        f"UPDATE accounts SET held = 0 WHERE id = {WALLET_1}",
        {"held_is_sum_of_open_holds"},
    ),
    "a hold vanished": ("DELETE FROM holds WHERE state = 'open'", {"held_is_sum_of_open_holds"}),
    "an overdraft": (
        f"UPDATE accounts SET held = posted + 1 WHERE id = {WALLET_1}",
        {"held_is_sum_of_open_holds", "nothing_overdrawn"},
    ),
    "a debt turned into money": (
        f"UPDATE accounts SET posted = 1 WHERE id = {DEBT_2}",
        {"nothing_overdrawn", "posted_is_sum_of_entries", "last_balance_is_posted"},
    ),
    "an entry changed": (
        f"UPDATE ledger_entries SET amount = amount + 1 WHERE id = {LAST_OF_1}",
        {"transfer_balances", "posted_is_sum_of_entries", "balance_follows_the_one_before"},
    ),
    "an entry deleted": (
        f"DELETE FROM ledger_entries WHERE id = {LAST_OF_1}",
        {"transfer_balances", "posted_is_sum_of_entries", "last_balance_is_posted"},
    ),
    "a balance falsified in the history": (
        f"""
        UPDATE ledger_entries SET balance_after = balance_after + 1
        WHERE id = (SELECT min(id) FROM ledger_entries WHERE account_id = {WALLET_1})
        """,
        {"balance_follows_the_one_before"},
    ),
    "a balance on a system account": (
        f"UPDATE ledger_entries SET balance_after = 1 WHERE account_id = {BONUS}",
        {"balance_follows_the_one_before"},
    ),
    "a transfer without entries": (NEW_TRANSFER, {"transfer_balances"}),
    "a transfer of one line": (
        f"""
        WITH t AS ({NEW_TRANSFER} RETURNING id)
        INSERT INTO ledger_entries (transfer_id, account_id, amount) SELECT id, {BONUS}, 5 FROM t
        """,
        {"transfer_balances"},
    ),
    "entries of two assets": (
        f"""
        WITH a AS (INSERT INTO accounts (role, asset) VALUES ('x', 'USD') RETURNING id),
             t AS ({NEW_TRANSFER} RETURNING id)
        INSERT INTO ledger_entries (transfer_id, account_id, amount)
        SELECT t.id, {BONUS}, 5 FROM t UNION ALL SELECT t.id, a.id, -5 FROM t, a
        """,
        {"transfer_balances"},
    ),
    "an account deleted": (
        "DELETE FROM accounts WHERE role = 'sales:stars'",
        {"entry_has_account", "transfer_balances"},
    ),
    "a transfer deleted": (
        "DELETE FROM transfers WHERE key = 'capture:h1'",
        {"entry_has_transfer"},
    ),
    "a debt beside money": (
        "UPDATE accounts SET posted = 5, held = 0 WHERE user_id = 2 AND role = 'wallet'",
        {"debt_is_paid_first"},
    ),
    "a reversal of something else": (
        """
        UPDATE transfers SET reverses = (SELECT id FROM transfers WHERE key = 'd1')
        WHERE key = 'r3'
        """,
        {"reversal_mirrors"},
    ),
    "a capture larger than its hold": (
        "UPDATE holds SET captured = amount + 1 WHERE key = 'h1'",
        {"hold_is_whole"},
    ),
    "a release that took something": (
        "UPDATE holds SET state = 'released' WHERE key = 'h1'",
        {"hold_is_whole"},
    ),
}
# What is gone has no time by which a look at the recent past could find it.
UNSEEN_BY_THE_RECENT = {"a transfer deleted"}


@pytest_asyncio.fixture
async def owner(database: Database, pool: db.Pool) -> AsyncIterator[db.Connection]:
    """A superuser before whom the triggers and the checks are gone; the ledger has some of all."""
    async with pool.acquire() as connection:
        await deposit(connection, 1, 100, "d1")
        await hold(connection, 1, 30, "h1")
        await capture(connection, "h1", 20)
        await hold(connection, 1, 10, "h2")
        await claw_back(connection, 2, 5, "c2")
        await deposit(connection, 3, 7, "d3")
        await reverse(connection, "d3", "r3")
    await assert_sound(pool)
    superuser = await db.connect(database.superuser_dsn, role=None)
    await superuser.execute("SET session_replication_role = replica")
    await superuser.execute("ALTER TABLE accounts DROP CONSTRAINT accounts_shape")
    await superuser.execute("ALTER TABLE holds DROP CONSTRAINT holds_shape")
    yield superuser
    await superuser.close()


async def test_planted_corruption_is_found(owner: db.Connection) -> None:
    for name, (statement, expected) in PLANTED.items():
        planted = owner.transaction()
        await planted.start()
        status = await owner.execute(statement)
        assert not status.endswith(" 0"), name
        found = {finding.check for finding in await service.audit(owner)}
        assert expected <= found, name
        recent = await service.audit(owner, datetime.now(UTC) - timedelta(minutes=5))
        if name not in UNSEEN_BY_THE_RECENT:
            assert expected <= {finding.check for finding in recent}, name
        await planted.rollback()
        await assert_sound(owner)


async def test_every_check_is_provoked(pool: db.Pool) -> None:
    """A check that nothing above provokes would be a check that nobody has seen working."""
    named = set(re.findall(r"SELECT (?:DISTINCT )?'(\w+)'", AUDIT))
    assert len(named) > 9
    assert named == set().union(*(expected for _, expected in PLANTED.values()))
    await assert_sound(pool)


async def test_the_recent_audit_looks_at_nothing_older(owner: db.Connection, pool: db.Pool) -> None:
    await owner.execute("UPDATE transfers SET created_at = created_at - interval '1 hour'")
    await owner.execute("DELETE FROM holds WHERE state = 'open'")
    await owner.execute("UPDATE holds SET closed_at = closed_at - interval '1 hour'")
    await owner.execute("UPDATE accounts SET posted = posted + 1 WHERE user_id IS NOT NULL")
    assert await service.audit(pool, datetime.now(UTC) - timedelta(minutes=30)) == []
    assert await service.audit(pool) != []
