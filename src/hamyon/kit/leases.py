"""Leases: who works on something says so again and again, and who died or froze says nothing.

A lease lies in the row of what is worked on, and every write after the claim asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog

from hamyon.kit.db import LOST_DATABASE

WRITE_PAUSE_S: Final = 0.5

T = TypeVar("T")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def kept(renew: Callable[[], Awaitable[bool]], *, lease_s: float) -> AsyncIterator[None]:
    """Renews a lease while the work goes on, however slow it is.

    ``renew`` answers whether the lease is still ours; when it is lost nothing is renewed any more,
    and the writes of the work find out by themselves.
    """
    renewing = asyncio.create_task(_renew(renew, lease_s), name="lease")
    try:
        yield
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing


async def _renew(renew: Callable[[], Awaitable[bool]], lease_s: float) -> None:
    while True:
        await asyncio.sleep(lease_s / 3)
        try:
            if not await renew():
                return
        except LOST_DATABASE as error:
            log.warning("lease not renewed", error=repr(error))


async def written(write: Callable[[], Awaitable[T]], *, within_s: float) -> T:
    """Write again while the database is away: what has happened outside must not be forgotten.

    A write whose commit went unheard finds its lease gone the second time, which is no harm.
    """
    give_up_at = time.monotonic() + within_s
    while True:
        try:
            return await write()
        except LOST_DATABASE as error:
            if time.monotonic() > give_up_at:
                raise
            log.warning("waiting for the database to write", error=repr(error))
            await asyncio.sleep(WRITE_PAUSE_S)
