"""A plain bot of the simulated Telegram, its webhook, and people who pay it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiohttp import web

from sandbox.telegram.settings import DEFAULT_TOKEN
from tests.fixtures.sandbox import Sandbox

PATIENCE_S = 20.0
INVOICE: Mapping[str, object] = {
    "title": "1000 credits",
    "description": "For pictures",
    "payload": "payment-1",
    "currency": "XTR",
    "prices": [{"label": "1000 credits", "amount": 70}],
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def result(self) -> Any:
        assert self.body["ok"] is True, self
        assert self.status == 200, self
        return self.body["result"]

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and description of an error."""
        assert self.body["ok"] is False, self
        assert self.body["error_code"] == self.status
        return self.status, self.body["description"]


@dataclass(frozen=True, slots=True)
class BotClient:
    """Calls methods as JSON, and plays the person's browser."""

    session: aiohttp.ClientSession
    sandbox: Sandbox
    token: str = DEFAULT_TOKEN

    def with_token(self, token: str) -> BotClient:
        return BotClient(self.session, self.sandbox, token)

    async def call(self, method: str, **params: object) -> Answer:
        return await self.request("POST", method, json=params)

    async def request(self, http_method: str, method: str, **options: Any) -> Answer:
        path = f"/bot{self.token}/{method}"
        async with self.session.request(http_method, path, **options) as answer:
            assert answer.content_type == "application/json"
            return Answer(answer.status, await answer.json(), answer.headers)

    async def link(self, **changes: object) -> str:
        return str((await self.call("createInvoiceLink", **{**INVOICE, **changes})).result)

    async def pay(self, link: str, user: int = 777, **form: object) -> Any:
        """Submit the page as a form; the JSON answer."""
        data = {"user": str(user)} | {name: str(value) for name, value in form.items()}
        headers = {"Accept": "application/json"}
        async with self.session.post(link, data=data, headers=headers) as answer:
            return await answer.json()

    async def charge(self, link: str, user: int = 777) -> str:
        """Pay without asking the bot; the charge's id."""
        paid = await self.pay(link, user, skip_pre_checkout=1)
        assert paid["error"] is None
        return str(paid["charge_id"])

    async def updates(self, **params: object) -> Any:
        return (await self.call("getUpdates", **params)).result

    async def next_update(self, offset: int = 0) -> Any:
        """The first update from ``offset`` on."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await self.updates(offset=offset, timeout=5)):
                pass
        return found[0]

    async def accept(self, **answer: object) -> Any:
        """Wait for the pre-checkout query and answer it, yes unless told otherwise."""
        update = await self.next_update()
        query = update["pre_checkout_query"]
        told = {"ok": True, **answer, "pre_checkout_query_id": query["id"]}
        assert (await self.call("answerPreCheckoutQuery", **told)).result is True
        return update

    async def transactions(self, **params: object) -> Any:
        return (await self.call("getStarTransactions", **params)).result["transactions"]

    async def control(self, path: str, body: object) -> tuple[int, Any]:
        async with self.session.post(f"/telegram/{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def sent(self, query: str = "") -> Any:
        """The messages that the first bot has sent."""
        async with self.session.get(f"/telegram/messages{query}") as answer:
            assert answer.status == 200
            return (await answer.json())["messages"]

    async def report(self, *, brief: bool = False) -> Any:
        stats: Any = await self.sandbox.stats("telegram", brief=brief)
        return stats["bots"][self.token.partition(":")[0]]

    async def eventually(self, part: str, name: str, count: int) -> Any:
        """This part of the report, when the named count is reached."""
        async with asyncio.timeout(PATIENCE_S):
            while (counts := (await self.report())[part])[name] < count:
                await asyncio.sleep(0.02)
        return counts


@dataclass(slots=True)
class BotHook:
    """A bot's webhook. ``answers`` are given first, then empty 200s."""

    url: str = ""
    received: list[Any] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    answers: list[web.StreamResponse] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(request.headers)
        self.received.append(orjson.loads(await request.read()))
        self._arrived.set()
        return self.answers.pop(0) if self.answers else web.Response()

    async def wait_for(self, count: int) -> list[Any]:
        """Wait until so many have arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received


@asynccontextmanager
async def bot_client(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield BotClient(session, sandbox)


@asynccontextmanager
async def peer_bot(sandbox: Sandbox, token: str = DEFAULT_TOKEN) -> AsyncIterator[Bot]:
    """A bot of aiogram's, whose idea of the Bot API is nobody's here."""
    server = TelegramAPIServer.from_base(sandbox.url)
    async with Bot(token, session=AiohttpSession(api=server)) as bot:
        yield bot


@asynccontextmanager
async def bot_hook() -> AsyncIterator[BotHook]:
    received = BotHook()
    app = web.Application()
    app.router.add_post("/hook", received.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    received.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield received
    await runner.cleanup()
