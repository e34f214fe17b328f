"""What the tests of images share."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from skimage import data

from tests.fixtures.sandbox import Sandbox


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A real photo as a JPEG."""
    out = io.BytesIO()
    Image.fromarray(data.astronaut()).save(out, "JPEG", quality=90)  # type: ignore[no-untyped-call]  # untyped
    return out.getvalue()
