"""Waiting when Telegram cannot or will not: longer each time, and never past a stop."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Final

import structlog

from hamyon.surfaces.bot.types import Trouble

FIRST_S: Final = 0.5
LONGEST_S: Final = 15.0
_UNAUTHORIZED: Final = frozenset({401, 404})
_CONFLICT: Final = 409
_TOO_MANY: Final = 429

log = structlog.get_logger("hamyon.bot")


class Backoff:
    """Counts failures in a row. ``stop`` ends every pause."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._failures = 0

    def reset(self) -> None:
        """The last call succeeded."""
        self._failures = 0

    async def after(self, trouble: Trouble) -> None:
        """Say what is wrong, and wait."""
        wait_s = trouble.retry_after_s
        if wait_s is None:
            longest_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures, 10))
            wait_s = longest_s * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter
        self._failures += 1
        needs_people = trouble.code == _CONFLICT or trouble.code in _UNAUTHORIZED
        say = log.error if needs_people else log.warning
        said = trouble.description
        say(_sentence(trouble), code=trouble.code, said=said, wait_s=round(wait_s, 1))
        await self.pause(wait_s)

    async def pause(self, wait_s: float) -> None:
        """Wait, or be stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()


def _sentence(trouble: Trouble) -> str:
    if trouble.code == _CONFLICT:
        return (
            "somebody else takes this bot's updates: another process polls with the same "
            "BOT_TOKEN, or a webhook was set; let only one of them run"
        )
    if trouble.code in _UNAUTHORIZED:
        return "Telegram does not know this bot: check BOT_TOKEN and TELEGRAM_API_BASE_URL"
    if trouble.code == _TOO_MANY:
        return "Telegram wants fewer calls"
    return "Telegram cannot be used now"
