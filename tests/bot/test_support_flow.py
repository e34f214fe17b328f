"""Support in the chat: people write, operators are told, answer in three ways, and close."""

from __future__ import annotations

from typing import Any

import pytest

from hamyon.kit.texts import LANGUAGES, rich_text, text
from hamyon.kit.web.permission import Role
from hamyon.notices.types import Notice
from hamyon.surfaces.bot.support_letters import mark, operators_letter, thread_of_mark
from hamyon.users.service import operators
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.talk import Town
from tests.fixtures.service import eventually

ANNA = 777


async def messages(people: Town) -> list[tuple[str, str, int]]:
    rows = await people.service.pool.fetch(
        "SELECT author, body, cardinality(upload_ids) AS photos FROM support_messages ORDER BY id"
    )
    return [(row["author"], row["body"], row["photos"]) for row in rows]


async def statuses(people: Town) -> list[str]:
    rows = await people.service.pool.fetch("SELECT status FROM support_threads ORDER BY id")
    return [row["status"] for row in rows]


async def test_a_question_goes_to_operators_and_the_answer_comes_back(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna = await people.person(ANNA, first_name="<i>Anna</i>")
    await anna.say("/support")
    await anna.hears("Tell us what is wrong")
    await anna.say("Where are my <credits>?")
    await anna.hears("our team has it")
    told = await boris.hears("Where are my <credits>?")
    assert "<i>Anna</i>" in told["text"]
    assert await statuses(people) == ["open"]
    await boris.press("Reply")
    await boris.hears("Write your answer")
    await boris.say("They are <b>here</b>")
    await boris.hears("Sent to <i>Anna</i>")
    await anna.hears("They are <b>here</b>")
    assert await statuses(people) == ["answered"]
    # By the button under the answer the person goes on, and the thread is open again.
    await anna.press("Answer")
    await anna.hears("They are <b>here</b>")
    await anna.say("Thank you")
    await anna.hears("our team has it")
    await boris.hears("Thank you")
    assert await statuses(people) == ["open"]
    assert await messages(people) == [
        ("person", "Where are my <credits>?", 0),
        (f"user:{staff.SUPPORT}", "They are <b>here</b>", 0),
        ("person", "Thank you", 0),
    ]
    (act,) = await staff.acts(people, "support.reply")
    assert act["before"] == {"status": "open"}
    assert act["after"]["status"] == "answered"
    assert act["request_id"].startswith("tg:")
    assert act["address"] is None


async def test_a_talk_ends_when_it_is_done_and_by_any_command(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("one")
    await anna.hears("our team has it")
    await anna.press("Done")
    await anna.hears("We will answer here")
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    await anna.say("/support")
    await anna.hears("one")
    await anna.say("/help")
    await anna.hears("How it works")
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    assert [body for _, body, _ in await messages(people)] == ["one"]


async def test_an_operator_replies_to_the_notice_itself(town: OpenTown) -> None:
    """The beginning of the bot's own message names the thread, whatever people write in it."""
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna, bella = await people.person(ANNA), await people.person(778, first_name="💬 #1")
    for talk, said in ((anna, "I am first"), (bella, "💬 #1 is mine, too")):
        await talk.say("/support")
        await talk.hears("Tell us")
        await talk.say(said)
        await talk.hears("our team has it")
    notice = await boris.hears("💬 #1 is mine, too")
    await boris.say("It is not", reply_to=notice["message_id"])
    await boris.hears("conversation 2")
    await bella.hears("It is not")
    assert await statuses(people) == ["open", "answered"]
    # His own message, however it begins, is no notice.
    own = await boris.say("💬 #1 hello")
    await boris.say("and this is a wish for a picture", reply_to=own)
    await boris.say("/admin")
    await boris.hears("Console")
    assert len(await messages(people)) == 3


async def test_who_is_no_operator_answers_nobody(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("hello")
    await anna.hears("our team has it")
    notice = await boris.hears("hello")
    await staff.dismiss(people, staff.SUPPORT)
    for label in ("Reply", "Close", "Open"):
        await boris.press(label)
        await boris.toast(staff.REFUSED)
        boris.toasts.clear()
    await boris.say("I am the boss", reply_to=notice["message_id"])
    await boris.say("/support")
    await boris.hears("Tell us")  # As everybody.
    assert await messages(people) == [("person", "hello", 0)]
    assert await staff.acts(people) == []


async def test_an_album_is_one_message_with_its_photos(town: OpenTown) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.send_photos(snap(1), snap(2), snap(3), caption="look")
    await anna.hears("our team has it")

    async def whole() -> bool:
        return await messages(people) == [("person", "look", 3)]

    await eventually(whole)
    assert len([one for one in anna.news() if "our team has it" in one.get("text", "")]) == 1
    await boris.hears("look")
    await boris.press("Open")
    await boris.hears("× 3")
    await boris.press("Photos")

    async def sent() -> bool:
        await boris.look()
        return len([one for one in boris.news() if "photo" in one]) == 3

    await eventually(sent)
    await anna.send_photos(snap(1), snap(2), snap(3), snap(4))
    await anna.hears("At most 3 photos")
    await anna.send_document(b"no picture", "a file")
    await anna.hears("This file cannot be used")


async def test_a_closed_thread_stays_closed_and_the_next_message_opens_another(
    town: OpenTown,
) -> None:
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("first")
    await boris.hears("first")
    await boris.press("Close")
    await boris.hears("Close the conversation 1")
    await staff.press_twice(boris, "Yes, close it")
    await boris.hears("is closed")
    await anna.hears("is closed")
    assert [act["subject"] for act in await staff.acts(people, "support.close")] == [
        "support_thread:1"
    ]
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("second")
    await boris.hears("second")
    assert await statuses(people) == ["closed", "open"]
    # The old thread takes no answer any more.
    await boris.say("/support")
    await boris.hears("Conversations under way")
    await boris.press("Anna · waiting")
    shown = await boris.hears("second")
    assert shown["text"].startswith("💬 #2")


async def test_an_update_that_comes_twice_is_one_message(town: OpenTown) -> None:
    people = await town()
    await people.sandbox.vendor_settings("telegram", updates={"copies": 3})
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("once")
    await anna.hears("our team has it")
    await anna.say("/help")
    await anna.hears("How it works")
    assert await messages(people) == [("person", "once", 0)]
    kinds = await people.service.pool.fetchval(
        "SELECT count(*) FROM notices WHERE kind = 'support_message'"
    )
    assert kinds == 1


async def test_an_answer_that_comes_again_is_no_wish(town: OpenTown) -> None:
    """The receipt is lost, so the operator's words come again: they were an answer, and are one."""
    people = await town()
    boris = await staff.operator(people, Role.SUPPORT)
    anna = await people.person(ANNA)
    await anna.say("/support")
    await anna.hears("Tell us")
    await anna.say("help me")
    await boris.hears("help me")
    await boris.press("Reply")
    await boris.hears("Write your answer")
    await staff.lose_answers(people, "sendMessage", 1)
    await boris.say("we will")
    await boris.hears("Sent to Anna")
    await anna.hears("we will")
    assert [body for _, body, _ in await messages(people)] == ["help me", "we will"]
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 0


async def test_a_plain_text_asks_for_nobodys_role(
    town: OpenTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await town()
    anna = await people.person(ANNA)
    await anna.say("/help")
    await anna.hears("How it works")
    asked, ask = [], operators.role_of

    async def counted(*args: Any) -> Any:
        asked.append(args)
        return await ask(*args)

    monkeypatch.setattr(operators, "role_of", counted)
    await anna.say("a red fox")
    await anna.hears("a red fox")
    assert asked == []
    await anna.say("/admin")
    await anna.hears(text("en", "people.unknown.command")[:20])
    assert asked != []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_every_language(town: OpenTown, language: str) -> None:
    people = await town()
    anna = await people.person(ANNA, language=language)
    await anna.say("/support")
    await staff.button_of(anna, text(language, "support.button_done"))  # type: ignore[arg-type]
    await anna.say("?" * 4000)
    await anna.hears(text(language, "support.received"))  # type: ignore[arg-type]
    await anna.say("/support")
    await anna.hears("???")
    assert staff.longest(anna) <= 4096


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mark_begins_every_languages_notice(language: str) -> None:
    facts = {"thread_id": 12, "telegram_id": 5, "name": "#99", "text": "💬 #99", "photos": 2}
    letter = operators_letter(language, Notice("k", "support_message", facts))  # type: ignore[arg-type]
    assert thread_of_mark(letter) == 12
    shown = {"mark": mark(7), "name": "A", "telegram_id": 1, "status": "", "lines": ""}
    assert thread_of_mark(rich_text(language, "support.thread", shown)) == 7  # type: ignore[arg-type]
    for other in ("#12", "x 💬 #12", "💬 #", "💬 #0", "💬 #" + "9" * 30):
        assert thread_of_mark(other) is None
