"""What the benchmarks start: a database of their own, pgbench on it, and processes of ours."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from hamyon.cli.parts import free_port
from hamyon.kit import postgres
from hamyon.kit.migrations import migrate
from hamyon.kit.postgres.binaries import binary

API_KEY = "hk_benchmark_key_that_is_long_enough"
SCALE = 10
CLIENTS = 16


@asynccontextmanager
async def database() -> AsyncIterator[postgres.Running]:
    """A PostgreSQL that keeps its promises (fsync on), with the newest schema and pgbench's."""
    with tempfile.TemporaryDirectory(prefix="hamyon-bench-") as home:
        server = await postgres.start(Path(home))
        try:
            await migrate(server.owner_dsn)
            await asyncio.to_thread(_pgbench, server, "-i", "-q", "-s", str(SCALE))
            yield server
        finally:
            await server.stop()


def _pgbench(server: postgres.Running, *arguments: str) -> str:
    command = [str(binary("pgbench")), *arguments, server.superuser_dsn]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


async def tpcb(server: postgres.Running, duration_s: float) -> float:
    """The baseline: pgbench's built-in TPC-B-like transaction, transactions a second."""
    said = await asyncio.to_thread(
        _pgbench,
        server,
        "-c",
        str(CLIENTS),
        "-j",
        "2",
        "-M",
        "prepared",
        "-T",
        str(max(1, round(duration_s))),
    )
    found = re.search(r"tps = ([0-9.]+)", said)
    assert found, said
    return float(found[1])


@contextmanager
def process(*command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, ended at the end."""
    running = subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **environment})
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def environment(server: postgres.Running, home: Path, **more: str) -> dict[str, str]:
    """Settings for processes under load: one tenant, no limits in the way, quiet logs."""
    return {
        "DATABASE_URL": server.application_dsn,
        "HAMYON_HOME": str(home),
        "RUN_MIGRATIONS": "false",
        "API_KEY": API_KEY,
        "ADMIN_API_KEY": API_KEY + "_admin",
        "JWT_SECRET": "j" * 40,
        "RATE_LIMIT_RPS": "1000000",
        "RATE_LIMIT_BURST": "1000000",
        "MAX_PARALLEL_GENERATIONS_PER_USER": "1000000",
        "LOG_LEVEL": "WARNING",
        **more,
    }


@contextmanager
def api(server: postgres.Running, home: Path, **more: str) -> Iterator[int]:
    """One API process; yields its port."""
    port = free_port()
    with process(
        "hamyon", "api", environment=environment(server, home, PORT=str(port), **more)
    ) as running:
        wait_for(f"http://127.0.0.1:{port}/health", running)
        yield port


def wait_for(url: str, running: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    """Until ``url`` answers 200. Raises RuntimeError when it does not."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and running.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")


async def people(server: postgres.Running, count: int, amount: int) -> None:
    """People with ids from 1 and credits, through the ledger's own function."""
    connection = await asyncpg.connect(server.owner_dsn)
    try:
        await connection.execute(
            "INSERT INTO users (id) SELECT generate_series(1, $1::bigint) ON CONFLICT DO NOTHING",
            count,
        )
        # The tables are empty yet, so the plans for this one big statement need a hint.
        await connection.execute("SET enable_seqscan = off")
        await connection.execute(
            """
            SELECT ledger_post('admin_adjustment', 'bench:' || n, '\\x00', 'bench', NULL, NULL,
                ARRAY[n, NULL]::bigint[], ARRAY['wallet', 'bonus'], ARRAY['credit', 'credit'],
                ARRAY[$2::bigint, -$2::bigint])
            FROM generate_series(1, $1::bigint) n
            """,
            count,
            amount,
            timeout=600,
        )
        await connection.execute("VACUUM ANALYZE users, accounts, transfers, ledger_entries")
    finally:
        await connection.close()
