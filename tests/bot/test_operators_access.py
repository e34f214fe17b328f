"""The console's doors: who sees which, and that an old button opens nothing."""

from __future__ import annotations

import pytest

from hamyon.kit.texts import LANGUAGES, rich_text, text
from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.flows.operators.desk import Do, See
from hamyon.surfaces.bot.flows.operators.routing import ACTS, COMMANDS, SCREENS
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.talk import Talk, Town, buttons
from tests.fixtures.service import BOT_TOKEN, eventually

LEAST = {
    "admin": Role.SUPPORT,
    "admin_stats": Role.SUPPORT,
    "admin_users": Role.SUPPORT,
    "admin_models": Role.SUPPORT,
    "admin_payments": Role.SUPPORT,
    "admin_orders": Role.FINANCE,
    "admin_providers": Role.ADMIN,
    "broadcast": Role.ADMIN,
}
OPENED = {
    "admin": "Your role",
    "admin_stats": "Numbers",
    "admin_users": "Who?",
    "admin_models": "Models",
    "admin_payments": "no payments yet",
    "admin_orders": "No order waits",
    "admin_providers": "Providers",
    "broadcast": "Broadcasts",
}
ACTS_LEAST = {
    "credit": Role.FINANCE,
    "block": Role.SUPPORT,
    "unblock": Role.SUPPORT,
    "model_on": Role.ADMIN,
    "model_off": Role.ADMIN,
    "price": Role.OWNER,
    "payment_refund": Role.FINANCE,
    "payment_recheck": Role.FINANCE,
    "order_charge": Role.FINANCE,
    "order_release": Role.FINANCE,
    "order_refund": Role.FINANCE,
    "provider_pause": Role.ADMIN,
    "provider_resume": Role.ADMIN,
    "broadcast_send": Role.ADMIN,
    "broadcast_schedule": Role.ADMIN,
    "broadcast_start": Role.ADMIN,
    "broadcast_pause": Role.ADMIN,
    "broadcast_resume": Role.ADMIN,
    "broadcast_cancel": Role.ADMIN,
}


def test_the_tables_are_whole() -> None:
    assert COMMANDS.keys() == LEAST.keys()
    assert {name: SCREENS[screen].least for name, screen in COMMANDS.items()} == LEAST
    assert {name: act.least for name, act in ACTS.items()} == ACTS_LEAST


async def test_each_command_opens_to_the_least_role_and_to_none_below(town: OpenTown) -> None:
    people = await town()
    talks = {role: await staff.operator(people, role) for role in Role}
    stranger = await people.person(777)
    for name, least in LEAST.items():
        await stranger.say(f"/{name}")
        unknown = (await stranger.hears(text("en", "people.unknown.command")[:20]))["text"]
        assert OPENED[name] not in unknown
        await talks[least].say(f"/{name}")
        await talks[least].hears(OPENED[name])
        if least > Role.SUPPORT:
            below = talks[Role(least - 1)]
            await below.say(f"/{name}")
            await below.hears(staff.REFUSED)
    for talk in talks.values():
        assert staff.longest(talk) <= 4096


async def test_an_old_button_opens_nothing_to_whoever_lost_his_role(town: OpenTown) -> None:
    people = await town()
    await people.service.person(777, 100)
    boris = await staff.operator(people, Role.ADMIN)
    await boris.say("/admin_users")
    await boris.press("777")
    await boris.hears("Can spend")
    await staff.appoint(people, staff.ADMIN, Role.SUPPORT)
    await boris.press("Credits")
    await boris.toast(staff.REFUSED)
    await staff.dismiss(people, staff.ADMIN)
    boris.toasts.clear()
    for label in ("Block", "Payments", "Back"):
        await boris.press(label)
        await boris.toast(staff.REFUSED)
        boris.toasts.clear()
    await boris.look()
    assert not [one for one in boris.news() if "went wrong" in one.get("text", "")]
    assert await staff.acts(people) == []


async def test_a_role_lost_at_the_last_moment_stops_a_confirmed_act(town: OpenTown) -> None:
    people = await town()
    await people.service.person(777, 100)
    boris = await staff.operator(people, Role.FINANCE)
    await credit_asked(boris, "50")
    await staff.appoint(people, staff.FINANCE, Role.SUPPORT)
    await boris.press("Yes, do it")
    await boris.toast(staff.REFUSED)
    assert await people.service.api.balance(777) == (100, 0)
    assert await staff.acts(people) == []


