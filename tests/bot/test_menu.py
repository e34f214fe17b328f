"""Coming in: the greeting, its language, who invited, the menu, and a second delivery of the same
update."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bot.conftest import OpenTown
from tests.bot.customers import Customers
from tests.bot.talk import buttons

GREETINGS = {"en": "Hello, Anna", "ru": "Здравствуйте, Anna", "uz": "Salom, Anna"}
GIFTS = {
    "en": "next picture is free",
    "ru": "Следующая картинка — бесплатно",
    "uz": "Keyingi suratingiz bepul",
}
MENUS = {"en": "☰ Menu", "ru": "☰ Меню", "uz": "☰ Menyu"}
HELPS = {"en": ("❓ Help", "How it works"), "ru": ("❓ Помощь", "Как это работает")}
HELPS["uz"] = ("❓ Yordam", "Bu qanday ishlaydi")
UNKNOWN = {"en": "do not know", "ru": "не знаю", "uz": "bilmayman"}


def labels(message: dict[str, Any]) -> list[str]:
    """What stands on the message's buttons."""
    return [button["text"] for button in buttons(message)]


@pytest.mark.parametrize("language", GREETINGS)
async def test_it_speaks_the_language_of_telegram_at_first_contact(
    town: OpenTown, language: str
) -> None:
    people = await town()
    anna = await people.person(777, language=f"{language}-XX")
    await anna.say("/start")
    greeting = await anna.hears(GREETINGS[language])
    assert GIFTS[language] in greeting["text"]
    assert len(buttons(greeting)) == 9
    button, words = HELPS[language]
    await anna.press(button)
    assert "/terms" in (await anna.hears(words))["text"]
    await anna.press(MENUS[language])
    await anna.hears("/history")
    await anna.say("/nothing_of_ours and more")
    assert "/help" in (await anna.hears(UNKNOWN[language]))["text"]
    await anna.say("/start")
    assert "Anna" in str(await anna.hears("Anna"))


async def test_a_name_is_text_and_no_html(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777, first_name="<b>Anna & co</b>")
    await anna.say("/start")
    message = await anna.hears("<b>Anna & co</b>")
    assert message.get("entities") is None


async def test_who_comes_by_a_link_was_invited_once_and_for_ever(town: OpenTown) -> None:
    people = await town()
    inviter, other, guest = [
        await people.person(user_id, first_name=f"Person{user_id}") for user_id in (5, 6, 777)
    ]
    await inviter.say("/start")
    assert "friend" not in (await inviter.hears("Hello"))["text"]
    await other.say("/start")
    await other.hears("Hello")
    await guest.say("/start ref_5")
    greeting = await guest.hears("A friend has invited you")
    assert "Person5" not in greeting["text"]
    await guest.say("/start ref_6")
    assert "friend" not in (await guest.hears("Good to see you"))["text"]
    answer = await people.service.api.call("GET", "/referrals/5")
    assert answer.body["invited_count"] == 1
    answer = await people.service.api.call("GET", "/referrals/6")
    assert answer.body["invited_count"] == 0


async def test_a_source_is_kept_of_the_first_visit(town: OpenTown) -> None:
    people = await town()
    guest = await people.person(777)
    await guest.say("/start src_spring")
    await guest.hears("Hello")
    await guest.say("/start src_autumn")
    await guest.hears("Good to see you")
    source = await people.service.pool.fetchval("SELECT advertising_source FROM users")
    assert source == "src_spring"


async def test_a_blocked_person_is_told_so_and_no_more(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    blocked = await people.service.api.call(
        "POST", "/admin/users/777/block", {"reason": "spam"}, admin=True
    )
    assert blocked.status == 200, blocked.body
    await anna.say("/help")
    await anna.hears("This account is closed")


async def test_an_update_that_comes_twice_is_answered_once(town: OpenTown) -> None:
    people = await town()
    await people.sandbox.vendor_settings("telegram", updates={"copies": 3})
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    await anna.say("/help")
    await anna.hears("How it works")
    await anna.look()
    assert len([one for one in anna.screen.values() if one["from"]["is_bot"]]) == 2


async def test_nothing_is_promised_that_is_not_there(town: OpenTown) -> None:
    people = await town(products=("images",), trial_generations_limit=0)
    anna = await people.person(777)
    await anna.say("/start")
    greeting = await anna.hears("Hello")
    assert "free" not in greeting["text"]
    assert not [label for label in labels(greeting) if "Daily" in label]
    await anna.say("/daily")
    await anna.hears("do not know this command")
    await anna.say("/terms")
    await anna.hears("Credits are set aside")
    await anna.say("/menu")
    await anna.press("Make a picture")
    assert "free" not in (await anna.hears("a fox reading a book"))["text"]


async def test_a_question_is_dropped_by_the_menu_and_by_cancel(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/promo")
    await anna.press("Menu")
    await anna.hears("Choose a section")
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    await anna.say("/promo")
    await anna.hears("Send me your promo code")
    await anna.say("/cancel")
    await anna.hears("Fine, forgotten")
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None


async def test_a_button_of_another_time_is_answered(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    old = {"inline_keyboard": [[{"text": "Old", "callback_data": "go:a-place-of-before"}]]}
    sent = await Customers(people.service, people.sandbox).call(
        "sendMessage", chat_id=777, text="Of before", reply_markup=old
    )
    assert sent["ok"], sent
    await anna.press("Old")
    await anna.hears("does not work any more")


async def test_who_is_too_fast_is_told_once(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    for _ in range(30):
        await anna.say("/help")
    await anna.hears("That was a lot at once")
    await anna.look()
    told = [one for one in anna.screen.values() if "a lot at once" in one.get("text", "")]
    assert len(told) == 1
    answered = [one for one in anna.screen.values() if "How it works" in one.get("text", "")]
    assert 20 <= len(answered) < 30


async def test_a_refused_press_is_answered_once(town: OpenTown) -> None:
    """The refusal is the press's answer; nothing goes wrong because of it."""
    people = await town()
    anna = await people.person(777)
    await anna.say("/topup")
    await anna.hears("Choose how you would like to pay")
    match = {"vendor": "telegram", "operation": "createInvoiceLink"}
    await people.sandbox.fault("status", match, status=400)
    await anna.press("70 ⭐")
    await anna.toast("could not be opened")
    await people.sandbox.clear_faults()
    await anna.say("/help")
    await anna.hears("How it works")
    assert not any("went wrong" in one.get("text", "") for one in anna.screen.values())
