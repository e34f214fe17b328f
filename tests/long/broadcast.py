"""``tests/crash/broadcaster.py`` at any size: 10,000 people, 429s and 20 kills by default.

    python -m tests.long.broadcast --people 10000 --kills 20 --floods 2 --seed 7

Prints its seed and counts, and fails loudly at the first thing that is not as it must be. At 30
messages a second 10,000 people take six minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import uuid
from pathlib import Path

from sandbox.app import build_app, serving
from tests.crash.broadcaster import Plan, Run
from tests.fixtures.cluster import Use, administer
from tests.fixtures.database import Databases
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Processes, launched
from tests.messages.desk import Desk


async def run(plan: Plan, folder: Path) -> dict[str, object]:
    """One run over a cluster, a database and a sandbox of its own."""
    use = Use(uuid.uuid4().hex)
    processes = Processes(folder)
    try:
        with administer(use.cluster) as connection:
            database = Databases(use.cluster, connection).create()
        async with serving(build_app()) as url:
            sandbox = Sandbox(url)
            async with launched(database, folder / "home", sandbox, worker=False) as service:
                return await Run(plan, Desk(service, sandbox), processes).go()
    finally:
        processes.stop()
        use.close()


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    wanted = (("people", 10_000), ("kills", 20), ("floods", 2), ("seed", 1), ("workers", 2))
    for name, default in wanted:
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = vars(parser.parse_args())
    # Twice the time that it takes at the full pace, and what each takeover and each 429 costs.
    patience_s = 2 * asked["people"] / 30 + 30 * asked["kills"] + asked["people"] / 30
    plan = Plan(**asked, patience_s=patience_s)
    print(plan, flush=True)
    with tempfile.TemporaryDirectory(prefix="hamyon-broadcast-") as folder:
        print(asyncio.run(run(plan, Path(folder))))


if __name__ == "__main__":
    main()
