"""Balance reads a second, beside an empty endpoint of the same server.

    python -m benchmarks.balance [--rounds 3] [--seconds 5]

The empty endpoint is ``GET /api/v1/info``: same process, same edge, no database.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.load import load, request

PEOPLE = 20_000
CONNECTIONS = 32
GOAL = 0.40


async def main(rounds: int, seconds: float) -> None:
    console = Console()
    table = Table(
        "round",
        "empty/s",
        "balances/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "statuses",
        title=f"balance, {CONNECTIONS} connections, one API process (goal {GOAL})",
    )
    headers = {"api-key": parts.API_KEY}
    empty = request("GET", "/api/v1/info", {})
    numbers = itertools.cycle(range(1, PEOPLE + 1))

    def next_balance() -> bytes:
        path = f"/api/v1/users/{next(numbers)}/balance?asset=credit"
        return request("GET", path, headers)

    ratios = []
    with tempfile.TemporaryDirectory() as home:
        async with parts.database() as server:
            await parts.people(server, PEOPLE, 1000)
            with parts.api(server, Path(home)) as port:
                for _ in range(2):
                    await load("127.0.0.1", port, next_balance, connections=32, duration_s=2)
                for number in range(1, rounds + 1):
                    nothing = await load(
                        "127.0.0.1", port, lambda: empty, connections=32, duration_s=seconds
                    )
                    ours = await load(
                        "127.0.0.1", port, next_balance, connections=32, duration_s=seconds
                    )
                    ratios.append(ours.rate / nothing.rate)
                    table.add_row(
                        str(number),
                        f"{nothing.rate:.0f}",
                        f"{ours.rate:.0f}",
                        f"{ratios[-1]:.3f}",
                        f"{ours.percentile_ms(0.5):.1f}",
                        f"{ours.percentile_ms(0.99):.1f}",
                        str(dict(ours.statuses)),
                    )
    console.print(table)
    console.print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=5)
    given = arguments.parse_args()
    uvloop.run(main(given.rounds, given.seconds))
