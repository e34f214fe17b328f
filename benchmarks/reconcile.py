"""Two books of 100,000 payments with 50 differences: all of them found, and nothing else.

    python -m benchmarks.reconcile [--payments 100000] [--differences 50]

The differences are of 5 kinds. Ours lie in a database of the benchmark's own, theirs at the
sandbox, half of them at each vendor. The real command compares them over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import asyncpg
import uvloop
from pydantic import SecretStr
from rich.console import Console

from benchmarks import parts
from hamyon.cli.parts import free_port
from hamyon.kit import postgres
from hamyon.kit.settings import Settings
from hamyon.wiring import open_deps
from sandbox.telegram.settings import DEFAULT_TOKEN
from sandbox.yookassa.settings import DEFAULT_SECRET_KEY, DEFAULT_SHOP_ID
from tests.payments.planting import PLANTED, Shelf, long_ago, plant_ours, plant_theirs

GATEWAYS = ("stars", "yookassa")
SPAN_S = 20 * 86_400
PEOPLE = 1000

console = Console()


def shelves(payments: int, differences: int) -> list[Shelf]:
    """The payments of both vendors, over twenty days."""
    count = payments // len(GATEWAYS)
    each = differences // len(GATEWAYS) // len(PLANTED)
    step = timedelta(seconds=max(SPAN_S // (count + each), 2))
    begin = long_ago(days=2) - step * (count + each)
    return [
        Shelf(gateway, count, each, begin, step, people=PEOPLE, refund_every=200)
        for gateway in GATEWAYS
    ]


async def plant(server: postgres.Running, settings: Settings, url: str, books: list[Shelf]) -> None:
    """Both sides of all books; the audit finds ours sound."""
    started = time.monotonic()
    async with open_deps(settings, server.application_dsn) as deps:
        for shelf in books:
            await plant_ours(server.superuser_dsn, deps, shelf)
            await plant_theirs(url, shelf)
        findings = await deps.audit(deps.pool)
    assert not findings, findings[:5]
    console.print(
        f"planted on both sides in {time.monotonic() - started:.0f} s, the audit is clean"
    )


async def compare(
    server: postgres.Running, environment: dict[str, str], books: list[Shelf]
) -> None:
    """Run the command and hold what it found against what was planted."""
    command = [sys.executable, "-m", "hamyon", "reconcile", "--report-only"]
    window = ["--from", books[0].begin.isoformat(), "--to", books[0].end.isoformat()]
    started = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, *window],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    spent_s = time.monotonic() - started
    console.print(done.stdout, markup=False, highlight=False)
    assert done.returncode == 1, "differences stay open, and its exit says so"
    connection = await asyncpg.connect(server.owner_dsn)
    try:
        rows = await connection.fetch("SELECT gateway, kind, subject FROM payment_mismatches")
        listed = await connection.fetchval("SELECT sum(listed)::bigint FROM reconcile_runs")
        staged = await connection.fetchval("SELECT count(*) FROM reconcile_items")
    finally:
        await connection.close()
    found = {tuple(row) for row in rows}
    planted = set().union(*(shelf.differences() for shelf in books))
    assert found == planted, (found - planted, planted - found)
    assert staged == 0
    console.print(
        f"[bold]{len(found)} of {len(planted)} planted differences found, and nothing else; "
        f"{listed:,} charges and refunds in {spent_s:.1f} s, {listed / spent_s:,.0f} a second[/]"
    )


async def main(payments: int, differences: int) -> None:
    books = shelves(payments, differences)
    planted = sum(len(shelf.differences()) for shelf in books)
    console.print(f"{payments:,} payments at {len(books)} vendors, {planted} differences")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="hamyon-bench-") as home:
        async with parts.database() as server:
            gateways = {
                "BOT_TOKEN": DEFAULT_TOKEN,
                "TELEGRAM_API_BASE_URL": url,
                "YOOKASSA_SHOP_ID": DEFAULT_SHOP_ID,
                "YOOKASSA_SECRET_KEY": DEFAULT_SECRET_KEY,
                "YOOKASSA_API_BASE_URL": url,
            }
            environment = parts.environment(server, Path(home), **gateways)
            settings = Settings(
                _env_file=None,
                hamyon_home=Path(home),
                jwt_secret=SecretStr(environment["JWT_SECRET"]),
                bot_token=SecretStr(DEFAULT_TOKEN),
                telegram_api_base_url=url,
                yookassa_shop_id=DEFAULT_SHOP_ID,
                yookassa_secret_key=SecretStr(DEFAULT_SECRET_KEY),
                yookassa_api_base_url=url,
                log_level="WARNING",
            )
            with parts.process("sandbox", "--port", str(port), environment={}) as running:
                parts.wait_for(f"{url}/_control/stats", running)
                await plant(server, settings, url, books)
                await compare(server, environment, books)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--payments", type=int, default=100_000)
    arguments.add_argument("--differences", type=int, default=50)
    given = arguments.parse_args()
    uvloop.run(main(given.payments, given.differences))
