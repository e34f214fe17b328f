"""One shared client a test, as in the service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hamyon.kit.http import HttpClient


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient() as opened:
        yield opened
