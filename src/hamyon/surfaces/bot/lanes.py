"""One person's updates one after the other, and not too many people's at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Lanes:
    """``at_once`` bounds how many updates are handled together, so that a crowd of chats leaves
    connections to the database for payments."""

    def __init__(self, at_once: int) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._places = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def of(self, person_id: int) -> AsyncIterator[None]:
        """The person's turn. Waiting in a lane takes no place from others."""
        lane = self._lanes.setdefault(person_id, _Lane())
        lane.users += 1
        try:
            async with lane.lock, self._places:
                yield
        finally:
            lane.users -= 1
            if lane.users == 0:
                del self._lanes[person_id]
