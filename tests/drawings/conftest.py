"""What the tests of drawings share."""

from __future__ import annotations

import pytest

from tests.drawings.caller import Drawings
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch


@pytest.fixture
async def drawings(launch: Launch) -> Drawings:
    """Without a worker and without a way to pay."""
    return Drawings(await launch(worker=False))


@pytest.fixture
async def shop(launch: Launch, sandbox: Sandbox) -> Drawings:
    """With YooKassa's sandbox, which tells of payments at once, and a worker that listens."""
    service = await launch(sandbox)
    await sandbox.vendor_settings(
        "yookassa", notification_url=f"{service.api.url}/payments/yookassa/notification"
    )
    return Drawings(service)
