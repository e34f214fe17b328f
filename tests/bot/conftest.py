"""A service whose bot takes updates, and people who pay at the simulated Telegram."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.bot.customers import Customers
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch

Open = Callable[..., Awaitable[Customers]]


@pytest.fixture
def shop(launch: Launch, sandbox: Sandbox) -> Open:
    """``await shop(**settings)``: the service, without its bot; ``polling`` starts one."""

    async def opened(**options: object) -> Customers:
        return Customers(await launch(sandbox, **{"log_level": "INFO", **options}), sandbox)

    return opened
