"""A Bot API server that a test writes word by word: for updates that the sandbox never makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from hamyon.kit.http import HttpClient
from hamyon.providers.telegram.api import BotApi
from hamyon.providers.telegram.client import TelegramBot
from sandbox.app import serving
from tests.fixtures.service import BOT_TOKEN


@dataclass(slots=True)
class Scripted:
    """``updates`` wait until an offset passes them; ``raw`` answers go out first, as they are."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    raw: list[web.Response] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    """Queries whose answers are not heard before their event is set."""

    async def call(self, request: web.Request) -> web.Response:
        method, params = request.match_info["method"], await request.json()
        if method == "getUpdates":
            return await self._get_updates(params)
        if method == "answerPreCheckoutQuery":
            self.answers.append(params)
            event = self.held.get(params["pre_checkout_query_id"])
            if event is not None:
                await event.wait()
        return web.json_response({"ok": True, "result": True})

    async def _get_updates(self, params: dict[str, Any]) -> web.Response:
        offset = params.get("offset")
        self.offsets.append(offset)
        if self.raw:
            return self.raw.pop(0)
        self.updates = [u for u in self.updates if u.get("update_id", 0) >= (offset or 0)]
        if not self.updates and params["timeout"]:
            await asyncio.sleep(0.05)
        return web.json_response({"ok": True, "result": self.updates[: params["limit"]]})


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Scripted, TelegramBot]]:
    """The server, and a client of it."""
    script = Scripted()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", script.call)
    async with serving(app) as url, HttpClient() as http:
        yield script, TelegramBot(BotApi(http, token=BOT_TOKEN, base_url=url, timeout_s=10.0))


def failure(code: int, description: str, **parameters: object) -> web.Response:
    """An error in the Bot API's form."""
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return web.Response(body=orjson.dumps(body), status=code, content_type="application/json")
