"""What inviting people has brought: as its person sees it, and as operators do."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool
from hamyon.rewards.store import referrals as store
from hamyon.rewards.types import Referral, ReferralFlag, ReferralTree, Relative
from hamyon.users.service import overview, people

CROWD: Final = 10
"""So many joins within 24 hours of which none ever paid look like invented people."""


async def referral(connection: Connection | Pool, user_id: int) -> Referral:
    """How many came through a person, how many of them paid, and what it brought him."""
    return Referral(
        await overview.invited_count(connection, user_id),
        await store.paid_invited_count(connection, user_id),
        await store.earned(connection, user_id),
    )


async def referral_tree(
    connection: Connection,
    user_id: int,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> ReferralTree:
    """One level up and one level down from a person; the invited ones newest first.

    Raises UserNotFound.
    """
    person = await people.profile(connection, user_id)
    inviter = (
        await store.inviter(connection, user_id, person.referrer_id)
        if person.referrer_id is not None
        else None
    )
    found = await store.invited_page(connection, user_id, before=before, limit=limit + 1)
    invited = found[:limit]
    more = len(found) > limit
    return ReferralTree(
        user_id=user_id,
        own=await referral(connection, user_id),
        inviter=inviter,
        invited=invited,
        flags=await _flags(connection, user_id, inviter),
        next_before=(invited[-1].joined_at, invited[-1].user_id) if more else None,
    )


async def _flags(
    connection: Connection, user_id: int, inviter: Relative | None
) -> list[ReferralFlag]:
    flags = []
    if await store.joined_in_a_crowd(connection, user_id, crowd=CROWD):
        flags.append(ReferralFlag.MANY_JOINS_UNPAID)
    if inviter is not None and inviter.is_blocked:
        flags.append(ReferralFlag.INVITER_BLOCKED)
    if await store.has_blocked_invited(connection, user_id):
        flags.append(ReferralFlag.INVITED_BLOCKED)
    return flags
