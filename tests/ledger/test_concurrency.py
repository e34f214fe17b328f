"""PROOF: nobody overspends, no deadlock reaches a caller, one effect per key."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from hamyon.kit import db
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.ledger import service
from hamyon.ledger.errors import InsufficientFunds
from hamyon.ledger.types import Line, Transfer, TransferKind
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

ROUNDS = 20
TASKS = 64
WORKERS = 32
ACCOUNTS = 10
DEADLOCK_RUN_S = 5.0
SEED = 4


@pytest_asyncio.fixture
async def wide_pool(database: Database) -> AsyncIterator[db.Pool]:
    """As many connections as there are workers, all open before the race begins."""
    superuser = await db.connect(database.superuser_dsn, role=None)
    # A deadlock is looked for after this long; the default of a second would be most of the test.
    await superuser.execute(f"ALTER DATABASE {database.name} SET deadlock_timeout = '20ms'")
    await superuser.close()
    pool = await db.open_pool(database.dsn, min_size=WORKERS, max_size=WORKERS)
    yield pool
    await pool.close()


async def test_nobody_overspends(wide_pool: db.Pool) -> None:
    chance = random.Random(SEED)
    for number in range(1, ROUNDS + 1):
        affordable, price = chance.randint(0, TASKS), chance.randint(1, 50)
        async with wide_pool.acquire() as connection:
            await deposit(connection, number, affordable * price + price - 1, f"d{number}")
        barrier = asyncio.Barrier(TASKS)

        async def spend(task: int, user_id: int = number, price: int = price,
                        barrier: asyncio.Barrier = barrier) -> bool:  # fmt: skip
            async def use_case(connection: db.Connection) -> None:
                # Half of them order, half withdraw: both draw on the same wallet.
                key = f"spend:{user_id}:{task}"
                if task % 2:
                    await hold(connection, user_id, price, key)
                    return
                lines = (
                    Line(user_id, "wallet", "credit", -price),
                    Line(None, "payouts", "credit", price),
                )
                await service.post(
                    connection, Transfer(TransferKind.WITHDRAWAL, key, "tester", lines)
                )

            await barrier.wait()
            try:
                await db.in_transaction(wide_pool, use_case)
            except InsufficientFunds:
                return False
            return True

        spent = await asyncio.gather(*(spend(task) for task in range(TASKS)))
        assert sum(spent) == affordable
        posted, held = await wallet(wide_pool, number)
        assert posted - held == price - 1
    await assert_sound(wide_pool)


async def test_no_deadlock_reaches_a_caller(wide_pool: db.Pool) -> None:
    """Transfers among several people, and whole orders of one person, in every order of people.

    Not one of them needs a retry, because locks are taken by ascending id. What does need one is
    the next test.
    """
    async with wide_pool.acquire() as connection:
        for user_id in range(ACCOUNTS):
            await deposit(connection, user_id, 1_000_000, f"d{user_id}")
    until = time.monotonic() + DEADLOCK_RUN_S
    attempts: Counter[int] = Counter()
    captured: Counter[int] = Counter()

    async def work(worker: int) -> None:
        chance = random.Random(SEED * 1000 + worker)
        number = 0
        while time.monotonic() < until:
            number += 1
            people = chance.sample(range(ACCOUNTS), chance.randint(2, 4))
            moves = {who: chance.randint(1, 5) for who in people[1:]}
            moves[people[0]] = -sum(moves.values())
            order_of_one = chance.random() < 0.2
            made = 0

            async def use_case(
                connection: db.Connection,
                key: str = f"t:{worker}:{number}",
                moves: dict[int, int] = moves,
                order_of_one: bool = order_of_one,
            ) -> None:
                nonlocal made
                made += 1
                if not order_of_one:
                    assert await service.post(connection, transfer(key, moves))
                    return
                user_id = next(iter(moves))
                await hold(connection, user_id, 3, f"h:{key}")
                assert await capture(connection, f"h:{key}", 2)
                assert await reverse(connection, f"capture:h:{key}", f"r:{key}")
                captured[user_id] += 1

            await db.in_transaction(wide_pool, use_case)
            attempts[made] += 1

    await asyncio.gather(*(work(worker) for worker in range(WORKERS)))
    assert set(attempts) == {1}
    assert attempts.total() > 10 * WORKERS
    assert captured.total() > WORKERS
    total = sum([(await wallet(wide_pool, user_id))[0] for user_id in range(ACCOUNTS)])
    assert total == ACCOUNTS * 1_000_000
    await assert_sound(wide_pool)


async def test_a_deadlock_is_retried_with_the_same_keys(wide_pool: db.Pool) -> None:
    async with wide_pool.acquire() as connection:
        for user_id in (1, 2):
            await deposit(connection, user_id, 100, f"d{user_id}")
    both_hold_one = asyncio.Barrier(2)
    attempts: Counter[int] = Counter()

    async def cross(first: int, second: int) -> None:
        async def use_case(connection: db.Connection) -> None:
            attempts[first] += 1
            await deposit(connection, first, 1, f"x:{first}:1")
            if attempts[first] == 1:
                await both_hold_one.wait()
            await deposit(connection, second, 1, f"x:{first}:2")

        await db.in_transaction(wide_pool, use_case)

    await asyncio.gather(cross(1, 2), cross(2, 1))
    assert sorted(attempts.values()) == [1, 2]
    assert [await wallet(wide_pool, n) for n in (1, 2)] == [(102, 0), (102, 0)]
    await assert_sound(wide_pool)


async def test_system_accounts_are_never_locked(wide_pool: db.Pool) -> None:
    """Two open transactions on ``sales:stars`` do not wait: with a wait this would time out."""
    async with wide_pool.acquire() as first, wide_pool.acquire() as second:
        await deposit(first, 1, 5, "d0")
        for connection in (first, second):
            await connection.execute("SET lock_timeout = '5s'")
        async with first.transaction(), second.transaction():
            assert await deposit(first, 1, 5, "d1")
            assert await deposit(second, 2, 5, "d2")
            assert await claw_back(first, 1, 3, "c1") == 0
            assert await claw_back(second, 2, 3, "c2") == 0
            assert await reverse(first, "d1", "r1")
            assert await hold(second, 2, 2, "h2") == 0
            assert await capture(second, "h2", 2)
            assert await deposit(first, 3, 5, "d3")
    await assert_sound(wide_pool)


async def test_two_reversals_without_a_wallet_to_queue_at(wide_pool: db.Pool) -> None:
    """Both look before either writes: the unique index decides, and the loser is told typed."""
    lines = (Line(None, "bonus", "credit", -5), Line(None, "sales:stars", "credit", 5))
    async with wide_pool.acquire() as first, wide_pool.acquire() as second:
        await service.post(first, Transfer(TransferKind.FEE, "s1", "tester", lines))
        begun = first.transaction()
        await begun.start()
        assert await reverse(first, "s1", "r1")
        waiting = asyncio.create_task(reverse(second, "s1", "r2"))
        await asyncio.sleep(0.1)
        await begun.commit()
        with pytest.raises(HamyonError) as refused:
            await waiting
        assert (refused.value.code, refused.value.facts) == (
            "already_reversed",
            {"key": "s1", "by": "r1"},
        )
    await assert_sound(wide_pool)


Operation = Callable[[db.Connection], Awaitable[int | bool]]
Case = tuple[Operation, Operation, int | bool, int | bool, tuple[int, int], int]

# The operation, the same key with another input, the first answer, the repeated answer, and then
# the wallet and debt of person 1, who begins with 100 of which 30 are held.
CASES: dict[str, Case] = {
    "post": (
        lambda c: deposit(c, 1, 5, "k"), lambda c: deposit(c, 1, 6, "k"),
        True, False, (105, 30), 0,
    ),
    "open_hold": (
        lambda c: hold(c, 1, 5, "k"), lambda c: hold(c, 1, 6, "k"), 65, 65, (100, 35), 0,
    ),
    "capture": (
        lambda c: capture(c, "h", 20), lambda c: capture(c, "h", 21), True, False, (80, 0), 0,
    ),
    "claw_back": (
        lambda c: claw_back(c, 1, 90, "k"), lambda c: claw_back(c, 1, 91, "k"),
        20, 20, (30, 30), 20,
    ),
    "reverse": (
        lambda c: reverse(c, "d2", "k"), lambda c: reverse(c, "d3", "k"),
        True, False, (90, 30), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_one_effect_per_key(wide_pool: db.Pool, name: str) -> None:
    operation, other, first_answer, later_answer, balance, owed = CASES[name]
    async with wide_pool.acquire() as connection:
        for key, amount in (("d1", 85), ("d2", 10), ("d3", 5)):
            await deposit(connection, 1, amount, key)
        await hold(connection, 1, 30, "h")
    barrier = asyncio.Barrier(100)

    async def request() -> int | bool:
        await barrier.wait()
        return await db.in_transaction(wide_pool, operation)

    answers = Counter(await asyncio.gather(*(request() for _ in range(100))))
    expected = Counter([first_answer] + [later_answer] * 99)
    assert answers == expected
    async with wide_pool.acquire() as connection:
        assert await operation(connection) == later_answer
        with pytest.raises(IdempotencyMismatch):
            await other(connection)
    assert (await wallet(wide_pool, 1), await debt(wide_pool, 1)) == (balance, owed)
    await assert_sound(wide_pool)


async def test_a_key_is_one_over_all_people(wide_pool: db.Pool) -> None:
    """A hundred people race with one key: one gets it, the others are refused."""
    async with wide_pool.acquire() as connection:
        for user_id in range(100):
            await deposit(connection, user_id, 5, f"d{user_id}")

    async def request(user_id: int) -> str:
        try:
            await db.in_transaction(wide_pool, lambda c: hold(c, user_id, 5, "same"))
        except IdempotencyMismatch as error:
            return error.code
        return "held"

    answers = Counter(await asyncio.gather(*(request(user_id) for user_id in range(100))))
    assert answers == {"held": 1, "idempotency_mismatch": 99}
    await assert_sound(wide_pool)
