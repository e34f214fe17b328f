"""Promo codes as operators make, change and read them; and the one form of all spellings."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamyon.rewards import service as rewards
from hamyon.rewards.errors import InvalidPromoCode, PromoCodeNotFound, PromoCodeTaken
from hamyon.rewards.service.codes import normalized
from hamyon.rewards.types import PromoCode, PromoTerms
from hamyon.users.service import audit
from tests.rewards.conftest import OPERATOR, Scene, promo

MOMENT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("welcome", "WELCOME"),
        ("  We L\tco\nme ", "WELCOME"),
        ("WEL\u00a0COME", "WELCOME"),  # a space that does not break
        ("wel\u200bcome\ufeff", "WELCOME"),  # spaces of no width
        ("wel\u00adcome", "WELCOME"),  # a hyphen that is not shown
        ("ｗｅｌｃｏｍｅ２６", "WELCOME26"),  # full width
        ("ﬁnal", "FINAL"),  # one sign for two letters
        ("straße", "STRASSE"),
        ("STRASSE", "STRASSE"),
        ("привет", "ПРИВЕТ"),
        ("cafe\u0301", "CAFÉ"),
        ("CAFÉ", "CAFÉ"),
        ("οδος", "ΟΔΟΣ"),
        ("ΟΔΟΣ", "ΟΔΟΣ"),
        ("①②", "12"),
        ("a-b_c", "A-B_C"),
        ("U\x7f\u0304", "\u016a"),  # neighbours join where something between them is left out
        (" \u3000 ", ""),
    ],
)
def test_every_spelling_has_one_form(typed: str, code: str) -> None:
    assert normalized(typed) == code


@given(st.text(st.characters() | st.sampled_from("aIıİß \u0301\u0345\u00a8\u200b"), max_size=20))
def test_the_form_of_a_form_is_itself(typed: str) -> None:
    once = normalized(typed)
    assert normalized(once) == once
    assert normalized(f" {typed} ") == once
    assert not any(sign.isspace() or unicodedata.category(sign) == "Cc" for sign in once)


async def create(scene: Scene, shown: str, terms: PromoTerms) -> PromoCode:
    return await scene.run(
        lambda connection: rewards.create_code(
            connection, shown, terms, acting=OPERATOR, now=scene.clock.now()
        )
    )


async def change(scene: Scene, typed: str, **changes: object) -> PromoCode:
    return await scene.run(
        lambda connection: rewards.patch_code(
            connection, typed, changes, acting=OPERATOR, reason="a test"
        )
    )


async def test_one_code_whatever_its_spelling(scene: Scene) -> None:
    made = await create(scene, " Yangi  yil ", promo(5))
    assert (made.code, made.shown, made.uses) == ("YANGIYIL", "Yangi yil", 0)
    for again in ("YANGIYIL", "yangi yil", "ｙangiyil"):
        with pytest.raises(PromoCodeTaken):
            await create(scene, again, promo(6))
    assert (await change(scene, "yAnGi yIl", amount=7)).terms.amount == 7


@pytest.mark.parametrize("shown", ["", "  ", "\u200b", "a/b", "50%", "a.b", "x" * 65, "🎁", "a:b"])
async def test_what_makes_no_code(scene: Scene, shown: str) -> None:
    with pytest.raises(InvalidPromoCode):
        await create(scene, shown, promo(5))


@pytest.mark.parametrize(
    "terms",
    [
        promo(None),
        promo(5, asset=None),
        promo(5, asset="USD"),
        promo(5, asset="RUB"),
        promo(0),
        promo(-5),
        promo(2**53),
        promo(percent=0),
        promo(percent=1001),
        PromoTerms("credit", 5, 10, None, 1, None, None, None, active=True),
        promo(total_limit=0),
        promo(per_user_limit=0),
        promo(per_user_limit=2**31),
        promo(products=[]),
        promo(valid_from=MOMENT, valid_until=MOMENT),
    ],
)
async def test_terms_that_make_no_sense(scene: Scene, terms: PromoTerms) -> None:
    with pytest.raises(InvalidPromoCode):
        await create(scene, "CODE", terms)
    assert await scene.pool.fetchval("SELECT count(*) FROM promo_codes") == 0


async def test_changes_are_checked_and_written_down(scene: Scene) -> None:
    await scene.person(1)
    await scene.person(2)
    await create(scene, "CODE", promo(5, total_limit=10, products=["images"]))
    for user_id in (1, 2):
        assert await scene.outcome(user_id, "code", product="images") == "ok"
    with pytest.raises(InvalidPromoCode):
        await change(scene, "code", total_limit=1)
    with pytest.raises(InvalidPromoCode):
        await change(scene, "code", percent=10)
    with pytest.raises(PromoCodeNotFound):
        await change(scene, "codes", active=False)
    changed = await change(scene, "code", total_limit=2, products=None, active=False)
    assert (changed.uses, changed.terms) == (2, promo(5, total_limit=2, active=False))
    assert (await change(scene, "code", total_limit=None)).terms.total_limit is None

    acts, _ = await audit.acts(scene.pool, subject="promo_code:CODE", limit=10)
    assert [recorded.act.action for recorded in acts] == [
        "promo_code.change", "promo_code.change", "promo_code.create",
    ]  # fmt: skip
    act = acts[1].act
    assert (act.actor, act.reason) == ("user:900", "a test")
    assert isinstance(act.before, dict)
    assert isinstance(act.after, dict)
    assert (act.before["total_limit"], act.after["total_limit"]) == (10, 2)
    assert (act.before["products"], act.after["products"]) == (["images"], None)


async def test_a_lowered_limit_of_a_person_leaves_old_uses_alone(scene: Scene) -> None:
    await scene.person(1)
    await create(scene, "CODE", promo(5, per_user_limit=3))
    assert [await scene.outcome(1, "code") for _ in range(2)] == ["ok", "ok"]
    await change(scene, "code", per_user_limit=1)
    assert await scene.outcome(1, "code") == "promo_code_already_used"


async def test_pages_of_codes_and_uses_show_everything_once(scene: Scene) -> None:
    for number in range(5):
        await create(scene, f"CODE{number}", promo(5))
        await scene.person(10 + number)
        assert await scene.outcome(10 + number, "code0") == "ok"
    seen: list[str] = []
    before = None
    for _ in range(3):
        page, before = await rewards.codes(scene.pool, before=before, limit=2)
        seen += [code.code for code in page]
    assert (seen, before) == (["CODE4", "CODE3", "CODE2", "CODE1", "CODE0"], None)

    users: list[int] = []
    before_id = None
    for _ in range(3):
        uses, before_id = await rewards.uses(scene.pool, "code 0", before_id=before_id, limit=2)
        users += [use.user_id for use in uses]
    assert (users, before_id) == ([14, 13, 12, 11, 10], None)
    assert await rewards.uses(scene.pool, "CODE1", before_id=None, limit=2) == ([], None)
    with pytest.raises(PromoCodeNotFound):
        await rewards.uses(scene.pool, "CODE9", before_id=None, limit=2)
