"""The operations, one rule at a time."""

from __future__ import annotations

import pytest

from hamyon.kit.db import Connection, connect
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.ledger import service, store
from hamyon.ledger.errors import (
    AlreadyReversed,
    AmountTooLarge,
    HoldClosed,
    HoldExceeded,
    HoldNotFound,
    InsufficientFunds,
    InvalidAmount,
    InvalidTransfer,
    TransferNotFound,
)
from hamyon.ledger.types import AMOUNT_LIMIT, DEBT, WALLET, Line, Transfer, TransferKind
from tests.fixtures.database import Database
from tests.ledger.money import (
    assert_sound,
    capture,
    claw_back,
    debt,
    deposit,
    hold,
    reverse,
    transfer,
    wallet,
)

U = 7


def post_of(*lines: Line, key: str = "k") -> Transfer:
    return Transfer(TransferKind.FEE, key, "tester", lines)


async def test_hold_needs_what_is_available(connection: Connection) -> None:
    with pytest.raises(InsufficientFunds) as refused:
        await hold(connection, U, 1, "h0")
    assert refused.value.facts == {"asset": "credit", "needed": 1, "balance": 0}
    await deposit(connection, U, 10, "d1")
    assert await hold(connection, U, 4, "h1") == 6
    with pytest.raises(InsufficientFunds) as refused:
        await hold(connection, U, 7, "h2")
    assert refused.value.facts == {"asset": "credit", "needed": 7, "balance": 6}
    assert await hold(connection, U, 6, "h3") == 0
    assert await wallet(connection, U) == (10, 10)
    await assert_sound(connection)


async def test_hold_again_gives_the_first_answer(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    assert await hold(connection, U, 4, "h1") == 6
    await deposit(connection, U, 100, "d2")
    assert await hold(connection, U, 4, "h1") == 6
    assert await wallet(connection, U) == (110, 4)
    await deposit(connection, 8, 100, "d3")
    for user_id, amount in ((U, 5), (8, 4), (9, 4)):
        with pytest.raises(IdempotencyMismatch):
            await hold(connection, user_id, amount, "h1")
    await assert_sound(connection)


async def test_capture_takes_a_part_and_gives_the_rest_back(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    await hold(connection, U, 6, "h1")
    with pytest.raises(HoldExceeded):
        await capture(connection, "h1", 7)
    with pytest.raises(HoldNotFound):
        await capture(connection, "other", 1)
    assert await capture(connection, "h1", 2) is True
    assert await capture(connection, "h1", 2) is False
    assert await wallet(connection, U) == (8, 0)
    with pytest.raises(IdempotencyMismatch):
        await capture(connection, "h1", 3)
    with pytest.raises(HoldClosed):
        await service.release(connection, "h1")
    await assert_sound(connection)


async def test_capture_again_with_another_input(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    await hold(connection, U, 6, "h1")
    await capture(connection, "h1", 2)

    async def again(*, kind: TransferKind, to_role: str, transfer_key: str) -> bool:
        return await service.capture(
            connection,
            "h1",
            amount=2,
            kind=kind,
            to_role=to_role,
            transfer_key=transfer_key,
            reference="h1",
        )

    generation, training = TransferKind.GENERATION, TransferKind.TRAINING
    with pytest.raises(IdempotencyMismatch):
        await again(kind=training, to_role="revenue:images", transfer_key="capture:h1")
    with pytest.raises(IdempotencyMismatch):
        await again(kind=generation, to_role="revenue:traffic", transfer_key="capture:h1")
    with pytest.raises(HoldClosed):
        await again(kind=generation, to_role="revenue:images", transfer_key="capture:other")
    await assert_sound(connection)


async def test_release_gives_all_back_once(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    await hold(connection, U, 6, "h1")
    assert await service.release(connection, "h1") is True
    assert await service.release(connection, "h1") is False
    with pytest.raises(HoldClosed):
        await capture(connection, "h1", 1)
    assert await wallet(connection, U) == (10, 0)
    await assert_sound(connection)


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (0, InvalidAmount),
        (-1, InvalidAmount),
        (AMOUNT_LIMIT + 1, AmountTooLarge),
        (2**63 - 1, AmountTooLarge),
        (2**63, AmountTooLarge),
        (-(2**63), AmountTooLarge),
        (2**80, AmountTooLarge),
    ],
)
async def test_amounts_that_cannot_be(
    connection: Connection, amount: int, error: type[HamyonError]
) -> None:
    await deposit(connection, U, 10, "d1")
    await hold(connection, U, 6, "h1")
    with pytest.raises(error):
        await hold(connection, U, amount, "h2")
    with pytest.raises(error):
        await claw_back(connection, U, amount, "c1")
    if amount:
        with pytest.raises(error):
            await capture(connection, "h1", amount)
    with pytest.raises(AmountTooLarge if error is AmountTooLarge else InvalidTransfer):
        lines = (Line(U, WALLET, "credit", amount), Line(None, "bonus", "credit", amount))
        await service.post(connection, post_of(*lines))
    assert await wallet(connection, U) == (10, 6)
    await assert_sound(connection)


@pytest.mark.parametrize("amount", [AMOUNT_LIMIT + 1, 2**63 - 1, -(2**63)])
async def test_the_database_refuses_large_amounts_itself(
    connection: Connection, amount: int
) -> None:
    lines = post_of(Line(U, WALLET, "credit", amount), Line(None, "bonus", "credit", 1))
    with pytest.raises(AmountTooLarge):
        await store.post(connection, lines, input_hash=b"h")
    with pytest.raises((AmountTooLarge, InvalidAmount)):
        await store.open_hold(connection, user_id=U, asset="credit", amount=amount, key="h")
    await assert_sound(connection)


async def test_a_balance_cannot_outgrow_the_limit(connection: Connection) -> None:
    assert await deposit(connection, U, AMOUNT_LIMIT, "d1")
    with pytest.raises(AmountTooLarge):
        await deposit(connection, U, 1, "d2")
    assert await claw_back(connection, 8, AMOUNT_LIMIT, "c1") == AMOUNT_LIMIT
    with pytest.raises(AmountTooLarge):
        await claw_back(connection, 8, 1, "c2")
    total = await store.transferred(connection, reference="d1", kind="deposit")
    assert total == AMOUNT_LIMIT
    await assert_sound(connection)


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        ("too_few_lines", ()),
        ("too_few_lines", (Line(U, WALLET, "credit", 1),)),
        ("empty_line", (Line(U, WALLET, "credit", 0), Line(None, "bonus", "credit", 0))),
        ("unbalanced", (Line(U, WALLET, "credit", 2), Line(None, "bonus", "credit", -1))),
        ("unbalanced", (Line(U, WALLET, "credit", 1), Line(None, "bonus", "USD", -1))),
        ("account_twice", (Line(U, WALLET, "credit", 1), Line(U, WALLET, "credit", -1))),
        ("account_twice", (Line(None, "bonus", "credit", 1), Line(None, "bonus", "credit", -1))),
        ("unknown_role", (Line(U, "pocket", "credit", 1), Line(None, "bonus", "credit", -1))),
        ("unknown_role", (Line(None, WALLET, "credit", 1), Line(None, "bonus", "credit", -1))),
        ("more_than_owed", (Line(U, DEBT, "credit", 1), Line(None, "bonus", "credit", -1))),
    ],
)
async def test_lines_that_make_no_transfer(
    connection: Connection, problem: str, lines: tuple[Line, ...]
) -> None:
    accounts = await connection.fetchval("SELECT count(*) FROM accounts")
    with pytest.raises(InvalidTransfer) as refused:
        await service.post(connection, post_of(*lines))
    assert refused.value.facts == {"problem": problem}
    assert await connection.fetchval("SELECT count(*) FROM transfers") == 0
    assert await connection.fetchval("SELECT count(*) FROM accounts") == accounts
    await assert_sound(connection)


