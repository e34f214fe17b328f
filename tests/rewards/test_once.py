"""What somebody gets once: the discount, and his inviter's bonus for his first success."""

from __future__ import annotations

from hamyon.kit.db import in_transaction
from hamyon.kit.ids import new_id
from hamyon.rewards import service as rewards
from tests.rewards.conftest import CALLERS, Scene, all_at_once

INVITER, INVITED = 1, 2
PRODUCT = "drawings"


async def offer(scene: Scene, percent: int = 20, product: str = PRODUCT) -> bool:
    return await in_transaction(scene.pool, rewards.offer_discount, INVITED, product, percent)


async def test_a_discount_is_offered_once_a_person_and_product(scene: Scene) -> None:
    await scene.person(INVITED)
    assert not await offer(scene, 0)
    assert await rewards.open_discount(scene.pool, INVITED, PRODUCT) is None
    assert not await rewards.was_discount_offered(scene.pool, INVITED, PRODUCT)
    assert await offer(scene)
    assert not await offer(scene, 50)
    assert await offer(scene, 30, "images")
    found = await rewards.open_discount(scene.pool, INVITED, PRODUCT)
    assert found is not None
    assert found.percent == 20
    assert await rewards.was_discount_offered(scene.pool, INVITED, PRODUCT)


async def test_a_discount_is_used_by_one_payment(crowd: Scene) -> None:
    await crowd.person(INVITED)
    await offer(crowd)
    found = await rewards.open_discount(crowd.pool, INVITED, PRODUCT)
    assert found is not None
    payments = [new_id() for _ in range(CALLERS)]
    used = await all_at_once(
        CALLERS,
        lambda number: in_transaction(crowd.pool, rewards.use_discount, found.id, payments[number]),
    )
    assert used.count(True) == 1
    winner = payments[used.index(True)]
    assert await in_transaction(crowd.pool, rewards.use_discount, found.id, winner)
    assert not await in_transaction(crowd.pool, rewards.use_discount, found.id, new_id())
    assert not await in_transaction(crowd.pool, rewards.use_discount, 999, winner)
    assert await rewards.open_discount(crowd.pool, INVITED, PRODUCT) is None
    assert await rewards.was_discount_offered(crowd.pool, INVITED, PRODUCT)
    assert not await offer(crowd)


async def reward(scene: Scene, amount: int = 1, user_id: int = INVITED) -> bool:
    return await in_transaction(
        scene.pool, rewards.reward_first, user_id, PRODUCT, "revival", amount
    )


async def test_the_first_success_rewards_the_inviter_once(crowd: Scene) -> None:
    await crowd.person(INVITER)
    await crowd.person(INVITED, INVITER)
    assert not await rewards.was_rewarded(crowd.pool, INVITED, PRODUCT)
    answers = await all_at_once(CALLERS, lambda _: reward(crowd, 3))
    assert answers.count(True) == 1
    assert await rewards.was_rewarded(crowd.pool, INVITED, PRODUCT)
    assert not await rewards.was_rewarded(crowd.pool, INVITED, "images")
    assert await crowd.balance(INVITER, "revival") == 3
    assert (await rewards.referral(crowd.pool, INVITER)).earned == {"revival": 3}
    assert await crowd.notices(INVITER) == [
        ("referral_first_bonus", {"asset": "revival", "amount": 3})
    ]


async def test_what_is_taken_back_is_never_given_again(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    take_back = rewards.take_back_first
    assert not await in_transaction(scene.pool, take_back, INVITED, PRODUCT)
    assert await reward(scene)
    assert await in_transaction(scene.pool, take_back, INVITED, PRODUCT)
    assert not await in_transaction(scene.pool, take_back, INVITED, PRODUCT)
    assert not await reward(scene)
    assert not await rewards.was_rewarded(scene.pool, INVITED, PRODUCT)
    assert await scene.balance(INVITER, "revival") == 0
    assert (await rewards.referral(scene.pool, INVITER)).earned == {}


async def test_nobody_else_is_rewarded(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    assert not await reward(scene, user_id=INVITER)
    assert not await reward(scene, 0)
    assert await scene.bonuses() == []
    await scene.block(INVITER)
    assert not await reward(scene)
    assert not await rewards.was_rewarded(scene.pool, INVITED, PRODUCT)
    assert await scene.bonuses() == [("granted", 0, 0)]


async def test_these_bonuses_do_not_count_as_payments(scene: Scene) -> None:
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER)
    await reward(scene)
    assert (await rewards.referral(scene.pool, INVITER)).paid_invited_count == 0
