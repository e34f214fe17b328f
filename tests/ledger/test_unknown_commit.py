"""PROOF: an unknown commit is safe. The line is cut around COMMIT; the client repeats its key."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio

from hamyon.kit import db, store
from tests.fixtures.cut_proxy import Cut, CutProxy, Ends
from tests.fixtures.database import Database
from tests.ledger.money import (
    assert_sound,
    capture,
    claw_back,
    debt,
    deposit,
    hold,
    reverse,
    wallet,
)

LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
REPEATS = 4

Operation = Callable[[db.Connection, int], Awaitable[object]]


async def request(connection: db.Connection, user_id: int) -> object:
    """What a route does: claim the caller's key, have the effect, keep the answer, all in one."""
    key = {"caller": "api", "user_id": user_id, "route": "POST /deposits", "key": f"r{user_id}"}
    first = await store.claim_key(connection, **key, input_hash=b"same")  # type: ignore[arg-type]
    if first is not None:
        return first
    # A key of its own each time: only the claimed one keeps this from happening twice.
    number = await connection.fetchval("SELECT count(*) FROM transfers")
    await deposit(connection, user_id, 5, f"inner:{user_id}:{number}")
    answer: dict[str, object] = {"number": number}
    await store.answer_key(connection, **key, answer=answer)  # type: ignore[arg-type]
    return answer


# Every person begins with 100, of which 30 are held. Beside each operation: the wallet and the debt
# after it.
OPERATIONS: dict[str, tuple[Operation, tuple[int, int], int]] = {
    "post": (lambda c, u: deposit(c, u, 5, f"p{u}"), (105, 30), 0),
    "open_hold": (lambda c, u: hold(c, u, 5, f"o{u}"), (100, 35), 0),
    "capture": (lambda c, u: capture(c, f"h{u}", 20), (80, 0), 0),
    "claw_back": (lambda c, u: claw_back(c, u, 90, f"c{u}"), (30, 30), 20),
    "reverse": (lambda c, u: reverse(c, f"d{u}", f"r{u}"), (40, 30), 0),
    "claim_key": (request, (105, 30), 0),
}


@pytest_asyncio.fixture
async def proxy(database: Database) -> AsyncIterator[CutProxy]:
    async with CutProxy.before(database.dsn) as proxy:
        yield proxy


@pytest.mark.parametrize("cut", Cut)
async def test_one_effect_after_the_clients_repeat(
    proxy: CutProxy, pool: db.Pool, cut: Cut
) -> None:
    people = itertools.count(1)
    committed: Counter[bool] = Counter()
    cut_pool = await db.open_pool(proxy.dsn, min_size=1, max_size=1)
    cases = [
        (name, ends)
        for name in OPERATIONS
        for ends in Ends
        if not (name == "claim_key" and ends is Ends.STATEMENT)
    ]
    for (name, ends), user_id in zip(cases * REPEATS, people, strict=False):
        operation, balance, owed = OPERATIONS[name]
        async with pool.acquire() as connection:
            await deposit(connection, user_id, 60, f"d{user_id}")
            await deposit(connection, user_id, 40, f"e{user_id}")
            await hold(connection, user_id, 30, f"h{user_id}")

        async def once(
            operation: Operation = operation, ends: Ends = ends, user_id: int = user_id
        ) -> object:
            if ends is Ends.COMMIT:
                return await db.in_transaction(cut_pool, operation, user_id)
            async with cut_pool.acquire() as connection:
                return await operation(connection, user_id)

        # The connection is opened first, for it too executes statements.
        await cut_pool.fetchval("SELECT 1")
        cuts = proxy.cuts
        proxy.arm(cut, ends)
        with pytest.raises(LOST):
            await once()
        assert proxy.cuts == cuts + 1
        if cut is not Cut.AT_ONCE:
            changed = (await wallet(pool, user_id), await debt(pool, user_id)) == (balance, owed)
            assert changed == (cut is Cut.ANSWER_LOST), (name, ends)
            committed[changed] += 1
        first = await once()
        assert (await wallet(pool, user_id), await debt(pool, user_id)) == (balance, owed), name
        again = await once()
        assert again == first or (first is True and again is False)
        assert (await wallet(pool, user_id), await debt(pool, user_id)) == (balance, owed), name
    await cut_pool.close()
    assert proxy.cuts == len(cases) * REPEATS
    assert len(committed) == (0 if cut is Cut.AT_ONCE else 1)
    await assert_sound(pool)


def test_the_gate_makes_a_hundred_cuts() -> None:
    assert len(Cut) * (2 * len(OPERATIONS) - 1) * REPEATS >= 100
