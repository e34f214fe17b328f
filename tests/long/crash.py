"""The supervisor of ``tests/crash`` at any size: 1,000 kills under 20,000 orders by default.

    python -m tests.long.crash --kills 1000 --orders 20000 --seed 7

Prints its seed and counts, and fails loudly at the first thing that is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

from hamyon.cli.parts import free_port
from sandbox.app import build_app, serving
from tests.crash.supervisor import Plan, Run
from tests.fixtures.cluster import Use, administer
from tests.fixtures.database import Databases
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Processes, launched


async def run(plan: Plan, folder: Path) -> dict[str, object]:
    """One run over a cluster, a database and a sandbox of its own."""
    use = Use(uuid.uuid4().hex)
    processes = Processes(folder)
    ports = [free_port() for _ in range(plan.apis)]
    try:
        with administer(use.cluster) as connection:
            database = Databases(use.cluster, connection).create()
        async with serving(build_app()) as url:
            sandbox = Sandbox(url)
            await sandbox.settings(
                created_s=0,
                processing_s=0.3,
                jobs_max=plan.orders + 1000,
                webhooks={"retry_delays_s": [0.5, 1.0, 2.0, 4.0, 8.0]},
            )
            async with launched(
                database,
                folder / "home",
                sandbox,
                worker=False,
                public_url=f"http://127.0.0.1:{ports[0]}",
                max_parallel_generations_per_user=plan.orders,
                wavespeed_timeout_s=2.0,
                worker_lease_s=12.0,
                database_pool_size=8,
            ) as service:
                return await Run(plan, service, sandbox, processes, ports).go()
    finally:
        processes.stop()
        use.close()


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("kills", 1000), ("orders", 20_000), ("seed", 1), ("workers", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    plan = replace(
        Plan(seed=asked.seed), kills=asked.kills, orders=asked.orders, workers=asked.workers
    )
    print(plan, flush=True)
    with tempfile.TemporaryDirectory(prefix="hamyon-crash-") as folder:
        print(asyncio.run(run(plan, Path(folder))))


if __name__ == "__main__":
    main()
