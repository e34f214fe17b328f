"""The line to the database is cut around COMMIT: the client's retry finds one order each."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle
from pathlib import Path

from pydantic import SecretStr

from tests.fixtures.cut_proxy import Cut, CutProxy, Ends
from tests.fixtures.database import Database
from tests.fixtures.service import UNHEARD, Answer, Service, assert_sound, launched

USER = 777
PRICE = 27
CUTS = 45


async def test_one_order_for_each_key(database: Database, tmp_path: Path) -> None:
    async with (
        CutProxy.before(database.dsn) as proxy,
        launched(
            database,
            tmp_path,
            worker=False,
            database_url=SecretStr(proxy.dsn),
            max_parallel_generations_per_user=1000,
        ) as service,
    ):
        await service.person(USER, (CUTS + 1) * PRICE + 1)
        unheard: Counter[str] = Counter()
        committed: Counter[str] = Counter()
        for number, cut in zip(range(CUTS), cycle(Cut), strict=False):
            # A line that was cut may not be noticed yet: a repetition finds the one that is next.
            await _until_taken(service, -1)
            before = await _orders(service)
            # A submit is one statement, so its own end is the commit.
            proxy.arm(cut, Ends.STATEMENT, bound=f"k{number}".encode())
            first = await _heard(service, number)
            assert not proxy.armed
            if first is None or first.status != 202:
                unheard[cut] += 1
                committed[cut] += await _orders(service) - before
            # An unheard commit may still be under way in the database; the key makes it wait.
            again = await _until_taken(service, number)
            assert await _orders(service) == before + 1
            if first is not None and first.status == 202:
                assert again.body == first.body
        assert proxy.cuts == CUTS
        assert unheard[Cut.ANSWER_LOST] == unheard[Cut.NEVER_ARRIVES] == CUTS // 3
        assert committed[Cut.ANSWER_LOST] == CUTS // 3
        assert committed[Cut.NEVER_ARRIVES] == 0
        assert await service.api.balance(USER) == (1, (CUTS + 1) * PRICE)
        await assert_sound(service.deps)


async def _orders(service: Service) -> int:
    return int(await service.pool.fetchval("SELECT count(*) FROM orders"))


async def _heard(service: Service, number: int) -> Answer | None:
    try:
        return await service.api.submit(USER, f"p{number}", key=f"k{number}")
    except UNHEARD:
        return None


async def _until_taken(service: Service, number: int) -> Answer:
    for _ in range(50):
        answer = await _heard(service, number)
        if answer is not None and answer.status == 202:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"k{number} was never taken: {answer}")
