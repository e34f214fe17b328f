"""Promo codes in the chat: what they give, and every reason for which they do not."""

from __future__ import annotations

import pytest

from tests.bot.conftest import OpenTown
from tests.bot.customers import Customers
from tests.bot.talk import Town
from tests.fixtures.service import eventually

PERSON = 777
WORDS = {
    "en": ("Promo code", "Capital letters", "you get 50 credits. Available now: 50"),
    "ru": ("Промокод", "Заглавные буквы", "Начислено: 50 кредитов. Теперь доступно: 50"),
    "uz": ("Promokod", "Bosh harf", "sizga 50 kredit. Endi mavjud: 50"),
}


async def code(people: Town, name: str, **terms: object) -> None:
    """A code that gives 50 credits, unless its terms say otherwise."""
    given = {"asset": "credit", "amount": 50} if "percent" not in terms else {}
    body = {"code": name, **given, **terms}
    answer = await people.service.api.call("POST", "/admin/promo_codes", body, admin=True)
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("language", WORDS)
async def test_a_code_is_asked_for_and_gives(town: OpenTown, language: str) -> None:
    people = await town()
    await code(people, "Spring 2026")
    door, question, gift = WORDS[language]
    anna = await people.person(PERSON, language=language)
    await anna.say("/topup")
    await anna.press(door)
    await anna.hears(question)
    await anna.say(" spring2026 ")
    await anna.hears(gift)

    async def is_answered() -> bool:
        # It is said first: a text that came again for another reason must not become a wish.
        return await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None

    await eventually(is_answered)
    assert await people.service.api.balance(PERSON) == (50, 0)


async def test_every_refusal_has_its_sentence_and_the_question_stays(town: OpenTown) -> None:
    people = await town()
    await code(people, "ONCE")
    await code(people, "GONE", total_limit=1)
    await code(people, "OLD", until="2020-01-01T00:00:00Z")
    await code(people, "ELSEWHERE", products=["portraits"])
    bob = await people.person(5)
    await bob.say("/promo GONE")
    await bob.hears("you get 50 credits")
    anna = await people.person(PERSON)
    await anna.say("/promo ONCE")
    await anna.hears("you get 50 credits")
    await anna.say("/promo")
    await anna.hears("Send me your promo code")
    for said, answer in (
        ("ONCE", "already used"),
        ("GONE", "used up"),
        ("OLD", "not valid now"),
        ("ELSEWHERE", "another service"),
        ("NONSENSE <b>", "no such promo code"),
    ):
        await anna.say(said)
        await anna.hears(answer)
    assert await people.service.api.balance(PERSON) == (50, 0)


async def test_five_wrong_codes_close_the_question(town: OpenTown) -> None:
    people = await town()
    await code(people, "RIGHT")
    anna = await people.person(PERSON)
    await anna.say("/promo wrong")
    await anna.hears("no such promo code")
    for number in range(4):
        await anna.say(f"wrong {number}")
        await anna.hears("no such promo code")
    await anna.say("RIGHT")
    await anna.hears("Too many wrong codes. Please try again in 1 hour")
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    await anna.say("/promo RIGHT")
    await anna.hears("Too many wrong codes")
    await people.service.as_owner("UPDATE promo_guards SET blocked_until = now()")
    await anna.say("/promo RIGHT")
    await anna.hears("you get 50 credits")


async def test_a_code_for_another_mounted_product_works_here_too(town: OpenTown) -> None:
    people = await town()
    await code(people, "DRAW", asset="revival", amount=2, products=["drawings"])
    anna = await people.person(PERSON)
    await anna.say("/promo draw")
    await anna.hears("you get 2 revivals. Available now: 2 revivals")


async def test_a_percentage_waits_for_the_next_payment(town: OpenTown) -> None:
    people = await town()
    await code(people, "MORE", percent=20)
    anna = await people.person(PERSON)
    await anna.say("/promo more")
    await anna.hears("your next top-up brings 20% more")
    customers = Customers(people.service, people.sandbox)
    await customers.bought(PERSON)
    await customers.has(PERSON, 1200)


@pytest.mark.parametrize("products", [["images"], ["drawings"]])
async def test_a_message_that_comes_again_redeems_once(town: OpenTown, products: list[str]) -> None:
    """The answer is lost on its way, so the update is handled anew."""
    people = await town()
    await code(people, "TWICE", per_user_limit=2, products=products)
    await people.sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "sendMessage", "times": 1},
            "fault": {"kind": "status", "status": 502},
        }
    )
    anna = await people.person(PERSON)
    await anna.say("/promo twice")
    await anna.hears("you get 50 credits. Available now: 50")
    assert await people.service.pool.fetchval("SELECT max(attempts) FROM bot_updates") == 2
    assert await people.service.api.balance(PERSON) == (50, 0)
    await anna.say("/promo twice")
    await anna.hears("Available now: 100 credits")


async def test_a_wrong_code_counts_once_however_often_its_answer_is_lost(town: OpenTown) -> None:
    people = await town()
    await people.sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "sendMessage", "times": 3},
            "fault": {"kind": "status", "status": 502},
        }
    )
    anna = await people.person(PERSON)
    await anna.say("/promo wrong")
    await anna.hears("no such promo code")
    assert await people.service.pool.fetchval("SELECT max(attempts) FROM bot_updates") == 4
    assert await people.service.pool.fetchval("SELECT cardinality(wrong_at) FROM promo_guards") == 1
    await anna.say("wrong again")
    await anna.hears("no such promo code")
    assert await people.service.pool.fetchval("SELECT cardinality(wrong_at) FROM promo_guards") == 2


async def test_a_wish_is_no_wrong_code(town: OpenTown) -> None:
    people = await town()
    await code(people, "SPRING")
    anna = await people.person(PERSON)
    await anna.say("/promo")
    await anna.hears("/cancel leaves")
    for said in ("a red fox in snow", "x" * 65, "/promo a red fox in snow"):
        await anna.say(said)
        await anna.hears("does not look like a promo code")
    assert await people.service.pool.fetchval("SELECT count(*) FROM promo_guards") == 0
    await anna.say("spr in g")
    await anna.hears("you get 50 credits")
