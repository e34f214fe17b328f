"""Submits a second through one API process, beside pgbench's TPC-B-like transaction.

    python -m benchmarks.submit [--rounds 3] [--seconds 5]

Both run on the same PostgreSQL in the same run, one after the other, several rounds; the ratio of a
round is what counts, because machines are noisy.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.load import load, request

PEOPLE = 20_000
CONNECTIONS = 32
GOAL = 0.35


def submits(people: int = PEOPLE) -> Callable[[], bytes]:
    """Requests one after another, each for the next person and with a key of its own."""
    numbers = itertools.count()

    def next_request() -> bytes:
        number = next(numbers)
        body = orjson.dumps(
            {
                "telegram_id": 1 + number % people,
                "model": "seedream-v4",
                "prompt": "a red fox in a snowy forest at sunset",
                "size": "1024*1024",
                "use_trial": False,
            }
        )
        headers = {"api-key": parts.API_KEY, "idempotency-key": f"bench-{number}"}
        return request("POST", "/api/v1/generations/submit", headers, body)

    return next_request


async def main(rounds: int, seconds: float) -> None:
    console = Console()
    table = Table(
        "round",
        "TPC-B tps",
        "submits/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "statuses",
        title=f"submit, {CONNECTIONS} connections, one API process (goal {GOAL})",
    )
    ratios = []
    with tempfile.TemporaryDirectory() as home:
        async with parts.database() as server:
            await parts.people(server, PEOPLE, 1_000_000)
            with parts.api(server, Path(home)) as port:
                source = submits()
                await load("127.0.0.1", port, source, connections=CONNECTIONS, duration_s=2)
                for number in range(1, rounds + 1):
                    baseline = await parts.tpcb(server, seconds)
                    ours = await load(
                        "127.0.0.1", port, source, connections=CONNECTIONS, duration_s=seconds
                    )
                    ratios.append(ours.rate / baseline)
                    table.add_row(
                        str(number),
                        f"{baseline:.0f}",
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
