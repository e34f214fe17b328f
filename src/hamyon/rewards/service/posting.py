"""How bonuses are written, granted and taken back: the one place that moves their money.

The ledger's keys: the bonus's own key when it is granted, ``refund:{refund}:bonus:{id}`` when a
refund takes of it, ``undo:{refund}:bonus:{id}`` when that refund was none after all.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from hamyon.kit.db import Connection
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.types import Bonus, BonusKind, NewBonus

ACTOR: Final = "system"
ACCOUNTS: Final[dict[BonusKind, tuple[str, TransferKind]]] = {
    BonusKind.REFERRAL: ("bonus:referral", TransferKind.REFERRAL_BONUS),
    BonusKind.REFERRAL_JOIN: ("bonus:referral", TransferKind.REFERRAL_BONUS),
    BonusKind.REFERRAL_FIRST: ("bonus:referral", TransferKind.REFERRAL_BONUS),
    BonusKind.PROMO_PERCENT: ("bonus:promo", TransferKind.PROMO_CODE),
}
"""Out of which system account a bonus comes, and how its transfers are called."""

NOTICES: Final[dict[BonusKind, str]] = {
    BonusKind.REFERRAL: "referral_bonus",
    BonusKind.REFERRAL_JOIN: "referral_join_bonus",
    BonusKind.REFERRAL_FIRST: "referral_first_bonus",
    BonusKind.PROMO_PERCENT: "promo_bonus",
}


async def write(connection: Connection, new: NewBonus) -> Bonus | None:
    """Write a bonus and grant it, unless it is held. None: it was written before."""
    bonus = await store.insert_bonus(connection, new)
    if bonus is not None and bonus.state == "granted":
        await grant(connection, bonus)
    return bonus


async def grant(connection: Connection, bonus: Bonus) -> None:
    """Give what is left of a bonus to its person, and tell him."""
    if bonus.left == 0:
        return
    await give(connection, bonus, bonus.left, key=bonus.key)
    facts = {"asset": bonus.asset, "amount": bonus.left}
    await notices.tell(
        connection,
        Notice(key=bonus.key, user_id=bonus.user_id, kind=NOTICES[bonus.kind], facts=facts),
    )


async def give(connection: Connection, bonus: Bonus, amount: int, *, key: str) -> None:
    """Move ``amount`` of a bonus into the wallet, once a key."""
    role, kind = ACCOUNTS[bonus.kind]
    await ledger.grant(
        connection,
        user_id=bonus.user_id,
        asset=bonus.asset,
        amount=amount,
        kind=kind,
        from_role=role,
        key=key,
        actor=ACTOR,
        reference=reference(bonus),
    )


async def take(connection: Connection, bonus: Bonus, amount: int, *, key: str) -> None:
    """Take ``amount`` of a granted bonus: what is there, and the rest as a debt."""
    role, kind = ACCOUNTS[bonus.kind]
    await ledger.claw_back(
        connection,
        user_id=bonus.user_id,
        asset=bonus.asset,
        amount=amount,
        kind=kind,
        to_role=role,
        key=key,
        actor=ACTOR,
        reference=reference(bonus),
    )


def reference(bonus: Bonus) -> str | None:
    """What a bonus's transfers are about."""
    return str(bonus.payment_id) if bonus.payment_id is not None else None


def taking_key(refund_id: UUID, bonus: Bonus) -> str:
    """The transfer by which a refund takes of a bonus."""
    return f"refund:{refund_id}:bonus:{bonus.id}"


def undo_key(refund_id: UUID, bonus: Bonus) -> str:
    """The transfer that gives back what a refund took."""
    return f"undo:{refund_id}:bonus:{bonus.id}"
