"""The daily bonus: one a calendar day, more for days in a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hamyon.kit.db import Connection, Pool
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.rewards.errors import AlreadyClaimed
from hamyon.rewards.store import daily as store
from hamyon.rewards.types import Claimed, DailyStatus

ACCOUNT: Final = "bonus:daily"
ONE_DAY: Final = timedelta(days=1)


async def claim_daily(
    connection: Connection,
    user_id: int,
    product: str,
    asset: str,
    rewards: Sequence[int],
    zone: ZoneInfo,
    now: datetime,
) -> Claimed:
    """Give today's bonus. ``rewards`` are the numbers by day of the streak; after the last one
    they begin anew, the streak itself goes on.

    Raises AlreadyClaimed.
    """
    day = now.astimezone(zone).date()
    next_at = begin_of(day + ONE_DAY, zone)
    claim = await store.insert_claim(
        connection, user_id, product, day=day, asset=asset, rewards=rewards, now=now
    )
    if claim is None:
        raise AlreadyClaimed(next_bonus_at=next_at.isoformat().replace("+00:00", "Z"))
    streak, amount = claim
    if amount > 0:
        await ledger.grant(
            connection,
            user_id=user_id,
            asset=asset,
            amount=amount,
            kind=TransferKind.DAILY_BONUS,
            from_role=ACCOUNT,
            key=f"daily:{product}:{user_id}:{day}",
            actor="system",
            reference=product,
        )
    return Claimed(amount, streak, next_at)


async def daily_status(
    connection: Connection | Pool, user_id: int, product: str, zone: ZoneInfo, now: datetime
) -> DailyStatus:
    """Whether today's bonus was claimed, and the streak as it stands: a missed day ended it."""
    today = now.astimezone(zone).date()
    last = await store.last_claim(connection, user_id, product, until=today)
    if last is None:
        return DailyStatus(claimed_today=False, streak=0)
    day, streak = last
    return DailyStatus(day == today, streak if day >= today - ONE_DAY else 0)


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC. Where clocks jump over midnight, it is that moment."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
