"""Numbers, models and providers in the console."""

from __future__ import annotations

from typing import Any

import pytest

from hamyon.kit.texts import LANGUAGES, text
from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.flows.operators.money import usd
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.talk import Talk, Town, buttons
from tests.fixtures.service import eventually

ANNA = 777


async def test_the_numbers_of_each_period(town: OpenTown) -> None:
    people = await town(statistics_cache_s=0.01)
    await people.service.person(ANNA, 100)
    order_id = await people.service.api.ordered(ANNA)
    await people.service.api.ended(ANNA, order_id)
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin_stats")
    shown = await boris.hears("Numbers: 7 days")
    for line in (
        "1 orders, success 100.0%",
        "sold 100, given 0, spent 27, refunded 0",
        "Earned $0.03",
        "Queue: ",
    ):
        assert line in shown["text"], shown["text"]
    for label, title in (("30 days", "Numbers: 30 days"), ("1 day", "Numbers: 1 day")):
        await boris.press(label)
        await boris.hears(title)
    assert staff.longest(boris) <= 4096


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_console_speaks_every_language(town: OpenTown, language: Any) -> None:
    people = await town()
    boris = await staff.operator(people, Role.OWNER, language=language)
    await boris.say("/admin")
    await boris.hears(text(language, "operators.role.label_owner"))
    for screen in ("stats", "users", "payments", "models", "orders", "providers", "broadcasts"):
        await boris.press(text(language, f"operators.menu.button_{screen}"))
        await boris.press(text(language, "operators.button_menu"))
        await boris.hears(text(language, "operators.role.label_owner"))
    assert staff.longest(boris) <= 4096
    assert "{" not in str([message.get("text") for message in boris.screen.values()])


async def card(people: Town, role: Role, model: str = "Seedream") -> Talk:
    """An operator with a model's card on his screen."""
    talk = await staff.operator(people, role)
    await talk.say("/admin_models")
    await talk.press(model)
    await talk.hears("Product images")
    return talk


async def labels(talk: Talk) -> str:
    shown = await talk.hears("Product images")
    return " ".join(button["text"] for button in buttons(shown))


async def test_who_sees_which_button_of_a_model(town: OpenTown) -> None:
    people = await town()
    for role, switch, price in (
        (Role.SUPPORT, False, False),
        (Role.FINANCE, False, False),
        (Role.ADMIN, True, False),
        (Role.OWNER, True, True),
    ):
        shown = await labels(await card(people, role))
        assert ("Switch off" in shown, "Price" in shown) == (switch, price), role


async def test_a_model_is_switched_off_and_on(town: OpenTown) -> None:
    people = await town()
    await people.service.person(ANNA, 100)
    boris = await card(people, Role.ADMIN)
    await boris.press("Switch off")
    await boris.hears("Nobody can order it")
    assert (await people.service.api.submit(ANNA)).status == 202
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("not for sale any more")
    answer = await people.service.api.submit(ANNA)
    assert (answer.status, answer.code) == (404, "model_not_found")
    await boris.press("Back")
    await boris.press("Switch on")
    await boris.hears("at once")
    await boris.press("Yes, do it")
    await boris.hears("for sale")
    assert (await people.service.api.submit(ANNA)).status == 202
    acts = await staff.acts(people, "model_changed")
    assert [act["after"]["active"] for act in acts] == [False, True]
    assert {act["subject"] for act in acts} == {"model:seedream-v4"}


async def test_a_model_with_the_longest_key_is_switched_and_priced(town: OpenTown) -> None:
    people = await town()
    key = "m" * 63
    patch = {"key": key, "name": "Longest"}
    await people.service.as_owner(
        """
        INSERT INTO models SELECT (jsonb_populate_record(model, $1)).* FROM models AS model
        WHERE key = 'seedream-v4'
        """,
        patch,
    )
    boris = await card(people, Role.OWNER, "Longest")
    await boris.press("Switch off")
    await boris.hears(key)
    await boris.press("Yes, do it")
    await boris.hears("not for sale any more")
    await boris.press("Back")
    await boris.hears("not for sale")
    (act,) = await staff.acts(people, "model_changed")
    assert act["subject"] == f"model:{key}"


async def test_a_price_changes_and_its_options_stay(town: OpenTown) -> None:
    people = await town()
    boris = await card(people, Role.OWNER, "Nano Banana Pro")
    before = await people.service.api.call("GET", "/admin/models/nano-banana-pro", admin=True)
    await boris.press("Price")
    await boris.hears("What shall it cost")
    for nonsense in ("cheap", "-5", "0", "1.5"):
        await boris.say(nonsense)
        await boris.hears("That is no amount")
    await boris.say("1 500")
    plan = await boris.hears("The prices by option stay")
    assert "140 credits → 1,500 credits" in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("in force")
    after = await people.service.api.call("GET", "/admin/models/nano-banana-pro", admin=True)
    assert after.body["price"]["amount"] == 1500
    assert after.body["price"]["by_option"] == before.body["price"]["by_option"] != []
    assert after.body["price"]["unit"] == before.body["price"]["unit"]
    (act,) = await staff.acts(people, "price_set")
    assert act["after"]["set_by"] == f"user:{staff.OWNER}"


async def test_a_price_beyond_reason_is_refused_before_it_is_confirmed(town: OpenTown) -> None:
    people = await town()
    boris = await card(people, Role.OWNER)
    await boris.press("Price")
    await boris.hears("What shall it cost")
    await boris.say("1000000001")
    await boris.hears("The price cannot be set like this")
    assert await staff.acts(people) == []


async def test_a_provider_is_paused_and_resumed(town: OpenTown) -> None:
    people = await town()
    await people.service.person(ANNA, 100)
    boris = await staff.operator(people, Role.ADMIN)
    await boris.say("/admin_providers")
    await boris.press("wavespeed")
    await boris.hears("Error rate")
    await boris.press("⏸ Pause")
    await boris.hears("Why?")
    await boris.say("it is slow")
    await boris.hears("It gets no new work")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Paused.")

    async def closed() -> bool:
        return (await people.service.api.submit(ANNA)).status == 503

    await eventually(closed)
    await boris.press("Back")
    await boris.hears("it is slow")
    await boris.press("Resume")
    await boris.hears("Why?")
    await boris.say("it is quick")
    await boris.hears("whatever its breaker counted")
    await boris.press("Yes, do it")
    await boris.hears("It works again")
    assert (await people.service.api.submit(ANNA)).status == 202
    acts = await staff.acts(people, "provider_paused", "provider_resumed")
    assert [(act["action"], act["reason"]) for act in acts] == [
        ("provider_paused", "it is slow"),
        ("provider_resumed", "it is quick"),
    ]


async def test_a_switch_that_broke_off_after_its_commit_is_written_down_once(
    town: OpenTown,
) -> None:
    people = await town()
    boris = await card(people, Role.ADMIN)
    await boris.press("Switch off")
    await boris.hears("Nobody can order it")
    await staff.confirmed_and_broken_off(people, boris, staff.ADMIN)
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    assert len(await staff.acts(people, "model_changed")) == 1


@pytest.mark.parametrize(
    ("micro", "shown"),
    [
        (-30_000, "\u2212$0.03"),
        (30_000, "$0.03"),
        (-1_234_560_000, "\u2212$1,234.56"),
        (-4, "$0.00"),
    ],
)
def test_a_loss_has_its_sign_before_the_dollar(micro: int, shown: str) -> None:
    assert usd("en", micro) == shown
