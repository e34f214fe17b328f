"""The inviter's part of a payment: how much, when, of what, and who is nobody's inviter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hamyon.kit.errors import HamyonError
from hamyon.kit.settings import Settings
from hamyon.rewards import service as rewards
from hamyon.rewards.types import ReferralTerms
from hamyon.users.service import people
from tests.rewards.conftest import TASHKENT, TERMS, Scene

INVITER, INVITED, OTHER = 1, 2, 3


@pytest.mark.parametrize(
    ("granted", "bonus"),
    [(1, 1), (5, 1), (9, 1), (10, 1), (11, 2), (99, 10), (100, 10), (101, 11), (999, 100),
     (1001, 101), (2**53 - 1, (2**53 - 1 + 9) // 10)],
)  # fmt: skip
async def test_ten_per_cent_rounded_up(scene: Scene, granted: int, bonus: int) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.pays(INVITED, granted)
    assert await scene.balance(INVITER) == bonus
    assert await scene.balance(INVITED) == granted
    assert await scene.notices(INVITER) == [
        ("referral_bonus", {"asset": "credit", "amount": bonus})
    ]


async def test_other_percents(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    for percent, total in ((0, 0), (1, 1), (33, 34), (100, 134)):
        scene.terms = replace(TERMS, percent=percent)
        await scene.pays(INVITED, 100)
        assert await scene.balance(INVITER) == total
    assert len(await scene.notices(INVITER)) == 3


async def test_the_bonus_is_of_the_asset_that_was_bought(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.pays(INVITED, 15, asset="token")
    await scene.pays(INVITED, 30, asset="revival")
    assert await scene.balance(INVITER, "token") == 2
    assert await scene.balance(INVITER, "revival") == 0
    assert await scene.balance(INVITER, "credit") == 0
    # A payment of revivals brings nothing, and makes a payer of the invited one all the same.
    assert await scene.bonuses() == [("granted", 2, 0), ("granted", 0, 0)]


async def test_a_repeated_payment_brings_nothing_more(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    payment = await scene.pays(INVITED, 100)
    await scene.pays(INVITED, 100, payment_id=payment)
    assert await scene.balance(INVITER) == 10
    assert len(await scene.notices(INVITER)) == 1


async def test_only_the_first_payment_if_so_set(scene: Scene) -> None:
    scene.terms = replace(TERMS, first_payment_only=True)
    await scene.person(INVITER)
    for invited in (INVITED, OTHER):
        await scene.person(invited, INVITER)
        for granted in (100, 200, 300):
            await scene.pays(invited, granted)
    assert await scene.balance(INVITER) == 20
    found = await rewards.referral(scene.pool, INVITER)
    assert (found.invited_count, found.paid_invited_count) == (2, 2)


async def test_the_cap_cuts_by_local_day_and_asset(scene: Scene) -> None:
    scene.terms = replace(TERMS, daily_cap=25)
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.person(OTHER, INVITER)
    evening = datetime(2026, 3, 1, 18, 59, tzinfo=UTC)  # 23:59 in Tashkent
    for payer, granted in ((INVITED, 100), (OTHER, 100), (INVITED, 100), (OTHER, 50)):
        await scene.pays(payer, granted, at=evening)
    assert [amount for _, amount, _ in await scene.bonuses()] == [10, 10, 5, 0]
    await scene.pays(INVITED, 200, asset="token", at=evening)
    assert await scene.balance(INVITER, "token") == 20
    await scene.pays(INVITED, 400, at=evening + timedelta(minutes=1))
    assert await scene.balance(INVITER) == 50
    assert (await rewards.referral(scene.pool, INVITER)).paid_invited_count == 2


async def test_another_inviter_has_a_cap_of_his_own(scene: Scene) -> None:
    scene.terms = replace(TERMS, daily_cap=5)
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.person(OTHER, INVITED)
    await scene.pays(INVITED, 100)
    await scene.pays(OTHER, 100)
    assert await scene.balance(INVITER) == 5
    assert await scene.balance(INVITED) == 105


async def test_a_blocked_inviter_gets_nothing(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.block(INVITER)
    await scene.pays(INVITED, 100)
    assert await scene.balance(INVITER) == 0
    assert await scene.bonuses() == [("granted", 0, 0)]
    assert await scene.notices(INVITER) == []


async def test_who_was_not_invited_brings_nobody_anything(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED)
    await scene.pays(INVITED, 100)
    assert await scene.bonuses() == []


@pytest.mark.parametrize("code", ["ref_2", "ref_999", "ref_0", "ref_x", "REF_1", "1", "", None])
async def test_codes_of_nobody_or_oneself_count_for_nothing(scene: Scene, code: str | None) -> None:
    await scene.person(INVITER)
    assert not (await scene.person(INVITED, code=code)).referral_applied
    await scene.pays(INVITED, 100)
    assert await scene.bonuses() == []


async def test_nobody_is_invited_twice_nor_in_a_circle(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await scene.person(OTHER)
    # Coming again, be it after he deleted the chat, through another one or his own invited one.
    for code in (OTHER, INVITER, INVITED):
        assert not (await scene.person(INVITED, code)).referral_applied
    assert not (await scene.person(INVITER, INVITED)).referral_applied
    await scene.pays(INVITED, 100)
    await scene.pays(INVITER, 100)
    assert await scene.balance(INVITER) == 110
    assert await scene.balance(INVITED) == 100
    assert await scene.balance(OTHER) == 0


# --- joining -------------------------------------------------------------------------------------


async def joins(scene: Scene, user_id: int, inviter: int) -> bool:
    """Somebody comes by an invitation, and the join bonus is due; whether he is new."""
    hook = rewards.JoinBonus(scene.terms)
    return (await scene.person(user_id, inviter, first_contacts=[hook])).is_new


async def test_who_brings_somebody_new_gets_the_join_bonus_once(scene: Scene) -> None:
    scene.terms = replace(TERMS, join_bonus=7)
    await scene.person(INVITER)
    assert await joins(scene, INVITED, INVITER)
    assert not await joins(scene, INVITED, INVITER)
    assert not await joins(scene, INVITED, OTHER)
    assert await scene.balance(INVITER) == 7
    assert await scene.notices(INVITER) == [
        ("referral_join_bonus", {"asset": "credit", "amount": 7})
    ]
    found = await rewards.referral(scene.pool, INVITER)
    assert (found.invited_count, found.paid_invited_count, found.earned) == (1, 0, {"credit": 7})


async def test_joins_and_payments_share_the_cap_of_the_day(scene: Scene) -> None:
    scene.terms = replace(TERMS, join_bonus=7, daily_cap=20)
    await scene.person(INVITER)
    for invited in (10, 11):
        await joins(scene, invited, INVITER)
    await scene.pays(10, 100)
    await joins(scene, 12, INVITER)
    assert [amount for _, amount, _ in await scene.bonuses()] == [7, 7, 6, 0]
    assert await scene.balance(INVITER) == 20


async def test_no_join_bonus_for_the_blocked_nor_when_it_is_off(scene: Scene) -> None:
    await scene.person(INVITER)
    await joins(scene, INVITED, INVITER)
    assert await scene.bonuses() == []
    scene.terms = replace(TERMS, join_bonus=7)
    await scene.block(INVITER)
    await joins(scene, OTHER, INVITER)
    await scene.person(20, first_contacts=[rewards.JoinBonus(scene.terms)])
    assert await scene.balance(INVITER) == 0
    assert await scene.bonuses() == [("granted", 0, 0)]


# --- what is shown -------------------------------------------------------------------------------


async def test_what_a_person_sees(scene: Scene) -> None:
    await scene.person(INVITER)
    for invited in (10, 11, 12):
        await scene.person(invited, INVITER)
    payment = await scene.pays(10, 100)
    await scene.pays(10, 100, asset="token")
    await scene.pays(11, 100, asset="revival")
    scene.terms = replace(TERMS, hold_days=3)
    await scene.pays(12, 1000)
    await scene.refund(payment, 1, 2)
    found = await rewards.referral(scene.pool, INVITER)
    assert (found.invited_count, found.paid_invited_count) == (3, 3)
    assert found.earned == {"credit": 5, "token": 10}
    nobody = await rewards.referral(scene.pool, 12)
    assert (nobody.invited_count, nobody.paid_invited_count, nobody.earned) == (0, 0, {})


async def test_the_tree_shows_one_level_up_and_one_down(scene: Scene) -> None:
    for user_id, inviter in ((1, None), (2, 1), (3, 2), (4, 2), (5, 3)):
        await scene.person(user_id, inviter)
    await scene.pays(2, 100)
    await scene.pays(3, 50)
    await scene.block(4)

    async with scene.pool.acquire() as connection:
        tree = await rewards.referral_tree(connection, 2, limit=10)
    assert tree.inviter is not None
    assert (tree.inviter.user_id, tree.inviter.has_paid) == (1, True)
    assert dict(tree.inviter.earned) == {"credit": 10}
    blocked, paid = tree.invited
    assert (blocked.user_id, blocked.is_blocked, blocked.has_paid) == (4, True, False)
    assert (paid.user_id, paid.is_blocked, paid.has_paid) == (3, False, True)
    assert (dict(blocked.earned), dict(paid.earned)) == ({}, {"credit": 5})
    assert tree.own.earned == {"credit": 5}
    assert list(tree.flags) == ["invited_blocked"]

    await scene.block(1)
    async with scene.pool.acquire() as connection:
        tree = await rewards.referral_tree(connection, 2, limit=10)
        assert list(tree.flags) == ["inviter_blocked", "invited_blocked"]
        with pytest.raises(HamyonError) as refused:
            await rewards.referral_tree(connection, 99, limit=10)
    assert refused.value.code == "user_not_found"


async def test_the_trees_pages_show_everybody_once(scene: Scene) -> None:
    await scene.person(1)
    for user_id in range(10, 15):
        await scene.person(user_id, 1)
    seen: list[int] = []
    before = None
    async with scene.pool.acquire() as connection:
        for _ in range(3):
            tree = await rewards.referral_tree(connection, 1, before=before, limit=2)
            seen += [one.user_id for one in tree.invited]
            before = tree.next_before
    assert (seen, before) == ([14, 13, 12, 11, 10], None)


async def test_a_crowd_that_never_pays_is_flagged(scene: Scene) -> None:
    async def flags() -> list[str]:
        async with scene.pool.acquire() as connection:
            return list((await rewards.referral_tree(connection, 1, limit=1)).flags)

    await scene.person(1)
    for user_id in range(10, 19):
        await scene.person(user_id, 1)
    assert await flags() == []
    scene.clock.advance(hours=25)
    await scene.person(19, 1)
    assert await flags() == []
    for user_id in range(20, 29):
        await scene.person(user_id, 1)
    assert await flags() == ["many_joins_unpaid"]
    await scene.pays(25, 100)
    assert await flags() == []


def test_terms_come_from_the_settings() -> None:
    settings = Settings(
        _env_file=None, referral_bonus_percent=7, referral_first_payment_only=True,
        referral_join_bonus_credits=3, referral_daily_cap=50, referral_hold_days=14,
    )  # fmt: skip
    assert ReferralTerms.of(settings) == ReferralTerms(7, True, 3, 50, 14, TASHKENT)


async def test_people_stay_people(scene: Scene) -> None:
    """Bonuses leave what is known of people alone."""
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    before = await people.profile(scene.pool, INVITED)
    await scene.pays(INVITED, 100)
    assert await people.profile(scene.pool, INVITED) == before
