"""Redeeming promo codes: what they give, who is refused, and what guessing costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Redeemed
from hamyon.users.errors import UserBlocked, UserNotFound
from tests.rewards.conftest import OPERATOR, Scene, promo

PERSON, OTHER = 1, 2


@pytest.fixture(autouse=True)
async def persons(scene: Scene) -> None:
    await scene.person(PERSON)
    await scene.person(OTHER)


async def test_an_amount_is_granted_at_once(scene: Scene) -> None:
    await scene.code("Gift 50", promo(50))
    await scene.code("TOKENS", promo(3, asset="token"))
    assert await scene.redeems(PERSON, " gIfT50 ") == Redeemed("Gift 50", "credit", 50, None, 50)
    assert await scene.redeems(PERSON, "tokens") == Redeemed("TOKENS", "token", 3, None, 3)
    assert await scene.balance(PERSON) == 50
    assert await scene.balance(PERSON, "token") == 3


async def test_a_percentage_waits_for_the_next_payment_and_is_used_by_one(scene: Scene) -> None:
    await scene.code("P15", promo(percent=15))
    await scene.code("P200", promo(percent=200))
    assert await scene.redeems(PERSON, "p15") == Redeemed("P15", None, None, 15, None)
    assert await scene.outcome(PERSON, "p200") == "ok"
    assert await scene.balance(PERSON) == 0
    await scene.pays(OTHER, 100)
    payment = await scene.pays(PERSON, 99)
    assert await scene.balance(PERSON) == 99 + 14
    # The same payment again uses nothing more; the next one uses the next percentage.
    await scene.pays(PERSON, 99, payment_id=payment)
    assert await scene.balance(PERSON) == 99 + 14
    await scene.pays(PERSON, 10, asset="revival")
    assert await scene.balance(PERSON, "revival") == 30
    await scene.pays(PERSON, 100)
    assert await scene.balance(PERSON) == 99 + 14 + 100
    assert await scene.notices(PERSON) == [
        ("promo_bonus", {"asset": "credit", "amount": 14}),
        ("promo_bonus", {"asset": "revival", "amount": 20}),
    ]
    # His own percentage is nothing that he earned by inviting.
    assert (await rewards.referral(scene.pool, PERSON)).earned == {}


async def test_a_percentage_of_next_to_nothing_is_used_up_too(scene: Scene) -> None:
    await scene.code("P15", promo(percent=15))
    await scene.outcome(PERSON, "p15")
    await scene.pays(PERSON, 6)
    await scene.pays(PERSON, 100)
    assert await scene.balance(PERSON) == 106


async def test_limits_of_a_person_and_of_all(scene: Scene) -> None:
    await scene.code("TWICE", promo(5, per_user_limit=2, total_limit=3))
    assert [await scene.outcome(PERSON, "twice") for _ in range(3)] == [
        "ok", "ok", "promo_code_already_used",
    ]  # fmt: skip
    assert [await scene.outcome(OTHER, "twice") for _ in range(2)] == ["ok", "promo_code_used_up"]
    assert await scene.outcome(PERSON, "twice") == "promo_code_already_used"
    assert (await scene.balance(PERSON), await scene.balance(OTHER)) == (10, 5)


async def test_a_code_has_its_time(scene: Scene) -> None:
    now = scene.clock.now()
    await scene.code(
        "SPRING", promo(valid_from=now + timedelta(days=1), valid_until=now + timedelta(days=2))
    )
    await scene.code("OFF", promo(active=False))
    outcomes = []
    for _ in range(2):
        outcomes.append(await scene.outcome(PERSON, "spring"))
        scene.clock.advance(days=1, seconds=1)
    outcomes.append(await scene.outcome(OTHER, "spring"))
    assert outcomes == ["promo_code_expired", "ok", "promo_code_expired"]
    assert await scene.outcome(PERSON, "off") == "promo_code_expired"


async def test_a_code_for_some_products(scene: Scene) -> None:
    await scene.code("DRAW", promo(1, asset="revival", products=["drawings"]))
    for product in (None, "images"):
        answer = await scene.redeems(PERSON, "draw", product=product)
        assert isinstance(answer, HamyonError)
        assert (answer.code, answer.status) == ("promo_code_not_applicable", 422)
        assert answer.facts == {"products": ["drawings"]}
    assert await scene.outcome(PERSON, "draw", product="drawings") == "ok"


async def test_strangers_and_the_blocked_redeem_nothing(scene: Scene) -> None:
    await scene.code("GIFT", promo())
    await scene.block(OTHER)
    with pytest.raises(UserNotFound):
        await scene.redeems(99, "gift")
    with pytest.raises(UserBlocked):
        await scene.redeems(OTHER, "gift")


async def test_a_repeated_key_gets_the_first_answer(scene: Scene) -> None:
    await scene.code("GIFT", promo(50))
    first = await scene.redeems(PERSON, "gift", key="k")
    await scene.pays(PERSON, 1000)
    assert await scene.redeems(PERSON, "gift", key="k") == first
    assert await scene.balance(PERSON) == 1050
    with pytest.raises(IdempotencyMismatch):
        await scene.redeems(PERSON, "other", key="k")
    # It stands for this person only.
    assert isinstance(await scene.redeems(OTHER, "gift", key="k"), Redeemed)


async def test_a_refusal_leaves_the_key_free(scene: Scene) -> None:
    assert getattr(await scene.redeems(PERSON, "late", key="k"), "code", "") == (
        "promo_code_not_found"
    )
    await scene.code("LATE", promo(5))
    assert isinstance(await scene.redeems(PERSON, "late", key="k"), Redeemed)


# --- guessing ------------------------------------------------------------------------------------


async def wrong(scene: Scene, times: int, user_id: int = PERSON) -> list[str]:
    return [await scene.outcome(user_id, f"guess{number}") for number in range(times)]


async def test_five_wrong_tries_close_the_door_for_an_hour(scene: Scene) -> None:
    await scene.code("GIFT", promo())
    assert await wrong(scene, 5) == ["promo_code_not_found"] * 5
    for typed in ("guess", "gift"):
        answer = await scene.redeems(PERSON, typed)
        assert isinstance(answer, HamyonError)
        assert (answer.code, answer.status) == ("promo_tries_exhausted", 429)
        assert 3500 < int(answer.headers()["Retry-After"]) <= 3600
    assert await scene.outcome(OTHER, "gift") == "ok"
    scene.clock.advance(minutes=59)
    assert await scene.outcome(PERSON, "gift") == "promo_tries_exhausted"
    scene.clock.advance(minutes=1, seconds=1)
    assert await scene.outcome(PERSON, "gift") == "ok"
    # And the count begins anew.
    assert await wrong(scene, 5) == ["promo_code_not_found"] * 5
    assert await scene.outcome(PERSON, "gift") == "promo_tries_exhausted"


async def test_wrong_tries_are_forgotten_after_ten_minutes(scene: Scene) -> None:
    for _ in range(3):
        assert await wrong(scene, 4) == ["promo_code_not_found"] * 4
        scene.clock.advance(minutes=10, seconds=1)
    assert await wrong(scene, 4) == ["promo_code_not_found"] * 4
    scene.clock.advance(minutes=9, seconds=50)
    assert await wrong(scene, 2) == ["promo_code_not_found", "promo_tries_exhausted"]


async def test_any_ten_minutes_count(scene: Scene) -> None:
    """A window that slides: no border lets two bursts through."""
    assert await wrong(scene, 1) == ["promo_code_not_found"]
    scene.clock.advance(minutes=9, seconds=30)
    assert await wrong(scene, 3) == ["promo_code_not_found"] * 3
    scene.clock.advance(seconds=40)
    assert await wrong(scene, 3) == ["promo_code_not_found"] * 2 + ["promo_tries_exhausted"]


async def test_a_code_that_exists_is_no_wrong_try(scene: Scene) -> None:
    await scene.code("GONE", promo(valid_until=datetime(2026, 1, 1, tzinfo=UTC)))
    await scene.code("ONCE", promo())
    for _ in range(4):
        assert await scene.outcome(PERSON, "gone") == "promo_code_expired"
        await scene.outcome(PERSON, "once")
    # Right tries do not wash wrong ones away either.
    assert await wrong(scene, 4) == ["promo_code_not_found"] * 4
    await scene.code("TWO", promo())
    assert await scene.outcome(PERSON, "two") == "ok"
    assert await wrong(scene, 2) == ["promo_code_not_found", "promo_tries_exhausted"]


async def test_a_first_answer_is_repeated_while_the_door_is_closed(scene: Scene) -> None:
    await scene.code("GIFT", promo())
    first = await scene.redeems(PERSON, "gift", key="k")
    await wrong(scene, 5)
    assert await scene.redeems(PERSON, "gift", key="k") == first


async def test_what_was_redeemed_stays_given_when_the_code_changes(scene: Scene) -> None:
    await scene.code("P10", promo(percent=10))
    await scene.outcome(PERSON, "p10")
    await scene.run(
        lambda connection: rewards.patch_code(
            connection, "p10", {"percent": 50, "active": False}, acting=OPERATOR
        )
    )
    await scene.pays(PERSON, 100)
    assert await scene.balance(PERSON) == 110
