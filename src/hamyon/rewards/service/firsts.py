"""The fixed bonus for an invited person's first success in a product, whatever he pays."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, Pool
from hamyon.rewards.service import posting
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.types import BonusKind, NewBonus
from hamyon.users.service import people

_ANY_ZONE: Final = ZoneInfo("UTC")
"""This bonus counts towards no cap, so it does not matter where its day begins."""


async def reward_first(
    connection: Connection, user_id: int, product: str, asset: str, amount: int
) -> bool:
    """Give ``amount`` to the inviter of a person, once for that person and product, ever.

    False: nobody invited him, the inviter is blocked (and gets nothing later), or it was done.
    """
    invited = await people.profile(connection, user_id)
    if invited.referrer_id is None or amount == 0:
        return False
    inviter = await people.profile(connection, invited.referrer_id)
    bonus = NewBonus(
        key=_key(user_id, product),
        kind=BonusKind.REFERRAL_FIRST,
        user_id=inviter.id,
        from_user_id=user_id,
        payment_id=None,
        asset=asset,
        amount=0 if inviter.is_blocked else amount,
        at=await kit_store.database_time(connection),
        zone=_ANY_ZONE,
    )
    written = await posting.write(connection, bonus)
    return written is not None and written.amount > 0


async def take_back_first(connection: Connection, user_id: int, product: str) -> bool:
    """Take that bonus back whole, once; it is never given again. False: nothing was left of it."""
    bonus = await store.lock_bonus(connection, _key(user_id, product))
    if bonus is None or bonus.left == 0:
        return False
    await posting.take(connection, bonus, bonus.left, key=f"refund:{bonus.key}")
    await store.update_bonus(connection, bonus.id, taken_back=bonus.amount, state=bonus.state)
    return True


async def was_rewarded(connection: Connection | Pool, user_id: int, product: str) -> bool:
    """Whether a person's inviter has that bonus."""
    bonus = await store.bonus(connection, _key(user_id, product))
    return bonus is not None and bonus.left > 0


def _key(user_id: int, product: str) -> str:
    return f"referral:{product}:{user_id}"
