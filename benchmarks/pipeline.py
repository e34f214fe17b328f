"""Whole orders a second through our workers, and what we add to the provider's own time.

    python -m benchmarks.pipeline [--orders 1200] [--workers 1] [--apis 1]

The sandbox answers at once, with webhooks; real pictures are downloaded, checked and stored. It
counts what it accepted: the witness that processes which share the work do nothing twice. The
baseline is a bare client that walks the same provider calls without any of our promises: submit,
result, download.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.load import Measured, load, request
from hamyon.cli.parts import free_port

PEOPLE = 2_000
PACE_S = 0.2
PACED = 50
GOAL_RATE, GOAL_ADDED_MS = 60, 50
SANDBOX_KEY = "sandbox-key"


def submits() -> bytes:
    """One order for the next person."""
    number = next(_numbers)
    body = {
        "telegram_id": 1 + number % PEOPLE,
        "model": "seedream-v4",
        "prompt": f"a fox number {number}",
        "size": "1024*1024",
        "use_trial": False,
    }
    headers = {"api-key": parts.API_KEY, "idempotency-key": f"pipeline-{number}"}
    return request("POST", "/api/v1/generations/submit", headers, orjson.dumps(body))


_numbers = itertools.count()


async def bare(base_url: str, calls: int, at_once: int) -> float:
    """The baseline: provider calls a second by a client that promises nothing."""
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
    left = iter(range(calls))

    async def walk(session: aiohttp.ClientSession) -> None:
        for number in left:
            inputs = {"prompt": f"bare {number}", "size": "1024*1024"}
            async with session.post("/api/v3/bytedance/seedream-v4", json=inputs) as answer:
                prediction = (await answer.json())["data"]["id"]
            async with session.get(f"/api/v3/predictions/{prediction}/result") as answer:
                outputs = (await answer.json())["data"]["outputs"]
            async with session.get(outputs[0]) as answer:
                await answer.read()

    started = time.perf_counter()
    async with aiohttp.ClientSession(base_url, headers=headers) as session:
        await asyncio.gather(*(walk(session) for _ in range(at_once)))
    return calls / (time.perf_counter() - started)


@asynccontextmanager
async def service(
    workers: int, apis: int
) -> AsyncIterator[tuple[asyncpg.Connection, list[int], str]]:
    """Everything up: a connection to look with, the APIs' ports, the sandbox's address."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        async with parts.database() as server:
            await parts.people(server, PEOPLE, 1_000_000)
            sandbox_port, ports = free_port(), [free_port() for _ in range(apis)]
            sandbox = f"http://127.0.0.1:{sandbox_port}"
            running = stack.enter_context(
                parts.process("sandbox", "--port", str(sandbox_port), environment={})
            )
            parts.wait_for(f"{sandbox}/_control/stats", running)
            async with aiohttp.ClientSession() as session:
                settings = {"wavespeed": {"created_s": 0, "processing_s": 0}}
                async with session.post(f"{sandbox}/_control/settings", json=settings) as answer:
                    answer.raise_for_status()
            more = {
                "WAVESPEED_API_KEY": SANDBOX_KEY,
                "WAVESPEED_API_BASE_URL": sandbox,
                "PUBLIC_URL": f"http://127.0.0.1:{ports[0]}",
            }
            for port in ports:
                environment = parts.environment(server, Path(home), PORT=str(port), **more)
                api = stack.enter_context(parts.process("hamyon", "api", environment=environment))
                parts.wait_for(f"http://127.0.0.1:{port}/health", api)
            for _ in range(workers):
                stack.enter_context(parts.process("hamyon", "worker", environment=environment))
            connection = await asyncpg.connect(server.superuser_dsn)
            try:
                yield connection, ports, sandbox
            finally:
                await connection.close()
                stack.close()


async def settled(connection: asyncpg.Connection, count: int, limit_s: float) -> None:
    """Until so many orders have ended. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while (
            await connection.fetchval("SELECT count(*) FROM orders WHERE settled_at IS NOT NULL")
            < count
        ):
            await asyncio.sleep(0.1)


async def paced(connection: asyncpg.Connection, port: int) -> list[float]:
    """Milliseconds from order to end of orders that come one by one."""
    before = await connection.fetchval("SELECT count(*) FROM orders")
    for _ in range(PACED):
        await _one(port)
        await asyncio.sleep(PACE_S)
    await settled(connection, before + PACED, 60)
    rows = await connection.fetch(
        """
        SELECT extract(epoch FROM finished_at - created_at)::float8 * 1000 AS ms FROM orders
        ORDER BY id DESC LIMIT $1
        """,
        PACED,
    )
    return [row["ms"] for row in rows]


async def _one(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(submits())
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def burst(
    connection: asyncpg.Connection, ports: list[int], orders: int
) -> tuple[Measured, float]:
    """Submit ``orders`` at once; orders a second from the first submit to the last end."""
    before = await connection.fetchval("SELECT count(*) FROM orders")
    seen = Measured(1.0)
    started = time.perf_counter()
    while len(seen.latencies_s) < orders:
        for part in await asyncio.gather(
            *(load("127.0.0.1", port, submits, connections=8, duration_s=0.25) for port in ports)
        ):
            seen.latencies_s += part.latencies_s
            seen.statuses += part.statuses
    count = len(seen.latencies_s)
    await settled(connection, before + count, 300)
    return seen, count / (time.perf_counter() - started)


async def witness(sandbox: str) -> dict[str, int]:
    """What the provider counted: accepted jobs, and prompts that came twice."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox}/_control/stats") as answer,
    ):
        counted = (await answer.json())["wavespeed"]
    return {"accepted": counted["accepted"], "repeated": len(counted["repeated_prompts"])}


async def main(orders: int, workers: int, apis: int) -> None:
    console = Console()
    async with service(workers, apis) as (connection, ports, sandbox):
        await burst(connection, ports, 50)
        added = await paced(connection, ports[0])
        seen, rate = await burst(connection, ports, orders)
        states = await connection.fetch("SELECT state, count(*) FROM orders GROUP BY state")
        counted = await witness(sandbox)
        baseline = await bare(sandbox, orders, 16)
    table = Table(
        "what", "figure", "goal", title=f"pipeline, {apis} API and {workers} worker process(es)"
    )
    table.add_row("bare client, calls of a whole picture/s", f"{baseline:.0f}", "")
    table.add_row("whole orders/s", f"{rate:.0f}", f">= {GOAL_RATE}")
    table.add_row("ratio to the bare client", f"{rate / baseline:.2f}", "")
    table.add_row("added latency p50, ms", f"{statistics.median(added):.0f}", f"<= {GOAL_ADDED_MS}")
    table.add_row("added latency p95, ms", f"{statistics.quantiles(added, n=20)[-1]:.0f}", "")
    table.add_row("orders in the burst", str(len(seen.latencies_s)), "")
    table.add_row("states", ", ".join(f"{row[0]} {row[1]}" for row in states), "all completed")
    total = sum(row[1] for row in states)
    table.add_row("accepted by the provider", str(counted["accepted"]), f"{total}, one an order")
    table.add_row("prompts that it saw twice", str(counted["repeated"]), "0")
    console.print(table)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--orders", type=int, default=1200)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--apis", type=int, default=1)
    given = arguments.parse_args()
    uvloop.run(main(given.orders, given.workers, given.apis))