async def credit_asked(talk: Talk, amount: str) -> None:
    """Up to the screen that asks for a confirmation."""
    await talk.say("/admin_users")
    await talk.press("777")
    await talk.press("Credits")
    await talk.hears("How many credits")
    await talk.say(amount)
    await talk.hears("Why?")
    await talk.say("a gift")
    await talk.hears("Reason: a gift")


async def test_the_menu_has_what_the_role_may_and_telegram_offers_it(town: OpenTown) -> None:
    people = await town()
    shown = {}
    for role in Role:
        talk = await staff.operator(people, role)
        await talk.say("/admin")
        menu = await talk.hears("Your role")
        shown[role] = {button["text"].partition(" ")[2] for button in buttons(menu)}
    everybody = {"Numbers", "People", "Payments", "Models", "What I am told", "Conversations"}
    finance = everybody | {"Orders in review"}
    admin = finance | {"Providers", "Broadcasts"}
    for role, wanted in zip(Role, (everybody, finance, admin, admin), strict=True):
        assert shown[role] == wanted | {"Menu"}, role


async def test_what_an_operator_is_told_of_is_his_to_switch(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin")
    await boris.press("What I am told")
    await boris.press("🔔 Questions to support")

    async def topics() -> list[tuple[str, bool]]:
        rows = await people.service.pool.fetch(
            "SELECT topic, enabled FROM notification_preferences WHERE user_id = $1",
            staff.SUPPORT,
        )
        return [(row["topic"], row["enabled"]) for row in rows]

    await staff.button_of(boris, "🔕 Questions to support")
    assert await topics() == [("operator_support", False)]
    # A topic of a higher role is not his.
    menu = await boris.hears("What shall I tell you of")
    assert [one for one in buttons(menu) if "Payments" in one["text"]] == []
    await boris.press("🔕 Questions to support")
    await staff.button_of(boris, "🔔 Questions to support")
    assert [enabled for _, enabled in await topics()] in ([], [True])


async def test_a_topic_pressed_twice_is_switched_once(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin")
    await boris.press("What I am told")
    await staff.press_twice(boris, "🔔 Questions to support")
    await staff.button_of(boris, "🔕 Questions to support")
    await boris.say("/admin")
    await boris.hears("Your role")  # Both presses are through.
    switched = await people.service.pool.fetchval("SELECT enabled FROM notification_preferences")
    assert switched is False


async def test_a_command_forgets_what_was_begun(town: OpenTown) -> None:
    people = await town()
    await people.service.person(777, 100)
    boris = await staff.operator(people, Role.FINANCE)
    await credit_asked(boris, "50")
    await boris.say("/admin")
    await boris.hears("Your role")
    await boris.press("Yes, do it")
    await boris.toast("done already")
    assert await people.service.api.balance(777) == (100, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_button_has_its_words_and_fits(language: str) -> None:
    for name, act in ACTS.items():
        wanted = [f"operators.{name}.button"]
        if act.asks and act.asks[0] != "reason":
            wanted.append(f"operators.{name}.ask")
        for key in wanted:
            assert rich_text(language, key)  # type: ignore[arg-type]
        assert len(Do(act=name, of="0" * 36).pack().encode()) <= 64
    for name in SCREENS:
        assert len(See(screen=name, of="0" * 36).pack().encode()) <= 64


async def test_the_commands_of_the_role_are_offered_in_his_chat(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin")
    await boris.hears("Your role")
    offered = await eventually(lambda: offered_to(people, staff.SUPPORT))
    assert {"start", "admin", "admin_stats"} <= offered
    assert "broadcast" not in offered
    # Another language offers the same.
    await boris.say("/language")
    await boris.press("Русский")
    await boris.hears(text("ru", "people.profile.language_chosen")[:12])
    russian = text("ru", "operators.commands.label_admin")

    async def is_offered() -> bool:
        return (await described_to(people, staff.SUPPORT)).get("admin") == russian

    await eventually(is_offered)
    assert (await described_to(people, staff.SUPPORT)).keys() == offered


async def offered_to(people: Town, user_id: int) -> set[str]:
    """The commands of one chat, as Telegram has them."""
    return set(await described_to(people, user_id))


async def described_to(people: Town, user_id: int) -> dict[str, str]:
    """The same with what Telegram says of each."""
    async with people.service.api.session.post(
        f"{people.sandbox.url}/bot{BOT_TOKEN}/getMyCommands",
        json={"scope": {"type": "chat", "chat_id": user_id}},
    ) as answer:
        told = await answer.json()
    return {one["command"]: one["description"] for one in told["result"]}
