"""A service whose bot takes updates, and people who pay at the simulated Telegram."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.bot.customers import Customers
from tests.bot.talk import Town, town_of
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch

Open = Callable[..., Awaitable[Customers]]
OpenTown = Callable[..., Awaitable[Town]]


@pytest.fixture
def shop(launch: Launch, sandbox: Sandbox) -> Open:
    """``await shop(**settings)``: the service, without its bot; ``polling`` starts one."""

    async def opened(**options: object) -> Customers:
        return Customers(await launch(sandbox, **{"log_level": "INFO", **options}), sandbox)

    return opened


@pytest.fixture
async def town(launch: Launch, sandbox: Sandbox) -> AsyncIterator[OpenTown]:
    """``await town(**settings)``: the service with its worker and its bot, and people to talk."""
    async with AsyncExitStack() as stack:

        async def opened(**options: object) -> Town:
            service = await launch(sandbox, **options)
            return await stack.enter_async_context(town_of(service, sandbox))

        yield opened
