"""``tests/bot/test_two_bots.py`` with more kills: 50 by default.

    python -m tests.long.bots --kills 50 --seed 7

Ten people chat and pay all the while; each payment is credited once, each word is answered. Prints
its seed and counts, and fails loudly at the first thing that is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from pathlib import Path

from sandbox.app import build_app, serving
from tests.bot.customers import Customers
from tests.bot.test_two_bots import kill_in_the_middle
from tests.fixtures.cluster import Use, administer
from tests.fixtures.database import Databases
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Processes, launched


async def run(kills: int, seed: int, folder: Path) -> dict[str, int]:
    """One run over a cluster, a database and a sandbox of its own."""
    use = Use(uuid.uuid4().hex)
    processes = Processes(folder)
    try:
        with administer(use.cluster) as connection:
            database = Databases(use.cluster, connection).create()
        async with serving(build_app()) as url:
            sandbox = Sandbox(url)
            async with launched(
                database, folder / "home", sandbox, webhooks=True, bot_mode="webhook"
            ) as service:
                customers = Customers(service, sandbox)
                return await kill_in_the_middle(customers, processes, kills=kills, seed=seed)
    finally:
        processes.stop()
        use.close()


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(given, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hamyon-bots-") as folder:
        counts = asyncio.run(run(given.kills, given.seed, Path(folder)))
    print(counts, f"in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
