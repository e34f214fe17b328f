"""A refund takes its part of every bonus that the payment brought, and gives it back when it was
none after all."""

from __future__ import annotations

from uuid import UUID

from hamyon.kit.db import Connection
from hamyon.ledger import service as ledger
from hamyon.rewards.service import posting
from hamyon.rewards.store import bonuses as store
from hamyon.rewards.types import Bonus, Taking


async def on_refund(
    connection: Connection,
    payment_id: UUID,
    refund_id: UUID,
    refunded_minor: int,
    paid_minor: int,
) -> None:
    """Take back what belongs to a refund, in the transaction that takes back what was bought.

    ``refunded_minor`` is all that was refunded of the payment so far, this refund included. Taken
    of running totals nothing drifts: when all the money is back, all of each bonus is. Safe to
    repeat.
    """
    assert 0 < refunded_minor <= paid_minor, "no more can be given back than was paid"
    bonuses = await store.lock_payment_bonuses(connection, payment_id)
    done = await store.took(connection, refund_id)
    for bonus in bonuses:
        due = bonus.amount * refunded_minor // paid_minor - bonus.taken_back
        if due > 0 and bonus.id not in done:
            await _take(connection, refund_id, bonus, due)


async def _take(connection: Connection, refund_id: UUID, bonus: Bonus, amount: int) -> None:
    posted = bonus.state == "granted"
    if posted:
        key = posting.taking_key(refund_id, bonus)
        await posting.take(connection, bonus, amount, key=key)
    await store.insert_taking(connection, refund_id, bonus.id, amount=amount, posted=posted)
    taken_back = bonus.taken_back + amount
    state = "canceled" if not posted and taken_back == bonus.amount else bonus.state
    await store.update_bonus(connection, bonus.id, taken_back=taken_back, state=state)


async def undo_refund(connection: Connection, refund_id: UUID) -> None:
    """Give back exactly what a refund took: the vendor did not make it. Safe to repeat."""
    # Locked first and read afterwards, so that what another transaction did meanwhile is seen.
    await store.lock_taken_bonuses(connection, refund_id)
    for taking in await store.takings(connection, refund_id):
        await _give_back(connection, refund_id, taking)


async def _give_back(connection: Connection, refund_id: UUID, taking: Taking) -> None:
    bonus, key = taking.bonus, posting.undo_key(refund_id, taking.bonus)
    if taking.posted:
        await ledger.reverse(
            connection,
            posting.taking_key(refund_id, bonus),
            key=key,
            actor=posting.ACTOR,
            reason="the refund was not made",
            kind=posting.ACCOUNTS[bonus.kind][1],
        )
    elif bonus.state == "granted":
        # It was held when the refund took of it, and what was left has been granted since.
        await posting.give(connection, bonus, taking.amount, key=key)
    # A canceled bonus is held again: when its day is over, it is granted at the next look.
    state = "held" if bonus.state == "canceled" else bonus.state
    taken_back = bonus.taken_back - taking.amount
    await store.update_bonus(connection, bonus.id, taken_back=taken_back, state=state)
    await store.mark_undone(connection, refund_id, bonus.id)
