"""How near a broadcast comes to the pace that Telegram allows.

    python -m benchmarks.broadcast [--free 600] [--paid 8000]

The sandbox enforces the limits in an exact sliding window (30 a second, and 1,000 for a paid one)
and says what is the most that it saw in any second. One worker process sends; the database keeps
its promises. The baseline is a bare loop in this process: the same client and the same turns, to
the same sandbox, without any database or promise.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from hamyon.cli.parts import free_port
from hamyon.kit.http import HttpClient
from hamyon.kit.storage import open_storage
from hamyon.messages.service.pace import Pace
from hamyon.messages.service.round import places
from hamyon.messages.types import Sent, Target, TextMessage
from hamyon.providers.telegram.api import BotApi
from hamyon.providers.telegram.sender import TelegramSender

BOT_TOKEN = "777000:sandbox-token-0123456789abcdefghijk"
FREE, PAID = 30, 1000
GOAL_FREE, GOAL_PAID = 29.5, 950
WORDS = "Something new is here: look at what has changed since you were here last"
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: messages a second, and what the sandbox counted."""

    rate: float
    refused: int
    most: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything up: a worker, an API, the sandbox, and a look at the database."""

    sandbox: str
    api: str
    connection: asyncpg.Connection[Any]
    session: aiohttp.ClientSession

    async def fresh(self) -> None:
        """The sandbox as after its start, with the limits in force."""
        await self._post(f"{self.sandbox}/_control/reset", {})
        limits = {"per_second": FREE, "paid_per_second": PAID, "paid_broadcasts_enabled": True}
        await self._post(f"{self.sandbox}/_control/settings", {"telegram": {"limits": limits}})

    async def pace(self) -> dict[str, int]:
        async with self.session.get(f"{self.sandbox}/_control/stats?brief=1") as answer:
            (bot,) = (await answer.json())["telegram"]["bots"].values()
        pace: dict[str, int] = bot["pace"]
        return pace

    async def admin(self, path: str, body: object = None) -> Any:
        return await self._post(f"{self.api}/api/v1/admin/broadcasts{path}", body)

    async def _post(self, url: str, body: object) -> Any:
        headers = {"api-key": parts.API_KEY + "_admin"}
        async with self.session.post(url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()


@asynccontextmanager
async def stand(people: int) -> AsyncIterator[Stand]:
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        async with parts.database() as server:
            await parts.people(server, people, 1)
            sandbox_port, port = free_port(), free_port()
            sandbox = f"http://127.0.0.1:{sandbox_port}"
            running = stack.enter_context(
                parts.process("sandbox", "--port", str(sandbox_port), environment={})
            )
            parts.wait_for(f"{sandbox}/_control/stats", running)
            environment = parts.environment(
                server,
                Path(home),
                PORT=str(port),
                BOT_TOKEN=BOT_TOKEN,
                TELEGRAM_API_BASE_URL=sandbox,
            )
            api = stack.enter_context(parts.process("hamyon", "api", environment=environment))
            parts.wait_for(f"http://127.0.0.1:{port}/health", api)
            stack.enter_context(parts.process("hamyon", "worker", environment=environment))
            connection = await asyncpg.connect(server.superuser_dsn)
            async with aiohttp.ClientSession() as session:
                try:
                    yield Stand(sandbox, f"http://127.0.0.1:{port}", connection, session)
                finally:
                    await connection.close()
                    stack.close()


async def broadcast(on: Stand, people: int, *, paid: bool) -> Measured:
    """One broadcast to the first ``people``, from its first message to its last."""
    await on.fresh()
    # Who is not meant is switched off: the segment is not what is measured here.
    await on.connection.execute(
        "UPDATE users SET blocked_at = CASE WHEN id > $1 THEN now() END", people
    )
    content = {"type": "text", "text": WORDS}
    made = await on.admin("", {"content": content, "segment": {}, "paid": paid})
    await on.admin(f"/{made['id']}/start")
    async with asyncio.timeout(PATIENCE_S):
        while (
            await on.connection.fetchval("SELECT state FROM broadcasts WHERE id = $1", made["id"])
            != "completed"
        ):
            await asyncio.sleep(0.2)
    rows = await on.connection.fetch(
        """
        SELECT extract(epoch FROM sent_at)::float8 AS at FROM broadcast_recipients
        WHERE broadcast_id = $1 AND sent_at IS NOT NULL
        """,
        made["id"],
    )
    assert len(rows) == people, f"{len(rows)} of {people}"
    return await _measured(on, [row["at"] for row in rows], PAID if paid else FREE)


async def bare(on: Stand, people: int, *, paid: bool) -> Measured:
    """The baseline: the same client at the same turns, and nobody writes anything down."""
    await on.fresh()
    rate = PAID if paid else FREE
    pace, left = Pace(rate), people
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(None, Path(folder), base_url="http://x", signing_key=b"k" * 32)
        async with HttpClient() as http, asyncio.TaskGroup() as group:
            sender = TelegramSender(BotApi(http, token=BOT_TOKEN, base_url=on.sandbox), storage)

            async def one(user_id: int) -> None:
                outcome = await sender.send(Target(user_id), TextMessage(WORDS), paid=paid)
                assert isinstance(outcome, Sent), outcome
                pace.give_back()
                ended.append(time.perf_counter())

            ended: list[float] = []
            free = asyncio.Semaphore(places(rate, paid=paid))

            async def placed(user_id: int) -> None:
                try:
                    await one(user_id)
                finally:
                    free.release()

            while left:
                await free.acquire()
                await pace.turn()
                group.create_task(placed(left))
                left -= 1
    return await _measured(on, ended, rate)


async def _measured(on: Stand, ended: Sequence[float], rate: int) -> Measured:
    """The first second is for nothing, whether it came as a burst or not: so many are left out."""
    pace = await on.pace()
    within = sorted(ended)[rate - 1 :]
    steady = (len(within) - 1) / max(within[-1] - within[0], 1e-9)
    return Measured(steady, pace["refused_429"], pace["most_in_any_second"], pace["accepted"])


async def main(free: int, paid: int) -> None:
    console = Console()
    async with stand(max(free, paid)) as on:
        runs = [
            ("30 a second", GOAL_FREE, await bare(on, free, paid=False),
             await broadcast(on, free, paid=False)),
            ("1,000 a second, paid", GOAL_PAID, await bare(on, paid, paid=True),
             await broadcast(on, paid, paid=True)),
        ]  # fmt: skip
    columns = ("limit", "bare/s", "broadcast/s", "goal", "ratio", "429", "most in any second")
    table = Table(*columns, title=f"broadcasts to {free} and {paid} people, 1 worker process")
    for name, goal, baseline, reached in runs:
        table.add_row(
            name,
            f"{baseline.rate:.2f}",
            f"{reached.rate:.2f}",
            f">= {goal}",
            f"{reached.rate / baseline.rate:.3f}",
            f"{baseline.refused} / {reached.refused}",
            f"{baseline.most} / {reached.most}",
        )
    console.print(table)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--free", type=int, default=600)
    arguments.add_argument("--paid", type=int, default=8000)
    given = arguments.parse_args()
    uvloop.run(main(given.free, given.paid))
