"""Held bonuses whose day has come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import structlog

from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.rewards.service import posting
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.types import BonusId

BATCH: Final = 500

log = structlog.get_logger(__name__)


async def grant_due(pool: Pool, now: datetime) -> int:
    """Grant every held bonus that is due, each in its own transaction; returns how many.

    Any number of workers may do it at once. One that cannot be granted is logged and passed by,
    so that it keeps nobody else waiting.
    """
    granted, after = 0, (datetime.min.replace(tzinfo=UTC), 0)
    while found := await store.due_bonuses(pool, now=now, after=after, limit=BATCH):
        for _, bonus_id in found:
            try:
                granted += await in_transaction(pool, _grant, bonus_id)
            except HamyonError as refusal:
                log.error("bonus not granted", bonus=bonus_id, code=refusal.code)  # noqa: TRY400
        after = found[-1]
    return granted


async def _grant(connection: Connection, bonus_id: BonusId) -> bool:
    bonus = await store.lock_held(connection, bonus_id)
    if bonus is None:
        return False
    await posting.grant(connection, bonus)
    await store.update_bonus(connection, bonus.id, taken_back=bonus.taken_back, state="granted")
    return True
