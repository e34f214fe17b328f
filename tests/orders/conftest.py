"""What the tests of orders share."""

from __future__ import annotations

import pytest

from tests.fixtures.sandbox import Sandbox


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox
