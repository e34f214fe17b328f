"""PROOF: limits hold exactly when 200 callers come at the same moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest

from hamyon.kit.db import in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.kit.ids import new_id
from hamyon.rewards import service as rewards
from hamyon.rewards.errors import AlreadyClaimed
from hamyon.rewards.types import Deposit, Redeemed
from tests.rewards.conftest import CALLERS, TASHKENT, TERMS, Scene, all_at_once, promo

FIRST = 1000
USES = 37


async def invite(crowd: Scene, count: int, inviter: int | None = None) -> None:
    for number in range(count):
        await crowd.person(FIRST + number, inviter)


async def bonus_of_payment(crowd: Scene, payer: int) -> None:
    """What a payment of 100 brings beside what was bought."""
    deposit = Deposit(payer, new_id(), "credit", 100, crowd.clock.now())
    await in_transaction(crowd.pool, rewards.on_deposit, deposit, crowd.terms)


async def test_a_code_of_n_uses_has_exactly_n(crowd: Scene) -> None:
    await invite(crowd, CALLERS)
    await crowd.code("RACE", promo(5, total_limit=USES))
    outcomes = Counter(
        await all_at_once(CALLERS, lambda number: crowd.outcome(FIRST + number, "race"))
    )
    assert outcomes == {"ok": USES, "promo_code_used_up": CALLERS - USES}
    assert await crowd.pool.fetchval("SELECT uses FROM promo_codes") == USES
    balances = [await crowd.balance(FIRST + number) for number in range(CALLERS)]
    assert Counter(balances) == {5: USES, 0: CALLERS - USES}


async def test_a_person_redeems_as_often_as_one_may(crowd: Scene) -> None:
    await crowd.person(1)
    await crowd.code("RACE", promo(5, per_user_limit=3))
    outcomes = Counter(await all_at_once(CALLERS, lambda _: crowd.outcome(1, "race")))
    assert outcomes == {"ok": 3, "promo_code_already_used": CALLERS - 3}
    assert await crowd.balance(1) == 15


async def test_one_key_redeems_once_and_all_get_its_answer(crowd: Scene) -> None:
    await crowd.person(1)
    await crowd.code("RACE", promo(5, per_user_limit=CALLERS))
    answers = await all_at_once(CALLERS, lambda _: crowd.redeems(1, "race", key="same"))
    assert answers == [Redeemed("RACE", "credit", 5, None, 5)] * CALLERS
    assert await crowd.balance(1) == 5


async def test_guessing_at_once_is_no_way_around_the_guard(crowd: Scene) -> None:
    """Nobody learns more of codes by asking in parallel: five wrong tries, and the door is shut."""
    await crowd.person(1)
    outcomes = Counter(
        await all_at_once(CALLERS, lambda number: crowd.outcome(1, f"guess{number}"))
    )
    assert outcomes == {"promo_code_not_found": 5, "promo_tries_exhausted": CALLERS - 5}


async def test_one_daily_bonus_a_day(crowd: Scene) -> None:
    await crowd.person(1)
    now = datetime(2026, 3, 1, 12, tzinfo=TASHKENT)

    async def claim(_: int) -> str:
        try:
            await in_transaction(
                crowd.pool, rewards.claim_daily, 1, "drawings", "revival", (3,), TASHKENT, now
            )
        except AlreadyClaimed as refused:
            return refused.code
        return "granted"

    assert Counter(await all_at_once(CALLERS, claim)) == {
        "granted": 1, "already_claimed": CALLERS - 1,
    }  # fmt: skip
    assert await crowd.balance(1, "revival") == 3


@pytest.mark.parametrize("limit", [1, 3])
async def test_trials_are_reserved_exactly_as_often_as_the_limit_says(
    crowd: Scene, limit: int
) -> None:
    await crowd.person(1)

    async def reserve(_: int) -> bool:
        reserved = await crowd.pool.fetchval(
            "SELECT trial_reserve(1, 'images', $1, $2)", new_id(), limit
        )
        return bool(reserved)

    assert (await all_at_once(CALLERS, reserve)).count(True) == limit
    found = await rewards.trial(crowd.pool, 1, "images", limit=limit)
    assert (found.used, found.remaining) == (limit, 0)

    # What a provider's failure gives back can be reserved again, once.
    order_id = await crowd.pool.fetchval("SELECT order_id FROM trial_uses LIMIT 1")
    await in_transaction(crowd.pool, rewards.end_trial, order_id, "returned")
    assert (await all_at_once(CALLERS, reserve)).count(True) == 1


async def test_the_cap_holds_when_all_invited_pay_at_once(crowd: Scene) -> None:
    crowd.terms = replace(TERMS, daily_cap=105)
    await crowd.person(1)
    await invite(crowd, 64, inviter=1)
    at = datetime(2026, 3, 1, 12, tzinfo=TASHKENT)
    await all_at_once(64, lambda number: crowd.pays(FIRST + number, 100, at=at))
    amounts = Counter(amount for _, amount, _ in await crowd.bonuses())
    assert amounts == {10: 10, 5: 1, 0: 53}
    assert await crowd.balance(1) == 105
    assert (await rewards.referral(crowd.pool, 1)).paid_invited_count == 64


async def test_joins_and_payments_at_once_keep_the_cap(crowd: Scene) -> None:
    crowd.terms = replace(TERMS, daily_cap=50, join_bonus=7)
    await crowd.person(1)
    await invite(crowd, 16, inviter=1)
    at = crowd.clock.now()

    async def act(number: int) -> None:
        if number % 2:
            await crowd.pays(FIRST + number // 2, 100, at=at)
        else:
            hook = rewards.JoinBonus(crowd.terms)
            await crowd.person(5000 + number, 1, first_contacts=[hook])

    await all_at_once(32, act)
    total = sum(amount for _, amount, _ in await crowd.bonuses())
    # Midnight may fall between the first and the last of them: then two days have a cap each.
    days = await crowd.pool.fetchval("SELECT count(DISTINCT day) FROM bonuses")
    assert await crowd.balance(1) == total == 50 * days


async def test_only_the_first_of_payments_at_once(crowd: Scene) -> None:
    crowd.terms = replace(TERMS, first_payment_only=True)
    await crowd.person(1)
    await crowd.person(2, 1)
    await all_at_once(32, lambda _: bonus_of_payment(crowd, 2))
    assert await crowd.balance(1) == 10


async def test_the_same_payment_at_once_brings_one_bonus(crowd: Scene) -> None:
    await crowd.person(1)
    await crowd.person(2, 1)
    for name in ("A", "B"):
        await crowd.code(name, promo(percent=50))
        assert await crowd.outcome(2, name) == "ok"
    payment = new_id()
    await all_at_once(32, lambda _: crowd.pays(2, 100, payment_id=payment))
    assert (await crowd.balance(1), await crowd.balance(2)) == (10, 150)


async def test_payments_at_once_use_a_percentage_each(crowd: Scene) -> None:
    await crowd.person(1)
    for number in range(5):
        await crowd.code(f"P{number}", promo(percent=10))
        assert await crowd.outcome(1, f"p{number}") == "ok"
    # Without the deposit, which would lock the wallet and make them queue before they come here.
    await all_at_once(20, lambda _: bonus_of_payment(crowd, 1))
    assert await crowd.balance(1) == 5 * 10


async def test_workers_at_once_grant_each_held_bonus_once(crowd: Scene) -> None:
    crowd.terms = replace(TERMS, hold_days=1)
    await crowd.person(1)
    await invite(crowd, 40, inviter=1)
    for number in range(40):
        await crowd.pays(FIRST + number, 100)
    crowd.clock.advance(days=2)
    now = crowd.clock.now()
    granted = await all_at_once(8, lambda _: rewards.grant_due(crowd.pool, now))
    assert sum(granted) == 40
    assert await crowd.balance(1) == 400


async def test_a_refund_and_its_undoing_have_one_effect_each(crowd: Scene) -> None:
    await crowd.person(1)
    await crowd.person(2, 1)
    payment, refund = await crowd.pays(2, 100), new_id()
    await all_at_once(32, lambda _: crowd.refund(payment, 30, 100, refund_id=refund))
    assert await crowd.balance(1) == 7
    await all_at_once(32, lambda _: crowd.undo(refund))
    assert await crowd.balance(1) == 10


async def test_an_undoing_forgets_no_other_refund(crowd: Scene) -> None:
    """One refund is undone while the next one takes: both sums are in the bonus afterwards."""
    await crowd.person(1)
    await invite(crowd, 20, inviter=1)
    payments = [await crowd.pays(FIRST + number, 100) for number in range(20)]
    refunds = [await crowd.refund(payment, 40, 100) for payment in payments]

    async def act(number: int) -> None:
        payment = payments[number // 2]
        if number % 2:
            await crowd.refund(payment, 70, 100)
        else:
            await crowd.undo(refunds[number // 2])

    await all_at_once(40, act)
    # A later refund took 3 where the undoing came after it, and 7 where it came before.
    left = [amount - taken_back for _, amount, taken_back in await crowd.bonuses()]
    assert set(left) <= {3, 7}
    assert await crowd.balance(1) == sum(left)


async def test_refunds_while_the_bonus_falls_due(crowd: Scene) -> None:
    """Whoever is first, the inviter ends with nothing of what was refunded whole."""
    crowd.terms = replace(TERMS, hold_days=1)
    await crowd.person(1)
    await invite(crowd, 30, inviter=1)
    payments = [await crowd.pays(FIRST + number, 100) for number in range(30)]
    crowd.clock.advance(days=2)
    now = crowd.clock.now()

    async def act(number: int) -> None:
        if number < 30:
            await crowd.refund(payments[number], 100, 100)
        else:
            await rewards.grant_due(crowd.pool, now)

    await all_at_once(34, act)
    await rewards.grant_due(crowd.pool, now)
    assert await crowd.balance(1) == 0
    assert (await rewards.referral(crowd.pool, 1)).earned == {}


async def test_chains_of_inviters_who_all_pay_at_once(crowd: Scene) -> None:
    """A pays while his invited one pays, and that one's: nobody is refused for a deadlock."""
    for number in range(20):
        await crowd.person(FIRST + number, FIRST + number - 1 if number else None)

    async def pay(number: int) -> None:
        await crowd.pays(FIRST + number % 20, 100)

    await all_at_once(100, pay)
    balances = [await crowd.balance(FIRST + number) for number in range(20)]
    assert balances == [550] * 19 + [500]


async def test_one_spelling_of_a_code_is_made(crowd: Scene) -> None:
    spellings = ("gift", "GIFT", " G i f t", "ｇｉｆｔ")

    async def make(number: int) -> str:
        try:
            await crowd.code(spellings[number % 4], promo(5))
        except HamyonError as refused:
            return refused.code
        return "made"

    assert Counter(await all_at_once(32, make)) == {"made": 1, "promo_code_taken": 31}
