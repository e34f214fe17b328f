"""The bonus for bringing somebody new."""

from __future__ import annotations

from dataclasses import dataclass

from hamyon.kit.db import Connection
from hamyon.kit.money import Asset
from hamyon.rewards.service import posting
from hamyon.rewards.service.deposits import capped
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.types import BonusKind, NewBonus, ReferralTerms
from hamyon.users.service import people
from hamyon.users.types import FirstContact, User


@dataclass(frozen=True, slots=True)
class JoinBonus(FirstContact):
    """Gives an inviter the terms' join bonus, in the transaction that creates the invited person.

    It counts towards the inviter's cap of the day, and is never held: no payment stands behind it
    that could be refunded.
    """

    terms: ReferralTerms

    async def on_first_contact(self, connection: Connection, user: User, code: str | None) -> None:
        """``code`` was judged when the referrer was decided."""
        if user.referrer_id is None or self.terms.join_bonus == 0:
            return
        await store.lock_inviter(connection, user.referrer_id)
        inviter = await people.profile(connection, user.referrer_id)
        bonus = NewBonus(
            key=f"referral-join:{user.id}",
            kind=BonusKind.REFERRAL_JOIN,
            user_id=inviter.id,
            from_user_id=user.id,
            payment_id=None,
            asset=Asset.CREDIT,
            amount=0 if inviter.is_blocked else self.terms.join_bonus,
            at=user.created_at,
            zone=self.terms.zone,
        )
        await posting.write(connection, await capped(connection, bonus, self.terms))
