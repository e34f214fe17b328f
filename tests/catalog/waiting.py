"""Waiting for what another process will know in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes; a failure after ten seconds."""
    async with asyncio.timeout(10):
        while not await true():
            await asyncio.sleep(0.01)
