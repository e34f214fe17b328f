"""kill -9 anywhere, at random, loses nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hamyon.cli.parts import free_port
from tests.crash.supervisor import Plan, Run
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Processes, launched

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


async def test_twenty_kills_under_three_hundred_orders(
    database: Database, processes: Processes, tmp_path: Path, quick: Sandbox
) -> None:
    await quick.settings(created_s=0, processing_s=0.3)
    plan = Plan(seed=int(os.environ.get("CRASH_SEED", "20260101")))
    print(f"CRASH_SEED={plan.seed}")
    ports = [free_port() for _ in range(plan.apis)]
    async with launched(
        database,
        tmp_path,
        quick,
        worker=False,
        # Nobody chats here, and every process that starts would load what chats need.
        bot_token=None,
        public_url=f"http://127.0.0.1:{ports[0]}",
        max_parallel_generations_per_user=1000,
        wavespeed_timeout_s=2.0,
        worker_lease_s=12.0,
        worker_heartbeat_s=2.0,
        database_pool_size=8,
    ) as service:
        report = await Run(plan, service, quick, processes, ports).go()
    print(report)
    assert sum(report["kills"].values()) == plan.kills
    # Only an order whose worker died around its submit may end without a picture.
    assert report["orders"]["completed"] > plan.orders / 2
