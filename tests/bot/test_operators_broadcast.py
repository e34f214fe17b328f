"""Broadcasts from the chat: put together, shown, sent once to whom they are for, and steered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hamyon.kit.texts import LANGUAGES
from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.flows.operators.drafts import TURNS, Draft
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.talk import Talk, Town
from tests.fixtures.service import eventually


async def composing(people: Town) -> Talk:
    """An admin with an empty broadcast on his screen."""
    talk = await staff.operator(people, Role.ADMIN)
    await talk.say("/broadcast")
    await talk.press("New")
    await talk.hears("A new broadcast")
    return talk


async def rows(people: Town) -> list[dict[str, Any]]:
    found = await people.service.pool.fetch(
        "SELECT id, state, content, segment, schedule_at, recipients FROM broadcasts ORDER BY id"
    )
    return [dict(row) for row in found]


async def test_a_text_reaches_everybody_once(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    boris = await composing(people)
    await boris.press("Send now")
    await boris.toast("the text is empty")
    await boris.say("Summer <b>is</b> here & now")
    await boris.hears("People it reaches now: 2")
    await boris.press("Preview")
    await boris.hears("Summer <b>is</b> here & now")
    assert await rows(people) == []
    await boris.press("Send now")
    plan = await boris.hears("Send it now")
    assert "Text: Summer <b>is</b> here & now" in plan["text"]
    assert "For: everybody" in plan["text"]
    assert "It goes to 2 people" in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("On its way")
    await anna.hears("Summer <b>is</b> here & now")

    async def over() -> bool:
        return bool((await rows(people))[0]["state"] == "completed")

    await eventually(over)
    await boris.press("Refresh")
    await boris.hears("sent 2, gone 0, failed 0")
    assert len(await rows(people)) == 1
    acts = await staff.acts(people)
    assert [(act["action"], act["subject"]) for act in acts] == [
        ("broadcast.create", "broadcast:1"),
        ("broadcast.start", "broadcast:1"),
    ]
    await anna.look()
    texts = [one.get("text", "") for one in anna.screen.values()]
    assert len([text for text in texts if "Summer" in text]) == 1


async def test_photos_and_a_button_make_the_message(town: OpenTown) -> None:
    people = await town()
    boris = await composing(people)
    await boris.send_photos(snap(1), caption="Look")
    await boris.hears("Photos: 1")
    await boris.press("🔗 Button")
    await boris.hears("Write what stands on the button")
    for nonsense in ("Open", "https://example.org", "Open javascript:alert(1)"):
        await boris.say(nonsense)
        await boris.hears("That is no button")
    await boris.say("Open it https://example.org/a")
    await boris.hears("Open it → https://example.org/a")
    await boris.press("Preview")
    shown = await boris.hears("Look")
    assert "photo" in shown
    assert shown["reply_markup"]["inline_keyboard"][0][0]["url"] == "https://example.org/a"
    await boris.send_photos(snap(2))
    await boris.hears("Photos: 2")
    await boris.press("Send now")
    await boris.toast("an album carries no button")
    await boris.press("Clear")
    cleared = await boris.hears("Photos: 0")
    assert "button: –" in cleared["text"]
    assert await rows(people) == []


async def test_a_draft_that_changed_is_not_what_was_confirmed(town: OpenTown) -> None:
    people = await town()
    boris = await composing(people)
    await boris.say("first")
    await boris.hears("Text: first")
    number, data = await staff.button_of(boris, "Send now")
    await boris.say("second")
    await boris.hears("Text: second")
    await boris._post("press", json={"message_id": number, "data": data})
    await boris.toast("something else was begun")
    assert await rows(people) == []


async def test_it_is_scheduled_by_the_clock_of_the_settings(town: OpenTown) -> None:
    people = await town(timezone="Asia/Tashkent")
    boris = await composing(people)
    await boris.say("Happy new year")
    await boris.hears("Text: Happy")
    await boris.press("Schedule")
    await boris.hears("Asia/Tashkent")
    for nonsense in ("tomorrow", "2020-01-01 00:00", "2099-13-01 00:00"):
        await boris.say(nonsense)
        await boris.hears("That is no time to come")
    await boris.say("2099-12-31 23:00")
    plan = await boris.hears("Schedule it")
    assert "23:00" in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Scheduled")
    (row,) = await rows(people)
    assert row["state"] == "scheduled"
    assert row["schedule_at"] == datetime(2099, 12, 31, 18, tzinfo=UTC)
    # It is steered from its card, each time with a confirmation.
    await boris.press("✗ Cancel")
    await boris.hears("for ever")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("canceled")
    assert [act["action"] for act in await staff.acts(people)] == [
        "broadcast.create",
        "broadcast.cancel",
    ]


async def test_a_running_one_is_paused_and_resumed(town: OpenTown) -> None:
    people = await town(worker=False)
    boris = await composing(people)
    await boris.say("hello")
    await boris.hears("Text: hello")
    await boris.press("Send now")
    await boris.press("Yes, do it")
    await boris.hears("running")
    for label, question, after in (
        ("Pause", "Pause broadcast 1", "paused"),
        ("Resume", "Resume broadcast 1", "running"),
        ("✗ Cancel", "Cancel broadcast 1", "canceled"),
    ):
        await boris.press(label)
        await boris.hears(question)
        await boris.press("Yes, do it")
        await boris.hears(f"Broadcast 1, {after}")
        assert (await rows(people))[0]["state"] == after
    assert [act["action"] for act in await staff.acts(people)] == [
        "broadcast.create",
        "broadcast.start",
        "broadcast.pause",
        "broadcast.resume",
        "broadcast.cancel",
    ]


@pytest.mark.parametrize("criterion", TURNS)
def test_a_press_goes_through_every_value_and_back_to_none(criterion: str) -> None:
    draft, seen = Draft(), []
    for _ in TURNS[criterion]:
        draft = draft.turned(criterion, draft.next_of(criterion))
        seen.append(draft.people.criteria[criterion])
    assert seen == list(TURNS[criterion])
    assert draft.turned(criterion, draft.next_of(criterion)).segment == {}


async def test_whom_it_is_for_is_chosen_by_buttons(town: OpenTown) -> None:
    people = await town()
    for user_id, language in ((1, "uz"), (2, "ru"), (3, "ru")):
        talk = await people.person(user_id, language=language)
        await talk.say("/start src_spring" if user_id < 3 else "/start")
        await talk.hears("Anna")
    boris = await composing(people)
    await boris.hears("reaches now: 4")
    await boris.press("Language: any")
    await boris.hears("reaches now: 1")
    await boris.press("Language: uz")
    await boris.hears("reaches now: 2")
    await boris.press("Source")
    await boris.hears("src_spring")
    await boris.say("src_spring")
    await boris.hears("reaches now: 1")
    await boris.press("Source")
    await boris.say("-")
    await boris.hears("reaches now: 2")
    await boris.press("Ever paid: any")
    await boris.hears("reaches now: 0")
    await boris.press("Ever paid: yes")
    await boris.hears("reaches now: 2")
    # What is about to be confirmed says whom it is for.
    await boris.say("hello")
    await boris.hears("Text: hello")
    await boris.press("Send now")
    plan = await boris.hears("Send it now")
    assert "For: " in plan["text"]
    assert "Language: ru" in plan["text"]
    assert "Ever paid: no" in plan["text"]


async def test_a_criterion_pressed_twice_turns_once(town: OpenTown) -> None:
    people = await town()
    boris = await composing(people)
    await staff.press_twice(boris, "Language: any")
    await staff.button_of(boris, f"Language: {LANGUAGES[0]}")
    await boris.say("/admin")
    await boris.hears("Your role")  # Both presses are through.
    chosen = await people.service.pool.fetchval("SELECT choices FROM bot_chats")
    assert chosen["broadcast"]["segment"] == {"language": LANGUAGES[0]}


async def test_a_confirmation_that_comes_again_gets_its_first_answer(town: OpenTown) -> None:
    """The answer is lost after the draft was cleared: the press comes again."""
    people = await town()
    boris = await composing(people)
    await boris.say("hello")
    await boris.hears("Text: hello")
    await boris.press("Send now")
    await boris.hears("Send it now")
    await staff.lose_answers(people, "editMessageText", 1)
    await boris.press("Yes, do it")
    await boris.hears("On its way")
    assert [one["text"] for one in boris.toasts if one["text"]] == []
    assert len(await rows(people)) == 1


async def test_what_stands_on_the_button_does_not_become_the_text(town: OpenTown) -> None:
    """The panel is lost after the question for the text was asked: the same words come again."""
    people = await town()
    boris = await composing(people)
    await boris.say("hello")
    await boris.hears("Text: hello")
    await boris.press("🔗 Button")
    await boris.hears("Write what stands on the button")
    await staff.lose_answers(people, "sendMessage", 1)
    await boris.say("Open it https://example.org/a")
    shown = await boris.hears("Open it → https://example.org/a")
    assert "Text: hello" in shown["text"]
