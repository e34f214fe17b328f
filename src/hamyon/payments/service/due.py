"""Going through what is due: several at once, and one's failure leaves the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

AT_ONCE: Final = 10
"""A vendor that hangs must not keep the others from being asked."""
LIMIT: Final = 500
RECHECK_MAX: Final = timedelta(hours=1)

T = TypeVar("T")

log = structlog.get_logger(__name__)


def recheck_at(now: datetime, checks: int) -> datetime:
    """When to ask again: after a minute, and then twice as late each time, up to an hour."""
    return now + min(timedelta(minutes=1 << min(checks, 6)), RECHECK_MAX)


async def each(things: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """``work`` on every thing, ``AT_ONCE`` of them at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> None:
        async with gate:
            try:
                await work(thing)
            except Exception:
                log.exception("a look at what is due failed")

    await asyncio.gather(*(one(thing) for thing in things))
