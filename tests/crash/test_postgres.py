"""PostgreSQL stops at once, again and again: every acknowledged order is there and settles."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from hamyon.kit import postgres
from hamyon.kit.db import Pool
from hamyon.kit.migrations import migrate
from tests.fixtures.database import Database
from tests.fixtures.service import (
    UNHEARD,
    Api,
    assert_sound,
    eventually,
    forget_the_dead,
    launched,
)

pytestmark = pytest.mark.crash

STOPS = 4
USERS = 8
SEED = 11


async def test_every_acknowledged_order_survives(tmp_path: Path) -> None:
    home = tmp_path / "cluster"
    running = await postgres.start(home, durable=True)
    taken: dict[str, str] = {}
    try:
        await migrate(running.owner_dsn)
        database = Database(
            "hamyon", running.application_dsn, running.owner_dsn, running.superuser_dsn
        )
        async with launched(
            database,
            tmp_path / "home",
            max_parallel_generations_per_user=1000,
            worker_lease_s=15.1,
        ) as service:
            for user in range(1, USERS + 1):
                await service.person(user, 1_000_000)
            at_war = asyncio.Event()
            at_war.set()
            submitting = [
                asyncio.create_task(_submit(service.api, user, at_war, taken))
                for user in range(1, USERS + 1)
            ]
            chance = random.Random(SEED)
            for _ in range(STOPS):
                await asyncio.sleep(chance.uniform(0.7, 2.0))
                await running.stop(at_once=True)
                await asyncio.sleep(chance.uniform(0, 1))
                running = await postgres.start(home, durable=True, port=running.port)
                assert running.port == int(database.dsn.rpartition(":")[2].partition("/")[0])
            at_war.clear()
            await asyncio.gather(*submitting)
            print(f"{len(taken)} orders through {STOPS} stops")
            assert len(taken) > 20
            await forget_the_dead(service)
            await eventually(lambda: _all_settled(service.pool))
            rows = await service.pool.fetch("SELECT id, state, input->>'prompt' AS p FROM orders")
            assert {row["p"]: str(row["id"]) for row in rows} == taken
            assert {row["state"] for row in rows} == {"completed"}
            await assert_sound(service.deps)
    finally:
        await running.stop(at_once=True)


async def _submit(api: Api, user: int, at_war: asyncio.Event, taken: dict[str, str]) -> None:
    """One order after another; an unheard one again with the same key until it is acknowledged."""
    number = 0
    while at_war.is_set():
        number += 1
        prompt = f"{user}-{number}"
        while True:
            try:
                answer = await api.submit(user, prompt, key=prompt)
            except UNHEARD:
                answer = None
            if answer is not None and answer.status == 202:
                taken[prompt] = str(answer.body["id"])
                break
            assert answer is None or answer.status >= 500, answer.body
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.2)


async def _all_settled(pool: Pool) -> bool:
    return not await pool.fetchval("SELECT count(*) FROM orders WHERE settled_at IS NULL")
