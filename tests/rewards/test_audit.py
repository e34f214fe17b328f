"""The audit of rewards sees each thing that can be broken, in the whole and in what is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hamyon.kit.db import Pool, in_transaction
from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.rewards import service as rewards
from tests.rewards.conftest import TASHKENT, Scene, findings, promo

INVITER, INVITED = 1, 2


@pytest.fixture
async def world(pool: Pool) -> Scene:
    """One of everything, sound. Unlike ``scene`` it is not audited at its end."""
    scene = Scene(pool)
    await scene.person(INVITER)
    await scene.person(INVITED, INVITER, first_contacts=[rewards.JoinBonus(scene.terms)])
    for shown, terms in (("GIFT", promo(5, total_limit=9)), ("P10", promo(percent=10))):
        await scene.code(shown, terms)
        assert await scene.outcome(INVITED, shown) == "ok"
    payment = await scene.pays(INVITED, 100)
    undone = await scene.refund(payment, 20, 100)
    await scene.refund(payment, 50, 100)
    await scene.undo(undone)
    await in_transaction(pool, rewards.reward_first, INVITED, "drawings", "revival", 1)
    today = datetime.now(UTC)
    for now in (today - timedelta(days=1), today):
        await in_transaction(
            pool, rewards.claim_daily, INVITED, "drawings", "revival", (1, 2), TASHKENT, now
        )
    assert await findings(pool) == []
    return scene


async def granted(
    pool: Pool, kind: TransferKind, key: str, from_role: str, reference: str | None = None
) -> None:
    """A transfer that nothing of rewards stands behind."""
    await in_transaction(
        pool,
        ledger.grant,
        user_id=INVITER,
        asset="credit",
        amount=3,
        kind=kind,
        from_role=from_role,
        key=key,
        actor="tester",
        reference=reference,
    )


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        ("UPDATE bonuses SET amount = amount + 1 WHERE kind = 'referral'", "bonus_is_posted"),
        ("UPDATE bonuses SET amount = 2 WHERE kind = 'referral_first'", "bonus_is_posted"),
        ("UPDATE bonuses SET state = 'held' WHERE kind = 'referral'", "bonus_is_posted"),
        ("UPDATE bonuses SET user_id = 2 WHERE kind = 'referral'", "bonus_is_posted"),
        ("UPDATE bonuses SET asset = 'token' WHERE kind = 'promo_percent'", "bonus_is_posted"),
        ("UPDATE bonuses SET taken_back = 0 WHERE kind = 'referral'", "bonus_takings_add_up"),
        ("UPDATE bonus_takings SET undone = NOT undone", "bonus_takings_add_up"),
        ("UPDATE bonuses SET state = 'canceled' WHERE kind = 'referral'",
         "canceled_bonus_is_empty"),
        ("UPDATE bonuses SET kind = 'promo_percent' WHERE kind = 'referral'",
         "one_percentage_a_payment"),
        ("UPDATE promo_uses SET payment_id = NULL", "percentage_has_its_use"),
        ("UPDATE bonuses SET key = key || 'x' WHERE kind = 'referral'", "bonus_has_its_row"),
        ("UPDATE promo_codes SET uses = uses + 1 WHERE code = 'GIFT'", "promo_uses_are_counted"),
        ("UPDATE promo_uses SET amount = 6 WHERE code = 'GIFT'", "promo_use_is_posted"),
        ("UPDATE promo_uses SET asset = 'token' WHERE code = 'GIFT'", "promo_use_is_posted"),
        ("UPDATE promo_uses SET use = 2 WHERE code = 'GIFT'", "promo_uses_follow"),
        ("UPDATE promo_uses SET use = 2 WHERE code = 'GIFT'", "promo_transfer_has_its_use"),
        ("UPDATE daily_bonuses SET amount = 3 WHERE streak = 2", "daily_bonus_is_posted"),
        ("UPDATE daily_bonuses SET product = 'images'", "daily_bonus_is_posted"),
        ("UPDATE daily_bonuses SET streak = 5 WHERE streak = 2", "daily_streak_follows"),
        ("DELETE FROM daily_bonuses WHERE streak = 2", "daily_transfer_has_its_day"),
    ],
)  # fmt: skip
async def test_what_is_broken_is_found(world: Scene, broken: str, check: str) -> None:
    await world.pool.execute(broken)
    for since in (None, datetime.now(UTC) - timedelta(hours=1)):
        found = await rewards.audit(world.pool, since)
        assert check in {finding.check for finding in found}, since
    # What nothing has happened to is not looked at again.
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await rewards.audit(world.pool, later) == []


async def test_a_spent_percentage_without_its_bonus_is_found(world: Scene) -> None:
    await world.pool.execute("UPDATE promo_uses SET payment_id = $1 WHERE code = 'P10'", new_id())
    found = {finding.check for finding in await rewards.audit(world.pool)}
    assert {"percentage_is_spent", "percentage_has_its_use"} <= found


@pytest.mark.parametrize(
    ("kind", "key", "role", "check"),
    [
        (TransferKind.REFERRAL_BONUS, "referral:x", "bonus:referral", "bonus_has_its_row"),
        (TransferKind.PROMO_CODE, "promo:GIFT:1:1", "bonus:promo", "promo_transfer_has_its_use"),
        (TransferKind.DAILY_BONUS, "daily:drawings:1:2026-03-01", "bonus:daily",
         "daily_transfer_has_its_day"),
    ],
)  # fmt: skip
async def test_money_without_a_reason_is_found(
    world: Scene, kind: TransferKind, key: str, role: str, check: str
) -> None:
    await granted(world.pool, kind, key, role)
    for since in (None, datetime.now(UTC) - timedelta(hours=1)):
        (finding,) = await rewards.audit(world.pool, since)
        assert (finding.check, finding.subject) == (check, key)


async def test_an_old_bonus_that_moved_just_now_is_looked_at(world: Scene) -> None:
    """The row is from long ago; the transfer of its refund leads to it."""
    payment = await world.pays(INVITED, 100)
    await world.pool.execute("UPDATE bonuses SET created_at = now() - interval '30 days'")
    began = datetime.now(UTC)
    await world.refund(payment, 100, 100)
    assert await rewards.audit(world.pool, began) == []
    await world.pool.execute(
        "UPDATE bonuses SET amount = amount + 1 WHERE payment_id = $1 AND kind = 'referral'",
        payment,
    )
    (finding,) = await rewards.audit(world.pool, began)
    assert (finding.check, finding.subject) == ("bonus_is_posted", f"referral:{payment}")


async def test_a_trial_that_cost_something_is_found(world: Scene) -> None:
    order_id = new_id()
    await world.pool.execute("SELECT trial_reserve($1, 'images', $2, 1)", INVITED, order_id)
    await world.pays(INVITED, 10)
    async with world.pool.acquire() as connection:
        await ledger.open_hold(
            connection, user_id=INVITED, asset="credit", amount=5, key=f"order:{order_id}"
        )
    (finding,) = await rewards.audit(world.pool)
    assert (finding.check, finding.subject) == ("trial_is_free", str(order_id))
