"""How long people wait for the yes before a payment, while a crowd chats with the bot.

    python -m benchmarks.chats [--people 500] [--seconds 20] [--payments 200] [--mode webhook]

One bot process. The crowd opens menus and balances, each person again as soon as he was answered
and has read for a moment; others pay. The simulated Telegram measures each answer to its question
before a payment. The baseline is the same bot with nobody else in the room.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from hamyon.cli.parts import free_port
from sandbox.telegram.settings import DEFAULT_TOKEN

GOAL_MS: Final = 1000
READS_S: Final = 2.0
"""How long a person looks at an answer, on average."""
SAYINGS: Final = ("/start", "/help", "/balance", "/referral")
PAYERS: Final = range(1, 51)
Mode = Literal["polling", "webhook"]


@dataclass(slots=True)
class Room:
    """The service's addresses, and how one talks to it."""

    session: aiohttp.ClientSession
    api: str
    sandbox: str

    async def post(self, url: str, **body: Any) -> Any:
        async with self.session.post(url, **body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def stats(self) -> Any:
        """What Telegram counted for the bot."""
        async with self.session.get(f"{self.sandbox}/_control/stats") as answer:
            counted = (await answer.json())["telegram"]["bots"]
        return next(iter(counted.values()))

    async def pay(self, count: int, *, pace_s: float) -> Sequence[float]:
        """Milliseconds until the bot said yes, for payments that come at this pace."""
        before = len((await self.stats())["pre_checkout_ms"])
        paying = []
        for number in range(count):
            paying.append(asyncio.create_task(self._pay(PAYERS[number % len(PAYERS)])))
            await asyncio.sleep(pace_s)
        await asyncio.gather(*paying)
        delays: list[float] = (await self.stats())["pre_checkout_ms"][before:]
        assert len(delays) == count, (len(delays), count)
        return delays

    async def _pay(self, user_id: int) -> None:
        opened = await self.post(
            f"{self.api}/api/v1/payments/stars/invoice",
            json={"telegram_id": user_id, "stars": 70},
            headers={"api-key": parts.API_KEY},
        )
        paid = await self.post(
            opened["invoice_link"],
            data={"user": str(user_id)},
            headers={"Accept": "application/json"},
        )
        assert paid["charge_id"], paid

    async def chat(self, user_id: int, until: float) -> list[float]:
        """One person of the crowd: seconds until each of his words was answered."""
        url, waited = f"{self.sandbox}/telegram/chat/{user_id}", []
        version = 0
        while time.monotonic() < until:
            await asyncio.sleep(random.expovariate(1 / READS_S))
            said_at = time.monotonic()
            await self.post(f"{url}/text", json={"text": random.choice(SAYINGS)})
            answered = False
            while not answered and time.monotonic() < until + 30:
                query = {"version": str(version), "wait_s": "10"}
                async with self.session.get(f"{url}/state", params=query) as answer:
                    told = await answer.json()
                version = told["version"]
                answered = any(not one["is_mine"] for one in told["messages"])
            waited.append(time.monotonic() - said_at)
        return waited


@asynccontextmanager
async def room(mode: Mode) -> AsyncIterator[Room]:
    """A database, the sandbox, an API, a worker and a bot."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        async with parts.database() as server:
            await parts.people(server, len(PAYERS), 1)
            port, sandbox_port = free_port(), free_port()
            sandbox = f"http://127.0.0.1:{sandbox_port}"
            running = stack.enter_context(
                parts.process("sandbox", "--port", str(sandbox_port), environment={})
            )
            parts.wait_for(f"{sandbox}/_control/stats", running)
            api = f"http://127.0.0.1:{port}"
            environment = parts.environment(
                server,
                Path(home),
                PORT=str(port),
                PUBLIC_URL=api,
                BOT_TOKEN=DEFAULT_TOKEN,
                TELEGRAM_API_BASE_URL=sandbox,
                BOT_MODE=mode,
            )
            for role in ("api", "worker", "bot"):
                running = stack.enter_context(
                    parts.process("hamyon", role, environment=environment)
                )
                if role == "api":
                    parts.wait_for(f"{api}/health", running)
            connector = aiohttp.TCPConnector(limit=0)
            try:
                async with aiohttp.ClientSession(connector=connector) as session:
                    yield Room(session, api, sandbox)
            finally:
                stack.close()


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


async def main(people: int, seconds: float, payments: int, mode: Mode) -> None:
    console = Console()
    async with room(mode) as place:
        await place.pay(20, pace_s=0.05)
        alone = await place.pay(payments, pace_s=0.05)
        console.print(f"{people} people come in ({mode})")
        until = time.monotonic() + seconds + 5
        crowd = [
            asyncio.create_task(place.chat(10_000 + number, until)) for number in range(people)
        ]
        await asyncio.sleep(5)
        among = await place.pay(payments, pace_s=seconds / payments)
        waited = [one for each in await asyncio.gather(*crowd) for one in each]
    table = Table("", "p50", "p99", "worst", title="until the yes before a payment, in ms")
    for name, delays in (("nobody else", alone), (f"{people} chat", among)):
        table.add_row(
            name,
            f"{percentile(delays, 50):.0f}",
            f"{percentile(delays, 99):.0f}",
            f"{max(delays):.0f}",
        )
    console.print(table)
    console.print(
        f"words answered: {len(waited)}, {len(waited) / (seconds + 5):.0f} a second; "
        f"p50 {percentile(waited, 50) * 1000:.0f} ms, p99 {percentile(waited, 99) * 1000:.0f} ms"
    )
    ratio = percentile(among, 99) / percentile(alone, 99)
    console.print(f"p99 is {ratio:.1f} times that of an empty room; goal: {GOAL_MS} ms")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=500)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--payments", type=int, default=200)
    options.add_argument("--mode", choices=["polling", "webhook"], default="webhook")
    given = options.parse_args()
    uvloop.run(main(given.people, given.seconds, given.payments, given.mode))
