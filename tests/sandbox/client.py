"""A plain customer of the simulated vendor, and a receiver of its webhooks."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image

SEEDREAM = "bytedance/seedream-v4"
BANANA = "google/nano-banana"
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Any

    @property
    def data(self) -> Any:
        assert self.status == 200, self
        assert self.body["code"] == 200, self
        return self.body["data"]

    @property
    def refusal(self) -> tuple[int, int]:
        """HTTP status and the vendor's code."""
        return self.status, self.body["code"]


@dataclass(frozen=True, slots=True)
class Client:
    session: aiohttp.ClientSession
    key: str

    def with_key(self, key: str) -> Client:
        return Client(self.session, key)

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        async with self.session.request(
            method, path, json=body, headers=headers, **options
        ) as answer:
            return Answer(answer.status, await answer.json(content_type=None), answer.headers)

    async def submit(
        self, prompt: str = "a cat", model: str = SEEDREAM, *, webhook: str = "", **inputs: Any
    ) -> Answer:
        path = f"/api/v3/{model}" + (f"?webhook={webhook}" if webhook else "")
        return await self.call("POST", path, {"prompt": prompt, **inputs})

    async def result(self, job_id: str) -> Any:
        return (await self.call("GET", f"/api/v3/predictions/{job_id}/result")).data

    async def finished(self, job_id: str) -> Any:
        """Poll until the job is in a terminal state."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                data = await self.result(job_id)
                if data["status"] not in {"created", "processing"}:
                    return data
                await asyncio.sleep(0.01)

    async def make(self, prompt: str = "a cat", model: str = SEEDREAM, **inputs: Any) -> Any:
        return await self.finished((await self.submit(prompt, model, **inputs)).data["id"])

    async def picture(self, url: str) -> Image.Image:
        async with self.session.get(url) as answer:
            assert answer.status == 200
            content = await answer.read()
            assert int(answer.headers["Content-Length"]) == len(content)
        picture = Image.open(io.BytesIO(content))
        picture.load()
        assert picture.get_format_mimetype() == answer.content_type
        return picture

    async def balance(self) -> float:
        return float((await self.call("GET", "/api/v3/balance")).data["balance"])


@dataclass(slots=True)
class Hook:
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Hooks:
    """Receives; ``statuses`` are answered first, then 200."""

    url: str = ""
    received: list[Hook] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Hook(headers, await request.read()))
        self._arrived.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait_for(self, count: int) -> list[Hook]:
        """Wait until so many have arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received


def png(colour: tuple[int, int, int] = (255, 0, 0), side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()
