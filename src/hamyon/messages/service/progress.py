"""How far broadcasts are, how fast they go, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from hamyon.kit.db import Connection, Pool
from hamyon.kit.settings import Settings
from hamyon.messages.errors import BroadcastNotFound
from hamyon.messages.store import broadcasts as store
from hamyon.messages.types.broadcast import (
    Broadcast,
    BroadcastId,
    BroadcastState,
    Progress,
    RecipientRow,
    RecipientState,
    Tally,
)

MESSAGES_PER_STAR: Final = 10
"""What Telegram takes for messages above the free pace (wire.md, 5.2)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second that a channel takes for nothing, and when they are paid."""

    free: int
    paid: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        return cls(settings.broadcast_rate_per_s, settings.broadcast_paid_rate_per_s)

    def of_broadcast(self, broadcast: Broadcast) -> int:
        """What this one may be sent at."""
        return self.paid if broadcast.paid else self.free

    def cost_stars(self, broadcast: Broadcast) -> int:
        """What it costs at most, rounded up: in each second the free ones are free."""
        if not broadcast.paid:
            return 0
        messages = broadcast.recipients * max(1, len(broadcast.files))
        seconds = max(1, messages // self.paid)
        return math.ceil(max(0, messages - self.free * seconds) / MESSAGES_PER_STAR)


async def found(connection: Connection | Pool, broadcast_id: BroadcastId) -> Broadcast:
    """A broadcast. Raises BroadcastNotFound."""
    broadcast = await store.get(connection, broadcast_id)
    if broadcast is None:
        raise BroadcastNotFound(broadcast_id=broadcast_id)
    return broadcast


async def view(
    connection: Connection | Pool, broadcast_id: BroadcastId, *, rates: Rates, now: datetime
) -> Progress:
    """A broadcast and how far it is. Raises BroadcastNotFound."""
    broadcast = await found(connection, broadcast_id)
    return (await _measured(connection, [broadcast], rates, now))[0]


async def listed(
    connection: Connection | Pool,
    *,
    before_id: int | None,
    limit: int,
    rates: Rates,
    now: datetime,
) -> tuple[Sequence[Progress], BroadcastId | None]:
    """Broadcasts, newest first, and the number that the next page lies before."""
    rows = await store.page(connection, before_id=before_id, limit=limit + 1)
    page = rows[:limit]
    after = page[-1].id if len(rows) > limit else None
    return await _measured(connection, page, rates, now), after


async def recipients(
    connection: Connection | Pool,
    broadcast_id: BroadcastId,
    *,
    state: RecipientState | None,
    after_id: int,
    limit: int,
) -> tuple[Sequence[RecipientRow], int | None]:
    """Whom a broadcast goes to, and the id that the next page lies behind.

    Raises BroadcastNotFound.
    """
    await found(connection, broadcast_id)
    rows = await store.recipients_page(
        connection, broadcast_id, state=state, after_id=after_id, limit=limit + 1
    )
    page = rows[:limit]
    return page, page[-1].user_id if len(rows) > limit else None


async def _measured(
    connection: Connection | Pool, page: Sequence[Broadcast], rates: Rates, now: datetime
) -> list[Progress]:
    # Whatever has ended is not counted again: a list of old ones would count millions.
    open_ids = [broadcast.id for broadcast in page if broadcast.kept is None]
    tallies = await store.tallies(connection, open_ids) if open_ids else {}
    return [
        _progress(broadcast, broadcast.kept or tallies[broadcast.id], rates, now)
        for broadcast in page
    ]


def _progress(broadcast: Broadcast, tally: Tally, rates: Rates, now: datetime) -> Progress:
    pace, eta_s = None, None
    if broadcast.state is BroadcastState.RUNNING and broadcast.started_at is not None:
        elapsed_s = (now - broadcast.started_at).total_seconds()
        pace = tally.lately / min(max(elapsed_s, 1.0), store.LATELY_S)
        eta_s = math.ceil(tally.waiting / (pace or rates.of_broadcast(broadcast)))
        pace = round(pace, 1)
    return Progress(broadcast, tally, pace, eta_s, rates.cost_stars(broadcast))
