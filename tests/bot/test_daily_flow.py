"""The daily bonus in the chat: the streak, the gift, and when the next one comes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hamyon.kit.db import in_transaction
from hamyon.rewards import service as rewards
from tests.bot.conftest import OpenTown
from tests.bot.talk import Town, buttons

PERSON = 777
DONE, OPEN = "✅", "▫️"
WORDS = {
    "en": ("waits for you: 1 revival.", "🎁 Get", "You get 1 revival. Available now: 2 revivals"),
    "ru": ("ждёт вас: 1 оживашка.", "🎁 Забрать", "1 оживашка. Теперь доступно: 2 оживашки"),
    "uz": ("kutyapti: 1 jonlantirish.", "🎁 Bonusni", "1 jonlantirish berildi. Endi mavjud: 2"),
}
NEXT = {
    "en": r"comes tomorrow at 00:00, in 1[12] hours( \d+ minutes?)?\.",
    "ru": r"завтра в 00:00, через 1[12] часов( \d+ минут[уы]?)?\.",
    "uz": r"ertaga soat 00:00 da, 1[12] soat( \d+ daqiqa)?dan keyin\.",
}


def noon_zone() -> str:
    """A zone where it is about noon now, so that no midnight falls into a test."""
    offset = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-offset:+d}"


async def claimed_before(people: Town, days: int) -> None:
    """Somebody came on each of so many days before today."""
    settings, now = people.service.settings, datetime.now(UTC)
    for ago in range(days, 0, -1):
        await in_transaction(
            people.service.pool,
            rewards.claim_daily,
            PERSON,
            "drawings",
            "revival",
            settings.drawings_daily_revivals,
            settings.zone,
            now - timedelta(days=ago),
        )


@pytest.mark.parametrize("language", WORDS)
async def test_a_bonus_is_there_once_a_day(town: OpenTown, language: str) -> None:
    people = await town(timezone=noon_zone())
    waits, button, given = WORDS[language]
    anna = await people.person(PERSON, language=language)
    await anna.say("/daily")
    assert OPEN * 7 in (await anna.hears(waits))["text"]
    await anna.press(button)
    shown = await anna.hears(given)
    assert DONE + OPEN * 6 in shown["text"]
    assert re.search(NEXT[language], shown["text"]), shown["text"]
    assert not [one for one in buttons(shown) if button in one["text"]]
    answer = await people.service.api.call("GET", f"/users/{PERSON}/balance?asset=revival")
    assert answer.body["balance"] == 2  # one of them is the welcome gift of drawings


async def test_two_presses_of_one_button_give_once(town: OpenTown) -> None:
    people = await town(timezone=noon_zone())
    anna = await people.person(PERSON)
    await anna.say("/daily")
    first = await anna.hears("waits for you")
    (data,) = [one["callback_data"] for one in buttons(first) if "Get" in one["text"]]
    press = {"message_id": first["message_id"], "data": data}
    await anna._post("press", json=press)
    await anna._post("press", json=press)
    await anna.hears("Today's bonus is yours")
    answer = await people.service.api.call("GET", f"/users/{PERSON}/ledger?asset=revival")
    assert sorted(one["kind"] for one in answer.body["items"]) == ["daily_bonus", "welcome"]


@pytest.mark.parametrize("is_known", [False, True])
async def test_drawings_welcome_somebody_once(town: OpenTown, is_known: bool) -> None:
    people = await town(timezone=noon_zone())
    if is_known:
        at_root = replace(people.service.api, prefix="")
        answer = await at_root.call("POST", "/users", {"chat_id": PERSON})
        assert answer.status == 201, answer.body
    anna = await people.person(PERSON)
    await anna.say("/start")
    await anna.press("Daily bonus")
    await anna.press("Get the bonus")
    shown = (await anna.hears("You get 1 revival. Available now: 2 revivals"))["text"]
    assert ("welcome gift for your first visit: 1 revival" in shown) is not is_known


@pytest.mark.parametrize(
    ("before", "row", "promise"),
    [
        (0, OPEN * 7, "Come every day"),
        (1, DONE + OPEN * 6, "1 day in a row"),
        (6, DONE * 6 + OPEN, "waits for you: 2 revivals."),
        (7, OPEN * 7, "7 days in a row"),
    ],
)
async def test_the_row_shows_the_streak(
    town: OpenTown, before: int, row: str, promise: str
) -> None:
    people = await town(timezone=noon_zone())
    await people.service.person(PERSON)
    await claimed_before(people, before)
    anna = await people.person(PERSON)
    await anna.say("/daily")
    shown = (await anna.hears("Daily bonus"))["text"]
    assert row in shown.splitlines()
    assert promise in shown


async def test_the_seventh_day_fills_the_row(town: OpenTown) -> None:
    people = await town(timezone=noon_zone())
    await people.service.person(PERSON)
    await claimed_before(people, 6)
    anna = await people.person(PERSON)
    await anna.say("/daily")
    await anna.press("Get the bonus")
    shown = (await anna.hears("You get 2 revivals"))["text"]
    assert DONE * 7 in shown.splitlines()
    assert "The next one, 1 revival, comes" in shown
