"""An aiogram bot that polls the simulated Telegram, and people who chat with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Update

PATIENCE_S = 20.0
OTHER_TOKEN = "4242:another-token-0123456789abcdefghijk"
EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


@dataclass(slots=True)
class PollingBot:
    """An aiogram bot, and how far it has read its updates."""

    api: Bot
    offset: int = 0

    async def news(self) -> list[Update]:
        """What waits, at once."""
        found = await self.api.get_updates(offset=self.offset)
        if found:
            self.offset = found[-1].update_id + 1
        return found

    async def next(self) -> Update:
        """The next update, when it comes."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await self.api.get_updates(self.offset, limit=1, timeout=5)):
                pass
        self.offset = found[0].update_id + 1
        return found[0]


@dataclass(slots=True)
class Person:
    """A person's page: its calls, and the version that it has seen."""

    session: aiohttp.ClientSession
    id: int = 777
    seen: str = "version=0"

    async def does(self, act: str, **body: object) -> Any:
        """Do something that can be done."""
        status, told = await self.tries(act, **body)
        assert status == 200, told
        return told

    async def refused(self, act: str, **body: object) -> str:
        """The sentence that says why it cannot be done."""
        status, told = await self.tries(act, **body)
        assert status == 400, told
        return str(told["error"])

    async def tries(self, act: str, **body: object) -> tuple[int, Any]:
        async with self.session.post(f"/telegram/chat/{self.id}/{act}", json=body) as answer:
            return answer.status, await answer.json()

    async def uploads(
        self, act: str, files: Sequence[tuple[str, bytes, str]], **fields: str
    ) -> tuple[int, Any]:
        form = aiohttp.FormData(fields, quote_fields=False, default_to_multipart=True)
        for name, content, kind in files:
            form.add_field("file", content, filename=name, content_type=kind)
        async with self.session.post(f"/telegram/chat/{self.id}/{act}", data=form) as answer:
            return answer.status, await answer.json()

    async def screen(self, query: str = "version=0") -> Any:
        async with self.session.get(f"/telegram/chat/{self.id}/state?{query}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def looks(self, wait_s: float = 0) -> Any:
        """What is new since the last look, as the page asks for it."""
        told = await self.screen(f"{self.seen}&wait_s={wait_s}")
        self.seen = f"version={told['version']}&memory={told['memory']}"
        return told


@asynccontextmanager
async def polling_bot(url: str, token: str) -> AsyncIterator[PollingBot]:
    async with AiohttpSession(api=TelegramAPIServer.from_base(url)) as session:
        yield PollingBot(Bot(token, session=session))


def keyboard(*rows: Sequence[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[list(row) for row in rows])


def key(text: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data)
