"""A refund takes its part of every bonus; a refund that was none gives exactly that back."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.rewards import service as rewards
from hamyon.rewards import tasks
from tests.rewards.conftest import TERMS, Scene, promo

INVITER, INVITED = 1, 2


@pytest.fixture
async def payment(scene: Scene) -> UUID:
    """95 credits for 700 kopecks, and with them 10 for the inviter and 19 by a promo code."""
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.code("PLUS20", promo(percent=20))
    assert await scene.outcome(INVITED, "plus20") == "ok"
    made = await scene.pays(INVITED, 95)
    assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (10, 95 + 19)
    return made


@pytest.mark.parametrize(
    "parts",
    [[700], [350, 700], [1, 2, 3, 4, 700], [233, 466, 699, 700], [70, 140, 699, 700], [699, 700]],
)
async def test_parts_take_in_proportion_and_the_whole_takes_all(
    scene: Scene, payment: UUID, parts: list[int]
) -> None:
    for refunded in parts:
        await scene.refund(payment, refunded, 700)
        assert await scene.balance(INVITER) == 10 - 10 * refunded // 700
        assert await scene.balance(INVITED) == 95 + 19 - 19 * refunded // 700
    assert await scene.bonuses() == [("granted", 10, 10), ("granted", 19, 19)]
    assert (await rewards.referral(scene.pool, INVITER)).earned == {}
    assert (await rewards.referral(scene.pool, INVITER)).paid_invited_count == 1


async def test_a_repeated_refund_takes_nothing_more(scene: Scene, payment: UUID) -> None:
    refund = await scene.refund(payment, 350, 700)
    await scene.refund(payment, 350, 700, refund_id=refund)
    # Not even when the sum has grown since: that is the other refund's affair.
    await scene.refund(payment, 700, 700, refund_id=refund)
    assert await scene.balance(INVITER) == 5


async def test_what_was_spent_becomes_a_debt_that_the_next_bonus_pays(
    scene: Scene, payment: UUID
) -> None:
    await scene.spends(INVITER, 8)
    await scene.refund(payment, 700, 700)
    (debt,) = await ledger.debts(scene.pool, INVITER)
    assert debt.posted == -8
    wallet = await ledger.balance(scene.pool, INVITER, "credit")
    assert wallet is not None
    assert wallet.available == 0
    await scene.pays(INVITED, 200)
    assert await ledger.debts(scene.pool, INVITER) == []
    assert await scene.balance(INVITER) == 12


async def test_an_undone_refund_gives_exactly_back_what_it_took(
    scene: Scene, payment: UUID
) -> None:
    first = await scene.refund(payment, 100, 700)
    second = await scene.refund(payment, 500, 700)
    assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (3, 95 + 6)
    for _ in range(2):
        await scene.undo(second)
        assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (9, 95 + 17)
    await scene.undo(first)
    assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (10, 95 + 19)
    # The whole can still be taken, and by an undone refund nothing.
    await scene.refund(payment, 500, 700, refund_id=second)
    assert await scene.balance(INVITER) == 10
    await scene.refund(payment, 700, 700)
    assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (0, 95)


async def test_undoing_in_the_middle_leaves_the_sums_right(scene: Scene, payment: UUID) -> None:
    first = await scene.refund(payment, 333, 700)
    await scene.refund(payment, 666, 700)
    await scene.undo(first)
    # 333 are refunded now. The second one took what belongs to it, not a credit less.
    assert await scene.balance(INVITER) == 10 - (10 * 666 // 700 - 10 * 333 // 700)
    await scene.refund(payment, 700, 700)
    assert (await scene.balance(INVITER), await scene.balance(INVITED)) == (0, 95)


async def test_a_debt_that_was_paid_since_comes_back_as_money(scene: Scene, payment: UUID) -> None:
    await scene.spends(INVITER, 10)
    refund = await scene.refund(payment, 700, 700)
    await scene.pays(INVITED, 150)
    assert await scene.balance(INVITER) == 5
    await scene.undo(refund)
    assert await scene.balance(INVITER) == 15


async def test_a_bonus_of_nothing_has_nothing_to_be_taken(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    payment = await scene.pays(INVITED, 100, asset="revival")
    await scene.undo(await scene.refund(payment, 1, 1))
    assert await scene.bonuses() == [("granted", 0, 0)]
    assert await scene.pool.fetchval("SELECT count(*) FROM bonus_takings") == 0


async def test_unknown_payments_and_refunds_change_nothing(scene: Scene, payment: UUID) -> None:
    await scene.refund(new_id(), 700, 700)
    await scene.undo(new_id())
    assert await scene.bonuses() == [("granted", 10, 0), ("granted", 19, 0)]


# --- while a bonus is held -----------------------------------------------------------------------


@pytest.fixture
async def held(scene: Scene) -> UUID:
    """A payment whose bonus of 10 waits three days."""
    scene.terms = replace(TERMS, hold_days=3)
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    return await scene.pays(INVITED, 100)


async def granted_after(scene: Scene, **parts: float) -> int:
    """Let time pass; how many bonuses are granted then."""
    scene.clock.advance(**parts)
    return await rewards.grant_due(scene.pool, scene.clock.now())


async def test_a_held_bonus_is_granted_on_its_day_and_once(scene: Scene, held: UUID) -> None:
    assert await scene.balance(INVITER) == 0
    assert await scene.notices(INVITER) == []
    assert await granted_after(scene, days=2, hours=23, minutes=59) == 0
    assert await granted_after(scene, minutes=2) == 1
    assert await granted_after(scene, days=1) == 0
    assert await scene.balance(INVITER) == 10
    assert await scene.notices(INVITER) == [("referral_bonus", {"asset": "credit", "amount": 10})]
    await scene.refund(held, 1, 1)
    assert await scene.balance(INVITER) == 0


async def test_the_schedule_grants_what_is_due(scene: Scene, held: UUID) -> None:
    (schedule,) = tasks.schedules(scene)
    await schedule.run()
    assert await scene.balance(INVITER) == 0
    scene.clock.advance(days=4)
    await schedule.run()
    assert await scene.balance(INVITER) == 10


async def test_a_refund_of_a_held_bonus_moves_no_money(scene: Scene, held: UUID) -> None:
    refund = await scene.refund(held, 40, 100)
    assert await scene.bonuses() == [("held", 10, 4)]
    assert await granted_after(scene, days=4) == 1
    assert await scene.balance(INVITER) == 6
    # Undone after the grant, the difference is granted: nothing can be reversed.
    for _ in range(2):
        await scene.undo(refund)
        assert await scene.balance(INVITER) == 10
    assert await scene.bonuses() == [("granted", 10, 0)]
    await scene.refund(held, 100, 100)
    assert await scene.balance(INVITER) == 0


async def test_a_held_bonus_that_is_refunded_whole_is_never_granted(
    scene: Scene, held: UUID
) -> None:
    first = await scene.refund(held, 50, 100)
    second = await scene.refund(held, 100, 100)
    assert await scene.bonuses() == [("canceled", 10, 10)]
    assert await granted_after(scene, days=4) == 0
    # Undone when its day was over already: the next look grants what is left.
    await scene.undo(second)
    assert await scene.bonuses() == [("held", 10, 5)]
    assert await granted_after(scene, minutes=1) == 1
    assert await scene.balance(INVITER) == 5
    await scene.undo(first)
    assert await scene.balance(INVITER) == 10


async def test_a_blocked_inviters_held_bonus_waits(scene: Scene, held: UUID) -> None:
    await scene.block(INVITER)
    assert await granted_after(scene, days=4) == 0
    await scene.pool.execute("UPDATE users SET blocked_at = NULL WHERE id = $1", INVITER)
    assert await granted_after(scene, hours=1) == 1
    assert await scene.balance(INVITER) == 10


async def test_one_that_cannot_be_granted_keeps_nobody_waiting(scene: Scene, held: UUID) -> None:
    other = 10
    await scene.person(other)
    await scene.person(11, other)
    await scene.pays(11, 100)
    # The first one's wallet is full to the brim.
    await scene.pays(INVITER, 2**53 - 1)
    assert await granted_after(scene, days=4) == 1
    assert await scene.balance(other) == 10
    assert await scene.bonuses() == [("held", 10, 0), ("granted", 10, 0)]
