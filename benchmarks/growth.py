"""Submit and balance beside ten thousand ledger entries and beside ten million.

    python -m benchmarks.growth [--entries 10000000] [--rounds 3] [--seconds 4]

Two databases on one PostgreSQL, each behind an API process of its own, measured in turns. Both hold
the same number of people, so that only the ledger's length differs.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts, submit
from benchmarks.load import load, request
from hamyon.kit import postgres

PEOPLE = 5_000
SMALL = 2 * PEOPLE  # one grant each
GOAL = 1.2
CONNECTIONS = 32
BATCH = 500_000


async def fill(server: postgres.Running, database: str, entries: int) -> None:
    """History: deposits in turn to each person, written past the ledger's functions, which would
    take an hour; sums and balances are right, and the audit's own query checks them."""
    owner = await asyncpg.connect(server.dsn("postgres", database))
    try:
        await owner.execute("SET session_replication_role = replica")
        bonus = await owner.fetchval("SELECT id FROM accounts WHERE role = 'bonus'")
        done = await owner.fetchval("SELECT count(*) FROM ledger_entries")
        while done < entries:
            pairs = min(BATCH, entries - done) // 2
            await owner.execute(
                """
                WITH made AS (
                    INSERT INTO transfers (kind, key, input_hash, actor)
                    SELECT 'deposit', 'growth:' || ($1 + n), '\\x00', 'growth'
                    FROM generate_series(1, $2::bigint) n RETURNING id
                ), numbered AS (
                    SELECT id, 1 + (row_number() OVER (ORDER BY id) + $1) % $3 AS person FROM made
                )
                INSERT INTO ledger_entries (transfer_id, account_id, amount, balance_after)
                SELECT n.id, line.account_id, line.amount, line.balance FROM numbered n
                JOIN accounts a ON a.user_id = n.person AND a.role = 'wallet'
                CROSS JOIN LATERAL (VALUES (a.id, 1, a.posted), ($4::bigint, -1, NULL))
                    AS line (account_id, amount, balance)
                """,
                done,
                pairs,
                PEOPLE,
                bonus,
                timeout=600,
            )
            done += pairs * 2
        await owner.execute(
            """
            UPDATE accounts a SET posted = s.total
            FROM (SELECT account_id, sum(amount) AS total FROM ledger_entries GROUP BY 1) s
            WHERE s.account_id = a.id AND a.user_id IS NOT NULL
            """,
            timeout=600,
        )
        await owner.execute("VACUUM ANALYZE", timeout=600)
        await owner.execute("CHECKPOINT")
    finally:
        await owner.close()


def balances() -> Callable[[], bytes]:
    """Requests for one person's balance after another's."""
    numbers = itertools.cycle(range(1, PEOPLE + 1))
    headers = {"api-key": parts.API_KEY}

    def next_request() -> bytes:
        path = f"/api/v1/users/{next(numbers)}/balance?asset=credit"
        return request("GET", path, headers)

    return next_request


async def main(entries: int, rounds: int, seconds: float) -> None:
    console = Console()
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        async with parts.database() as server:
            await parts.people(server, PEOPLE, 1_000_000)
            admin = await asyncpg.connect(server.dsn("postgres", "postgres"))
            await admin.execute("CREATE DATABASE grown TEMPLATE hamyon OWNER hamyon_owner")
            await admin.close()
            started = time.monotonic()
            with console.status(f"writing {entries:,} entries"):
                await fill(server, "hamyon", SMALL)
                await fill(server, "grown", entries)
            console.print(f"{entries:,} entries in {time.monotonic() - started:.0f} s")
            ports = {}
            for database in ("hamyon", "grown"):
                dsn = server.dsn("hamyon", database)
                folder = Path(home) / database
                ports[database] = stack.enter_context(parts.api(server, folder, DATABASE_URL=dsn))
            table = Table(
                "what",
                "round",
                f"{SMALL:,} entries/s",
                f"{entries:,} entries/s",
                "times slower",
                title=f"growth, {CONNECTIONS} connections (goal <= {GOAL} times)",
            )
            sources_by_name: dict[str, Callable[[], Callable[[], bytes]]] = {
                "submit": lambda: submit.submits(PEOPLE),
                "balance": balances,
            }
            for what, source in sources_by_name.items():
                slower = []
                sources = {database: source() for database in ports}
                for number in range(rounds + 1):
                    rates = {}
                    for database, port in ports.items():
                        seen = await load(
                            "127.0.0.1",
                            port,
                            sources[database],
                            connections=CONNECTIONS,
                            duration_s=seconds,
                        )
                        assert set(seen.statuses) <= {200, 202}, seen.statuses
                        rates[database] = seen.rate
                    if number == 0:
                        continue  # warming up
                    slower.append(rates["hamyon"] / rates["grown"])
                    table.add_row(
                        what,
                        str(number),
                        f"{rates['hamyon']:.0f}",
                        f"{rates['grown']:.0f}",
                        f"{slower[-1]:.2f}",
                    )
                table.add_row(what, "median", "", "", f"{statistics.median(slower):.2f}")
            console.print(table)
            stack.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--entries", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=4)
    given = arguments.parse_args()
    uvloop.run(main(given.entries, given.rounds, given.seconds))
