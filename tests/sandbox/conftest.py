"""The sandbox itself under test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tests.fixtures.sandbox import Sandbox, sandbox, sandbox_server
from tests.sandbox.client import Client, Hooks
from tests.sandbox.yookassa_shop import Shop

__all__ = ["sandbox", "sandbox_server"]


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A customer with the default key; jobs finish at once unless a test says otherwise."""
    await sandbox.settings(created_s=0, processing_s=0)
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Client(session, sandbox.key)


@pytest.fixture
async def shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    """A shop at the simulated YooKassa."""
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Shop(session, sandbox)


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    """A real receiver of webhooks."""
    received = Hooks()
    app = web.Application()
    app.router.add_post("/hook", received.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    received.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield received
    await runner.cleanup()
