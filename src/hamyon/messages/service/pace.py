"""How fast messages may start, so that the channel never counts too many.

A limit of ``rate`` a second is counted by the channel at the moment at which a message arrives
there, which we do not see: it lies somewhere between our start and its answer. So a message takes
one of ``rate`` turns when it starts, and the turn comes back one second after its answer. Every
message that arrived within the last second therefore holds a turn, and there are only ``rate``.

Turns are taken a little apart. All at once they would wait for each other at the channel, every
answer would be late, and a late answer costs rate; and a kill could repeat more of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

SECOND_S = 1.0
SPREAD = 0.9
"""Of a second: over so much of it its turns are spread. The rest is for catching up."""
LATE_S = 0.01
"""So far behind starts may be and catch up at once: timers are no finer than a millisecond."""


class Pace:
    """The turns. One task takes them; whoever has an answer gives them back.

    At first all of them are on their way back: whoever sent before us may have used them up.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._back = deque([time.monotonic() + SECOND_S] * rate)
        self._given = asyncio.Event()
        self._apart_s, self._free_at = SPREAD * SECOND_S / rate, 0.0

    async def turn(self, count: int = 1) -> None:
        """Wait until ``count`` messages may start now, and take their turns."""
        for _ in range(self._bounded(count)):
            while not self._back:
                self._given.clear()
                await self._given.wait()
            at = max(self._back.popleft(), self._free_at)
            # Timers may be early by a fraction of their resolution.
            while (wait_s := at - time.monotonic()) > 0:  # noqa: ASYNC110 -- a matter of time
                await asyncio.sleep(wait_s)
            self._free_at = max(at, time.monotonic() - LATE_S) + self._apart_s

    def give_back(self, count: int = 1) -> None:
        """They were answered just now, or were not sent after all."""
        at = time.monotonic() + SECOND_S
        self._back.extend([at] * self._bounded(count))
        self._given.set()

    def _bounded(self, count: int) -> int:
        # A message of more parts than there are turns takes them all.
        return min(count, self.rate)
