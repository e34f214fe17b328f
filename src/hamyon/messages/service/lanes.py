"""How many notices one process brings at a time, and how fast: a lane for each channel.

A channel that hangs must not hold the worker, which has paid orders to look after; one that wants
to be left alone must not be asked by everybody in turn. So a delivery that finds no room is told
when to come back, and is nobody's until then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hamyon.kit.limits import Allowed, Buckets, Limit, Seconds

OPEN_MAX: Final = 32
"""Deliveries that are under way at a time."""
PACE: Final = Limit(25.0, 5)
"""Messages a second. Telegram takes 30 of a bot; burst and rate stay below that in any second, and
leave something for the bot's answers."""
QUIET_MAX_S: Final = 30.0
"""The longest silence that one answer brings to all: it may have been about one chat alone."""
BACK_S: Final = 0.5
"""The shortest time after which it is worth coming back."""
LINE_MAX_S: Final = 600.0


class Lane:
    """One channel, as this process uses it."""

    def __init__(self, *, seconds: Seconds = time.monotonic) -> None:
        self._seconds = seconds
        self._open = 0
        self._buckets = Buckets(seconds=seconds)
        self._order = asyncio.Lock()
        self._quiet_until = 0.0
        self._line_end = 0.0

    @contextmanager
    def enter(self) -> Iterator[float]:
        """Yields 0 where there is room, and gives the place back at the end; else in how many
        seconds to come back."""
        if self._open >= OPEN_MAX or self.quiet_s() > 0:
            yield self.back_in_s()
            return
        self._open += 1
        try:
            yield 0.0
        finally:
            self._open -= 1

    async def turn(self, count: int = 1) -> float:
        """Wait until a message of so many parts may go: never long, for few are let in. Returns 0;
        else in how many seconds to come back, because the channel wants to be left alone."""
        async with self._order:
            for _ in range(count):
                while self.quiet_s() <= 0:
                    decision = self._buckets.take("message", "", PACE)
                    if isinstance(decision, Allowed):
                        break
                    await asyncio.sleep(decision.retry_after_s)
                else:
                    return self.back_in_s()
        return 0.0

    def keep_quiet(self, wait_s: float) -> None:
        """The channel wants to be left alone."""
        until = self._seconds() + min(wait_s, QUIET_MAX_S)
        self._quiet_until = max(self._quiet_until, until)

    def quiet_s(self) -> float:
        """How long nothing is to be sent."""
        return max(0.0, self._quiet_until - self._seconds())

    def back_in_s(self) -> float:
        """When to come back: behind everybody who was told so before, at the pace. However many
        wait, no more of them come than can be sent."""
        now = self._seconds()
        first = max(now + BACK_S, self._quiet_until)
        self._line_end = min(max(first, self._line_end) + 1 / PACE.rate_per_s, first + LINE_MAX_S)
        return self._line_end - now


class Lanes:
    """The lanes of one process."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}

    def of(self, channel: str) -> Lane:
        """The lane of a channel."""
        return self._lanes.setdefault(channel, Lane())
