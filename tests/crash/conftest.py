"""What the tests share that kill things."""

from __future__ import annotations

import pytest

from tests.fixtures.sandbox import Sandbox


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose pictures are ready at once, and which repeats webhooks soon."""
    await sandbox.settings(
        created_s=0, processing_s=0, webhooks={"retry_delays_s": [0.5, 1.0, 2.0, 4.0, 8.0]}
    )
    return sandbox
