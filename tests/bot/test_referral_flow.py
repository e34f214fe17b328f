"""Inviting friends in the chat: the link, what it brought, and the rules as they are set."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.bot.conftest import OpenTown
from tests.bot.customers import Customers
from tests.bot.talk import buttons

PERSON, FRIEND = 777, 778
WORDS = {
    "en": ("Invited: 1\nOf them paid: 1\nEarned: 100 credits", "Look, this bot"),
    "ru": ("Приглашено: 1\nИз них оплатили: 1\nЗаработано: 100 кредитов", "Смотри, этот бот"),
    "uz": ("Taklif qilinganlar: 1\nUlardan toʻlaganlari: 1\nTopganingiz: 100 kredit", "Qara, bu"),
}


@pytest.mark.parametrize("language", WORDS)
async def test_a_link_brings_a_friend_and_his_payment_a_bonus(
    town: OpenTown, language: str
) -> None:
    people = await town()
    counts, invitation = WORDS[language]
    anna = await people.person(PERSON, language=language)
    await anna.say("/referral")
    link = f"https://t.me/hamyon_sandbox_bot?start=ref_{PERSON}"
    shown = await anna.hears(link)
    (share,) = [one["url"] for one in buttons(shown) if "url" in one]
    query = parse_qs(urlsplit(share).query)
    assert query["url"] == [link]
    assert query["text"][0].startswith(invitation)
    friend = await people.person(FRIEND)
    await friend.say(f"/start ref_{PERSON}")
    await friend.hears("A friend has invited you")
    customers = Customers(people.service, people.sandbox)
    await customers.bought(FRIEND)
    await customers.has(PERSON, 100)
    await anna.say("/referral")
    await anna.hears(counts)


async def test_the_rules_are_those_of_the_settings(town: OpenTown) -> None:
    people = await town(
        telegram_bot_username=None,
        referral_bonus_percent=15,
        referral_first_payment_only=True,
        referral_join_bonus_credits=1,
        referral_daily_cap=5000,
        referral_hold_days=3,
    )
    anna = await people.person(PERSON)
    await anna.say("/referral")
    shown = (await anna.hears("From the first top-up of credits by each friend"))["text"]
    # Nobody has set the bot's name, so it was asked of Telegram.
    assert f"https://t.me/hamyon_sandbox_bot?start=ref_{PERSON}" in shown
    assert "Earned: 0 credits" in shown
    for rule in (
        "you get 15% of it",
        "Only people who are new here count",
        "For each friend who comes you get 1 credit.",
        "A day brings at most 5,000.",
        "The bonus arrives 3 days after the payment.",
    ):
        assert rule in shown
    assert "every top-up" not in shown


async def test_what_is_switched_off_is_not_spoken_of(town: OpenTown) -> None:
    people = await town(referral_bonus_percent=0)
    anna = await people.person(PERSON)
    await anna.say("/referral")
    shown = (await anna.hears("Only people who are new"))["text"]
    assert "%" not in shown
    assert "refunded" not in shown
    assert "at most" not in shown
