"""Buying in the chat: Stars by preset and by number, packages in roubles, and where nothing is
sold. Each one is paid at the vendor's page and arrives."""

from __future__ import annotations

import pytest

from hamyon.kit.db import in_transaction
from hamyon.rewards import service as rewards
from hamyon.surfaces.bot.flows.topup import stars_of
from tests.bot.conftest import OpenTown
from tests.bot.customers import Customers
from tests.bot.talk import Talk, Town, buttons
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually

PERSON = 777
WORDS = {
    "en": ("70 ⭐ bring 1,000 credits", "You get: 2,000 credits", "Pay 140"),
    "ru": (
        "За 70 ⭐ вы получаете 1\u00a0000 кредитов",
        "получите: 2\u00a0000 кредитов",
        "Оплатить",
    ),
    "uz": ("70 ⭐ evaziga 1\u00a0000 kredit", "olasiz: 2\u00a0000 kredit", "140\u00a0⭐ toʻlash"),
}


async def pay_link(person: Talk, label: str) -> str:
    """The link of a button on the newest screen."""

    async def look() -> str | None:
        await person.look()
        for message in reversed(person.news()):
            for button in buttons(message):
                if label in button["text"] and "url" in button:
                    return str(button["url"])
        return None

    return str(await eventually(look, patience_s=20))


async def payments(people: Town) -> int:
    return int(await people.service.pool.fetchval("SELECT count(*) FROM payments"))


@pytest.mark.parametrize("language", WORDS)
async def test_a_preset_becomes_an_invoice_and_credits(town: OpenTown, language: str) -> None:
    people = await town()
    customers = Customers(people.service, people.sandbox)
    rate, promise, pay = WORDS[language]
    anna = await people.person(PERSON, language=language)
    await anna.say("/topup")
    await anna.hears(rate)
    await anna.press("140 ⭐")
    await anna.hears(promise)
    paid = await customers.click(await pay_link(anna, pay), PERSON)
    assert paid.error is None
    await customers.has(PERSON, 2000)


async def test_one_press_that_comes_three_times_is_one_payment(town: OpenTown) -> None:
    people = await town()
    await people.sandbox.vendor_settings("telegram", updates={"copies": 3})
    anna = await people.person(PERSON)
    await anna.say("/topup")
    await anna.press("70 ⭐")
    await anna.hears("You get: 1,000 credits")
    await Customers(people.service, people.sandbox).nothing_waits()
    assert await payments(people) == 1


async def test_a_press_that_broke_off_makes_no_second_payment(
    town: OpenTown, sandbox: Sandbox
) -> None:
    """Telegram is away when the screen should be shown: the update comes again."""
    people = await town()
    anna = await people.person(PERSON)
    await anna.say("/topup")
    await anna.hears("bring")
    await sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "editMessageText", "times": 1},
            "fault": {"kind": "status", "status": 502},
        }
    )
    await anna.press("70 ⭐")
    await anna.hears("You get: 1,000 credits")
    assert await payments(people) == 1
    attempts = await people.service.pool.fetchval("SELECT max(attempts) FROM bot_updates")
    assert attempts == 2


async def test_another_number_is_asked_for_and_nonsense_is_answered(town: OpenTown) -> None:
    people = await town()
    customers = Customers(people.service, people.sandbox)
    anna = await people.person(PERSON)
    await anna.say("/topup")
    await anna.press("Another number")
    await anna.hears("Send a number from 70 to 10,000")
    for nonsense in ("many", "69", "10001", "70 or 80", "-100", "a 100 year old castle", "9" * 400):
        await anna.say(nonsense)
        await anna.hears("did not quite get that")
    assert await payments(people) == 0
    await anna.say(" 1 234 ")
    shown = await anna.hears("You get: 17,628 credits")
    assert "Price: 1,234\u00a0⭐" in shown["text"]
    paid = await customers.click(await pay_link(anna, "Pay"), PERSON)
    assert paid.error is None
    await customers.has(PERSON, 17_628)
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None


