"""The profile, the language and what somebody wants to hear of; and what to do when a payment is
missing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.bot.conftest import OpenTown
from tests.bot.customers import Customers
from tests.bot.talk import Talk, buttons

PERSON = 777
ABOUT = {
    "en": ("Number: 777", "Language: English", "Pictures made: 0."),
    "ru": ("Номер: 777", "Язык: Русский", "Создано картинок: 0."),
    "uz": ("Raqam: 777", "Til: Oʻzbekcha", "Yasalgan suratlar: 0."),
}
MISSING = {
    "en": ("Payment questions", "paid ✅", "waits for payment"),
    "ru": ("Вопросы по оплате", "оплачен ✅", "ждёт оплаты"),
    "uz": ("Toʻlov savollari", "toʻlangan ✅", "toʻlov kutilmoqda"),
}


async def commands(person: Talk) -> list[dict[str, Any]]:
    """What Telegram offers this person to type."""
    async with person.session.get(f"{person.url}/state") as answer:
        told = await answer.json()
    offered: list[dict[str, Any]] = told["bot"]["commands"]
    return offered


@pytest.mark.parametrize("language", ABOUT)
async def test_a_profile_says_who_one_is(town: OpenTown, language: str) -> None:
    people = await town()
    anna = await people.person(PERSON, language=language, first_name="A<nna", last_name="B&b")
    await anna.say("/profile")
    shown = (await anna.hears("👤 A<nna B&b"))["text"]
    assert [line for line in ABOUT[language] if line not in shown] == []
    assert "ref_777" in shown
    assert re.search(r"\b20\d\d\b", shown)


async def test_pictures_are_counted_when_they_were_made(town: OpenTown) -> None:
    people = await town()
    await people.service.person(PERSON, 1000)
    for _ in range(2):
        order_id = await people.service.api.ordered(PERSON)
        await people.service.api.ended(PERSON, order_id)
    anna = await people.person(PERSON)
    await anna.say("/profile")
    await anna.hears("Pictures made: 2.")


async def test_a_language_is_chosen_once_and_for_ever(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(PERSON, language="en")
    await anna.say("/language")
    asked = await anna.hears("Which language")
    names = ["Oʻzbekcha", "Русский", "English ✓"]
    assert [one["text"] for one in buttons(asked)][:3] == names
    await anna.press("Русский")
    await anna.hears("теперь я говорю по-русски")
    offered = {one["command"]: one["description"] for one in await commands(anna)}
    assert offered["balance"] == "Ваш баланс"
    await anna.say("/balance")
    await anna.hears("Доступно")
    # Telegram still says English with each update; what was chosen stands.
    await anna.say("/language")
    await anna.press("Oʻzbekcha")
    await anna.hears("endi oʻzbekcha gaplashaman")
    await anna.say("/balance")
    await anna.hears("Mavjud")


async def test_a_language_is_chosen_even_when_commands_cannot_be_told(town: OpenTown) -> None:
    people = await town()
    await people.sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "setMyCommands"},
            "fault": {"kind": "status", "status": 500},
        }
    )
    anna = await people.person(PERSON)
    await anna.say("/language")
    await anna.press("Русский")
    await anna.hears("теперь я говорю по-русски")
    await anna.say("/profile")
    await anna.hears("Язык: Русский")
    assert await people.service.pool.fetchval("SELECT max(attempts) FROM bot_updates") == 1


async def test_notifications_are_switched_one_by_one(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(PERSON)
    await anna.say("/profile")
    await anna.press("Notifications")
    shown = await anna.hears("what I may write to you about")
    assert [one["text"] for one in buttons(shown)][:3] == ["🔔 Payments", "🔔 Bonuses", "🔔 News"]
    await anna.press("🔔 News")
    changed = await anna.hears("what I may write to you about")
    assert [one["text"] for one in buttons(changed)][:3] == ["🔔 Payments", "🔔 Bonuses", "🔕 News"]
    stored = await people.service.pool.fetch("SELECT topic, enabled FROM notification_preferences")
    assert [tuple(row) for row in stored] == [("news", False)]
    await anna.press("🔕 News")
    changed = await anna.hears("what I may write to you about")
    assert "🔔 News" in [one["text"] for one in buttons(changed)]


async def test_topics_of_operators_are_not_for_people(town: OpenTown) -> None:
    """Neither on the buttons, nor behind a button that somebody made up."""
    people = await town()
    anna = await people.person(PERSON)
    await anna.say("/notifications")
    shown = await anna.hears("what I may write to you about")
    assert len(buttons(shown)) == 5
    made_up = {"inline_keyboard": [[{"text": "X", "callback_data": "ntf:operator_audit:0"}]]}
    customers = Customers(people.service, people.sandbox)
    await customers.call("sendMessage", chat_id=PERSON, text="Made up", reply_markup=made_up)
    await anna.press("X")
    await anna.hears("what I may write to you about")
    assert await people.service.pool.fetchval("SELECT count(*) FROM notification_preferences") == 0


@pytest.mark.parametrize("language", MISSING)
async def test_paysupport_shows_the_last_payments_and_the_way_to_people(
    town: OpenTown, language: str
) -> None:
    people = await town()
    customers = Customers(people.service, people.sandbox)
    title, paid, waits = MISSING[language]
    anna = await people.person(PERSON, language=language)
    await anna.say("/paysupport")
    shown = (await anna.hears(title))["text"]
    assert paid not in shown
    await customers.invoice(PERSON, 70)
    await customers.bought(PERSON, 140)
    await customers.has(PERSON, 2000)
    await anna.say("/paysupport")
    shown = await anna.hears(paid)
    lines = [line for line in shown["text"].splitlines() if "⭐" in line]
    assert [waits in line for line in lines] == [False, True]
    assert "140\u00a0⭐" in lines[0]
    assert [one for one in buttons(shown) if one.get("callback_data", "").startswith("sup")]
