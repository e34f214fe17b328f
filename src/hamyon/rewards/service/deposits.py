"""What a payment brings beside what was bought: to the inviter, and by a promo percentage."""

from __future__ import annotations

from dataclasses import replace

from hamyon.kit.db import Connection
from hamyon.rewards.service import posting
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.store import promo_uses
from hamyon.rewards.types import (
    SHARED_ASSETS,
    BonusKind,
    Deposit,
    NewBonus,
    ReferralTerms,
)
from hamyon.users.service import people
from hamyon.users.types import User


async def on_deposit(connection: Connection, deposit: Deposit, terms: ReferralTerms) -> None:
    """Give the bonuses of a payment, in the transaction that credits it. Safe to repeat."""
    payer = await people.profile(connection, deposit.user_id)
    if payer.referrer_id is not None:
        await _reward_inviter(connection, payer.referrer_id, deposit, terms)
    await _add_percentage(connection, deposit, terms)


async def _reward_inviter(
    connection: Connection, inviter_id: int, deposit: Deposit, terms: ReferralTerms
) -> None:
    """Always writes a row, be it of nothing: that is how payers among the invited are counted."""
    await store.lock_inviter(connection, inviter_id)
    inviter = await people.profile(connection, inviter_id)
    bonus = NewBonus(
        key=f"referral:{deposit.payment_id}",
        kind=BonusKind.REFERRAL,
        user_id=inviter_id,
        from_user_id=deposit.user_id,
        payment_id=deposit.payment_id,
        asset=deposit.asset,
        amount=await _share(connection, inviter, deposit, terms),
        at=deposit.at,
        zone=terms.zone,
    )
    bonus = await capped(connection, bonus, terms)
    if bonus.amount > 0 and terms.hold_days > 0:
        bonus = replace(bonus, due_at=deposit.at + terms.hold)
    await posting.write(connection, bonus)


async def _share(
    connection: Connection, inviter: User, deposit: Deposit, terms: ReferralTerms
) -> int:
    """An inviter's part of a payment, rounded up, before the day's cap."""
    if inviter.is_blocked or deposit.asset not in SHARED_ASSETS:
        return 0
    if terms.first_payment_only and await store.has_bonus_from(
        connection, deposit.user_id, BonusKind.REFERRAL
    ):
        return 0
    return -(-deposit.granted * terms.percent // 100)


async def capped(connection: Connection, bonus: NewBonus, terms: ReferralTerms) -> NewBonus:
    """A bonus cut to what the day's cap leaves its inviter, who is locked."""
    if terms.daily_cap == 0 or bonus.amount == 0:
        return bonus
    before = await store.capped_sum(connection, bonus)
    return replace(bonus, amount=min(bonus.amount, max(terms.daily_cap - before, 0)))


async def _add_percentage(connection: Connection, deposit: Deposit, terms: ReferralTerms) -> None:
    """The oldest percentage that waits for a payment of this person is used by this one."""
    oldest = await promo_uses.lock_oldest_waiting(connection, deposit.user_id)
    if oldest is None:
        return
    if not await promo_uses.spend_waiting(connection, oldest.id, deposit.payment_id):
        return
    bonus = NewBonus(
        key=oldest.key,
        kind=BonusKind.PROMO_PERCENT,
        user_id=deposit.user_id,
        from_user_id=None,
        payment_id=deposit.payment_id,
        asset=deposit.asset,
        amount=deposit.granted * (oldest.percent or 0) // 100,
        at=deposit.at,
        zone=terms.zone,
    )
    await posting.write(connection, bonus)
