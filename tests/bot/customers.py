"""People who pay with Stars, as they do it: at Telegram's own button."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from hamyon.kit.db import Connection, connect
from hamyon.surfaces.bot.run import create_bot
from hamyon.surfaces.bot.types import BotClient, Needs
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import BOT_TOKEN, Service, eventually

BOT_ID = "777000"


@dataclass(frozen=True, slots=True)
class Paid:
    """What the button said: a charge, or why there is none."""

    charge_id: str | None
    error: str | None


@dataclass(slots=True)
class Customers:
    """Open invoices at the service and pay them at the sandbox."""

    service: Service
    sandbox: Sandbox

    async def invoice(self, user_id: int, stars: int = 70) -> str:
        """A link to pay at, for somebody who is known."""
        await self.service.person(user_id)
        answer = await self.service.api.call(
            "POST", "/payments/stars/invoice", {"telegram_id": user_id, "stars": stars}
        )
        assert answer.status == 200, answer.body
        return str(answer.body["invoice_link"])

    async def click(self, link: str, payer_id: int) -> Paid:
        """Press "Pay": Telegram asks the bot, and takes the Stars if it says yes."""
        async with self.service.api.session.post(
            link, data={"user": str(payer_id)}, headers={"Accept": "application/json"}
        ) as answer:
            said = await answer.json()
        return Paid(said["charge_id"], said["error"])

    async def bought(self, user_id: int, stars: int = 70) -> str:
        """An invoice opened and paid. Returns the charge."""
        paid = await self.click(await self.invoice(user_id, stars), user_id)
        assert paid.charge_id is not None, paid.error
        return paid.charge_id

    async def give_back(self, charge_id: str) -> None:
        """A refund from Telegram's own side."""
        async with self.service.api.session.post(
            f"{self.sandbox.url}/telegram/refund", json={"charge_id": charge_id}
        ) as answer:
            assert answer.status == 200, await answer.text()

    async def has(self, user_id: int, amount: int) -> None:
        """Wait until somebody can spend so much."""

        async def look() -> bool:
            return (await self.service.api.balance(user_id))[0] == amount

        await eventually(look)

    async def kinds(self, user_id: int) -> list[str]:
        """The ledger's lines of somebody, by kind."""
        answer = await self.service.api.call(
            "GET", f"/users/{user_id}/ledger?asset=credit&limit=100"
        )
        return sorted(line["kind"] for line in answer.body["items"])

    async def stats(self) -> dict[str, Any]:
        """What the sandbox counted for the bot."""
        report: Any = await self.sandbox.stats("telegram")
        counts: dict[str, Any] = report["bots"][BOT_ID]
        return counts

    async def call(self, method: str, **params: object) -> Any:
        """A call of the Bot API with the bot's token."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.sandbox.url}/bot{BOT_TOKEN}/{method}", json=params) as answer,
        ):
            return await answer.json()

    def needs(self, bot: BotClient) -> Needs:
        """What the bot takes from wiring, with Telegram somewhere else."""
        return replace(self.service.deps, bot=bot)

    async def owner(self) -> Connection:
        """A connection as the database's owner, to be closed."""
        return await connect(self.service.database.owner_dsn, role=None)

    async def nothing_waits(self) -> None:
        """Wait until Telegram keeps no update any more."""

        async def look() -> bool:
            return bool((await self.stats())["updates"]["waiting"] == 0)

        await eventually(look)


@asynccontextmanager
async def running_bot(needs: Needs) -> AsyncIterator[None]:
    """The bot of the settings; it ends in peace, and does not end by itself."""
    bot = create_bot(needs)
    task = asyncio.create_task(bot.run())
    try:
        yield
        assert not task.done(), task
    finally:
        bot.stop()
        await task
