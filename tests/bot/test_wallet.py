"""What somebody sees of his money: what is available, set aside and owed, and its history."""

from __future__ import annotations

import re

import pytest

from hamyon.kit.db import in_transaction, transaction
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from tests.bot.conftest import OpenTown
from tests.bot.talk import Town, buttons

EMPTY = {
    "en": ("Available: 0 credits", "Nothing has happened"),
    "ru": ("Доступно: 0 кредитов", "ничего не происходило"),
    "uz": ("Mavjud: 0 kredit", "hech narsa boʻlmagan"),
}
PERSON = 777


async def gifts(people: Town, *amounts: int, asset: str = "credit") -> None:
    """Promo codes, one after the other, so that each is a line of its own."""
    for number, amount in enumerate(amounts):
        await in_transaction(
            people.service.pool,
            ledger.grant,
            user_id=PERSON,
            asset=asset,
            amount=amount,
            kind=TransferKind.ADMIN_ADJUSTMENT,
            from_role="adjustments",
            key=f"gift:{asset}:{number}",
            actor="a test",
        )


@pytest.mark.parametrize("language", EMPTY)
async def test_somebody_new_has_nothing_yet(town: OpenTown, language: str) -> None:
    people = await town()
    anna = await people.person(PERSON, language=language)
    await anna.say("/balance")
    balance, history = EMPTY[language]
    shown = (await anna.hears(balance))["text"]
    assert history in shown


async def test_what_is_held_stands_beside_what_is_available(town: OpenTown) -> None:
    people = await town(worker=False)
    await people.service.person(PERSON, 12_345)
    await gifts(people, 3, asset="revival")
    await people.service.api.ordered(PERSON)
    (available, held) = await people.service.api.balance(PERSON)
    assert held > 0
    anna = await people.person(PERSON)
    await anna.say("/balance")
    shown = (await anna.hears("Balance"))["text"]
    assert f"Available: {available:,} credits, set aside for pictures in work: {held} cr" in shown
    assert "Available: 3 revivals" in shown
    assert "+12,345 credits · Top-up · " in shown
    assert "Owed" not in shown


async def test_a_debt_is_not_hidden(town: OpenTown) -> None:
    people = await town()
    await people.service.person(PERSON, 100)
    async with transaction(people.service.pool) as connection:
        await ledger.claw_back(
            connection,
            user_id=PERSON,
            asset="credit",
            amount=130,
            kind=TransferKind.REFUND,
            to_role="sales:stars",
            key="refund:test",
            actor="a test",
        )
    anna = await people.person(PERSON, language="ru")
    await anna.say("/balance")
    shown = (await anna.hears("Долг: 30 кредитов"))["text"]
    assert "−100 кредитов · Возврат · " in shown


async def test_a_long_history_is_turned_page_by_page(town: OpenTown) -> None:
    people = await town()
    await people.service.person(PERSON)
    await gifts(people, *range(1, 24))
    anna = await people.person(PERSON)
    await anna.say("/balance")
    await anna.press("Credits: history")
    seen: list[int] = []
    for page in range(3):
        shown = await anna.hears("History of credits")
        found = re.findall(r"\+(\d+) credits?", shown["text"])
        seen += [int(amount) for amount in found]
        assert [one["text"] for one in buttons(shown)][:-2] == (
            ["Older ▶️"] if page == 0 else ["⏮ Newest", "Older ▶️"] if page == 1 else ["⏮ Newest"]
        )
        if page < 2:
            await anna.press("Older")
    assert seen == list(range(23, 0, -1))
    await anna.press("Newest")
    assert "+23 credits" in (await anna.hears("History of credits"))["text"]


async def test_nobody_turns_the_pages_of_another_one(town: OpenTown) -> None:
    """The cursor is only a number: whoever presses sees his own lines."""
    people = await town()
    await people.service.person(PERSON)
    await gifts(people, *range(1, 13))
    await people.service.person(5, 40)
    bob = await people.person(5)
    await bob.say("/balance")
    await bob.press("Credits: history")
    shown = (await bob.hears("History of credits"))["text"]
    assert shown.count("credits ·") == 1