@pytest.mark.parametrize(
    ("said", "stars"),
    [
        ("70", 70),
        ("1 000", 1000),
        ("1,000", 1000),
        ("1\u00a0000", 1000),
        (" 10\u202f000 ", 10_000),
        ("a 100 year old castle", None),
        ("100 Stars", None),
        ("7 0", None),
        ("1 0000", None),
        ("0", 0),
        ("7.5", None),
        ("70 80", None),
        ("-70", None),
        ("", None),
        ("٧٠", None),
        ("9" * 13, None),
    ],
)
def test_which_numbers_are_understood(said: str, stars: int | None) -> None:
    assert stars_of(said) == stars


async def test_a_package_is_paid_in_roubles_and_arrives_with_its_bonus(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(PERSON, language="ru")
    await anna.say("/topup")
    await anna.press("Пакеты кредитов")
    listed = await anna.hears("Выберите пакет")
    assert [one["text"] for one in buttons(listed)][:3] == [
        "1000 кредитов — 149\u00a0₽",
        "5000 кредитов + 250 — 699\u00a0₽",
        "10 000 кредитов + 1\u00a0000 — 1\u00a0299\u00a0₽",
    ]
    await anna.press("5000 кредитов")
    await anna.hears("Вы получите: 5\u00a0250 кредитов")
    await people.sandbox.pay(await pay_link(anna, "Оплатить 699"))
    await people.service.as_owner("UPDATE payments SET check_at = now()")
    await Customers(people.service, people.sandbox).has(PERSON, 5250)


async def test_the_discount_for_revivals_is_in_the_prices_and_in_the_payment(
    town: OpenTown,
) -> None:
    people = await town()
    await people.service.person(PERSON)
    await in_transaction(people.service.pool, rewards.offer_discount, PERSON, "drawings", 20)
    anna = await people.person(PERSON)
    await anna.say("/topup")
    await anna.press("Packages of revivals")
    listed = await anna.hears("discount of 20%")
    assert "5 revivals — 80\u00a0⭐" in [one["text"] for one in buttons(listed)]
    await anna.press("5 revivals — 80")
    await anna.hears("Price: 80\u00a0⭐")
    customers = Customers(people.service, people.sandbox)
    assert (await customers.click(await pay_link(anna, "Pay"), PERSON)).error is None

    async def arrived() -> bool:
        answer = await people.service.api.call("GET", f"/users/{PERSON}/balance?asset=revival")
        return bool(answer.body["balance"] == 5)

    await eventually(arrived)
    await anna.press("Top up")
    await anna.press("Packages of revivals")
    assert "discount" not in (await anna.hears("Choose one"))["text"]


async def test_a_package_that_is_gone_says_so(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(PERSON)
    await anna.say("/topup")
    await anna.press("Packages of credits")
    await anna.hears("Choose one")
    await people.service.as_owner("UPDATE packages SET active = false")
    await anna.press("1000 credits")
    await anna.toast("not for sale now")
    assert await payments(people) == 0


async def test_where_nothing_is_set_up_nothing_is_promised(town: OpenTown) -> None:
    people = await town(stars_enabled=False, yookassa_shop_id=None, yookassa_secret_key=None)
    anna = await people.person(PERSON)
    await anna.say("/topup")
    shown = await anna.hears("Nothing can be bought here at the moment")
    assert [one["text"] for one in buttons(shown)] == ["🎟 Promo code", "☰ Menu"]


async def test_what_is_not_mounted_is_not_sold(town: OpenTown) -> None:
    people = await town(products=("images",))
    anna = await people.person(PERSON)
    await anna.say("/topup")
    shown = await anna.hears("Top up")
    texts = [one["text"] for one in buttons(shown)]
    assert "📦 Packages of credits" in texts
    assert "📦 Packages of revivals" not in texts


async def test_somebody_elses_question_is_not_an_amount(town: OpenTown) -> None:
    """A number counts as Stars only for who was asked for it."""
    people = await town()
    anna, bob = await people.person(PERSON), await people.person(5)
    await anna.say("/topup")
    await anna.press("Another number")
    await anna.hears("Send a number")
    await bob.say("/balance")
    await bob.hears("Available")
    await bob.say("100")
    await anna.say("100")
    await anna.hears("You get: 1,428 credits")
    owners = await people.service.pool.fetch("SELECT user_id FROM payments")
    assert [row["user_id"] for row in owners] == [PERSON]
