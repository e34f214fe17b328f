"""The trial: a person's free orders of a product."""

from __future__ import annotations

from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.rewards.store import trials as store
from hamyon.rewards.types import Trial, TrialEnd


async def trial(connection: Connection | Pool, user_id: int, product: str, *, limit: int) -> Trial:
    """How a person stands with a product's trial."""
    used, last_used_at = await store.trial(connection, user_id=user_id, product=product)
    return Trial(used, limit, last_used_at)


async def end_trial(connection: Connection, order_id: UUID, end: TrialEnd) -> None:
    """A reserved trial was used, or comes back because the provider failed."""
    await store.end_trial(connection, order_id=order_id, state=end)