async def test_debt_is_paid_first(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    await hold(connection, U, 6, "h1")
    assert await claw_back(connection, U, 10, "c1") == 6
    assert await claw_back(connection, U, 10, "c1") == 6
    assert (await wallet(connection, U), await debt(connection, U)) == ((6, 6), 6)
    # What is held is not taken; what comes back from the hold is.
    await capture(connection, "h1", 4)
    assert (await wallet(connection, U), await debt(connection, U)) == ((0, 0), 4)
    await deposit(connection, U, 3, "d2")
    assert (await wallet(connection, U), await debt(connection, U)) == ((0, 0), 1)
    await deposit(connection, U, 3, "d3")
    assert (await wallet(connection, U), await debt(connection, U)) == ((2, 0), 0)
    lines = await service.history(connection, U, "credit", before_id=None, limit=3)
    assert [(line.kind, line.amount, line.balance_after) for line in lines] == [
        ("debt", -1, 2),
        ("deposit", 3, 3),
        ("debt", -3, 0),
    ]
    await assert_sound(connection)


async def test_a_debt_of_one_asset_is_not_paid_with_another(connection: Connection) -> None:
    await claw_back(connection, U, 5, "c1")
    await deposit(connection, U, 9, "d1", asset="USD")
    assert await debt(connection, U) == 5
    await assert_sound(connection)


async def test_reverse_once(connection: Connection) -> None:
    await deposit(connection, U, 10, "d1")
    with pytest.raises(TransferNotFound):
        await reverse(connection, "never", "r1")
    assert await reverse(connection, "d1", "r1") is True
    assert await reverse(connection, "d1", "r1") is False
    assert await wallet(connection, U) == (0, 0)
    with pytest.raises(AlreadyReversed) as refused:
        await reverse(connection, "d1", "r2")
    assert refused.value.facts == {"key": "d1", "by": "r1"}
    await deposit(connection, U, 10, "d2")
    with pytest.raises(IdempotencyMismatch):
        await reverse(connection, "d2", "r1")
    await hold(connection, U, 1, "h1")
    with pytest.raises(InsufficientFunds):
        await reverse(connection, "d2", "r2")
    await assert_sound(connection)


async def test_reversing_a_claw_back_returns_what_paid_its_debt(connection: Connection) -> None:
    await deposit(connection, U, 6, "d1")
    assert await claw_back(connection, U, 10, "c1") == 4
    await deposit(connection, U, 3, "d2")
    assert (await wallet(connection, U), await debt(connection, U)) == ((0, 0), 1)
    await reverse(connection, "c1", "r1")
    assert (await wallet(connection, U), await debt(connection, U)) == ((9, 0), 0)
    await assert_sound(connection)


async def test_one_transfer_moves_several_people(connection: Connection) -> None:
    await deposit(connection, 1, 10, "d1")
    assert await service.post(connection, transfer("t1", {3: 4, 1: -9, 2: 5}))
    assert [await wallet(connection, n) for n in (1, 2, 3)] == [(1, 0), (5, 0), (4, 0)]
    await assert_sound(connection)


async def test_no_operation_scans_a_table(database: Database, connection: Connection) -> None:
    """With ten million accounts a plan made on a small database must still be a good one."""
    await deposit(connection, 99, 100, "d99")
    await hold(connection, 99, 10, "h99")
    # Now the planner knows how small the tables are: left alone, it would read them whole.
    superuser = await connect(database.superuser_dsn, role=None)
    await superuser.execute("ANALYZE accounts, holds, ledger_entries, transfers")
    await superuser.close()
    tables = ["accounts", "holds", "ledger_entries", "transfers"]
    async with connection.transaction():
        for n in range(8):
            await deposit(connection, n, 100, f"d{n}")
            await service.post(connection, transfer(f"t{n}", {n: -1, n + 50: 1}))
            await hold(connection, n, 10, f"h{n}")
            await claw_back(connection, n, 95, f"c{n}")
            await capture(connection, f"h{n}", 3)
            await reverse(connection, f"c{n}", f"r{n}")
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await connection.execute("SET CONSTRAINTS ALL DEFERRED")
        rows = await connection.fetch(
            """
            SELECT relname, seq_scan, idx_scan FROM pg_stat_xact_user_tables
            WHERE relname = ANY ($1) ORDER BY relname
            """,
            tables,
        )
    assert [row["relname"] for row in rows] == tables
    assert all(row["idx_scan"] > 8 for row in rows)
    assert {row["relname"]: row["seq_scan"] for row in rows} == dict.fromkeys(tables, 0)
    await assert_sound(connection)
