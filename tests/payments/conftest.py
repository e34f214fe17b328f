"""What the tests of payments share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch
from tests.payments.till import Till

Open = Callable[..., Awaitable[Till]]


@pytest.fixture
def till(launch: Launch, sandbox: Sandbox) -> Open:
    """``await till(**settings)``: a service over the sandbox, and a way to buy there.

    With ``webhooks=True`` YooKassa's notifications reach it.
    """

    async def opened(**options: object) -> Till:
        service = await launch(sandbox, **options)
        if service.settings.public_url is not None:
            url = f"{service.settings.public_url}/payments/yookassa/notification"
            await sandbox.vendor_settings("yookassa", notification_url=url)
        return Till(service, sandbox)

    return opened
