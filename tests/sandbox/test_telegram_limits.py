"""How fast bots may send, and to whom they may not: paces, blocks, groups, topics, taps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
)
from hypothesis import given
from hypothesis import strategies as st

from sandbox.telegram.bots import Bot as SimulatedBot
from sandbox.telegram.chats import ENTRIES_MAX, Action, Chat
from sandbox.telegram.pace import Pace
from sandbox.telegram.settings import BotSettings, LimitSettings
from sandbox.telegram.stars import QUERY_TOO_OLD
from sandbox.telegram.taps import Taps
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import PATIENCE_S, BotClient, bot_client, peer_bot

ALI, VALI = 42, 43
GROUP, SUPERGROUP = -77, -1001
BUTTON = {"inline_keyboard": [[{"text": "x", "callback_data": "pressed"}]]}


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        yield client


@pytest.fixture
async def peer(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with peer_bot(sandbox) as client:
        yield client


async def limits(sandbox: Sandbox, **settings: object) -> None:
    await sandbox.vendor_settings("telegram", limits=settings)


async def pace(bot: BotClient) -> Any:
    return (await bot.report(brief=True))["pace"]


async def counts(bot: BotClient, query: str = "") -> Any:
    async with bot.session.get(f"/telegram/sent_counts{query}") as answer:
        assert answer.status == 200
        return (await answer.json())["counts"]


async def act(bot: BotClient, person_id: int, name: str, **body: object) -> Any:
    """What a person does."""
    async with bot.session.post(f"/telegram/chat/{person_id}/{name}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.999, 1.0, 1.2]), max_size=60),
    limit=st.integers(1, 5),
)
def test_no_second_has_more_than_it_may(gaps: list[float], limit: int) -> None:
    """Every arrival is taken exactly when fewer than the limit were taken in the second before."""
    one, settings, now = Pace(), LimitSettings(per_second=limit), 1000.0
    taken: list[float] = []
    for number, gap in enumerate(gaps):
        now += gap
        recent = [at for at in taken if at > now - 1.0]
        retry_after_s = one.admit(settings, now, number, 1, may_pay=False)
        assert (retry_after_s is None) == (len(recent) < limit)
        if retry_after_s is None:
            taken.append(now)
        else:
            assert retry_after_s == 1
    most = max((sum(end - 1.0 < at <= end for at in taken) for end in taken), default=0)
    assert one.report() == {
        "accepted": len(taken),
        "refused_429": len(gaps) - len(taken),
        "most_in_any_second": most,
        "paid": 0,
    }
    assert most <= limit


def test_paying_goes_on_above_the_free_limit() -> None:
    one = Pace()
    settings = LimitSettings(per_second=3, paid_per_second=10, paid_broadcasts_enabled=True)
    told = [one.admit(settings, 5.0, chat, 1, may_pay=True) for chat in range(12)]
    assert told == [None] * 10 + [1, 1]
    assert one.report() == {
        "accepted": 10,
        "refused_429": 2,
        "most_in_any_second": 10,
        "paid": 7,
    }
    assert one.admit(settings, 5.5, 1, 1, may_pay=False) == 1
    assert one.admit(settings, 6.0, 1, 1, may_pay=False) is None
    assert one.paid == 7


def test_a_chat_has_a_burst_and_then_its_own_pace() -> None:
    one = Pace()
    settings = LimitSettings(per_chat_per_second=0.5, per_chat_burst=3)
    assert [one.admit(settings, 1.0, ALI, 1, may_pay=False) for _ in range(4)] == [None] * 3 + [2]
    assert one.admit(settings, 1.0, VALI, 1, may_pay=False) is None
    assert one.admit(settings, 2.5, ALI, 1, may_pay=False) == 1
    assert one.admit(settings, 3.0, ALI, 1, may_pay=False) is None
    assert one.admit(settings, 100.0, ALI, 10, may_pay=False) is None
    assert one.admit(settings, 100.0, ALI, 1, may_pay=False) is not None


def test_a_group_has_its_minute() -> None:
    one = Pace()
    settings = LimitSettings(per_group_per_minute=2)
    assert one.admit(settings, 1.0, GROUP, 1, may_pay=False) is None
    assert one.admit(settings, 11.0, GROUP, 1, may_pay=False) is None
    assert one.admit(settings, 21.0, GROUP, 1, may_pay=False) == 40
    assert one.admit(settings, 21.0, SUPERGROUP, 1, may_pay=False) is None
    assert [one.admit(settings, 21.0, ALI, 1, may_pay=False) for _ in range(3)] == [None] * 3
    assert one.admit(settings, 61.0, GROUP, 1, may_pay=False) is None
    assert one.admit(settings, 61.0, GROUP, 1, may_pay=False) == 10
    assert one.admit(settings, 61.0, GROUP, 2, may_pay=False) == 60


async def test_too_fast_is_told_with_its_seconds(
    peer: Bot, bot: BotClient, sandbox: Sandbox
) -> None:
    await bot.control("group", {"id": GROUP, "title": "Family"})
    await limits(sandbox, per_group_per_minute=2, retry_after_s=7)
    for text in ("one", "two"):
        await peer.send_message(GROUP, text)
    with pytest.raises(TelegramRetryAfter) as told:
        await peer.send_message(GROUP, "three")
    assert told.value.retry_after == 7
    answer = await bot.call("sendMessage", chat_id=GROUP, text="three")
    assert answer.refusal == (429, "Too Many Requests: retry after 7")
    assert answer.body["parameters"] == {"retry_after": 7}
    assert answer.headers["Retry-After"] == "7"
    await peer.send_message(ALI, "three")
    edited = await bot.call("editMessageText", chat_id=GROUP, message_id=1, text="other")
    assert edited.result["text"] == "other"
    assert await peer.send_chat_action(GROUP, "typing") is True
    assert await counts(bot) == {str(GROUP): 2, str(ALI): 1}
    assert (await pace(bot))["refused_429"] == 2


async def test_a_crowd_of_calls_keeps_to_the_second(bot: BotClient, sandbox: Sandbox) -> None:
    await limits(sandbox, per_second=10)
    answers = await asyncio.gather(
        *(
            bot.call("sendMessage", chat_id=1000 + number, text=f"hi {number}")
            for number in range(60)
        )
    )
    taken = [one for one in answers if one.status == 200]
    assert {one.status for one in answers} <= {200, 429}
    told = await pace(bot)
    assert (told["accepted"], told["refused_429"]) == (len(taken), 60 - len(taken))
    assert 1 <= told["most_in_any_second"] <= 10
    assert sum((await counts(bot, "?text=hi")).values()) == len(taken)


async def test_every_kind_of_sending_counts(bot: BotClient, sandbox: Sandbox) -> None:
    """An album is as many messages as it has; what is refused for itself counts as nothing."""
    await bot.control("group", {"id": GROUP, "title": "Family"})
    first = (await bot.call("sendMessage", chat_id=ALI, text="x")).result["message_id"]
    await limits(sandbox, per_group_per_minute=1, retry_after_s=1)
    await bot.call("sendMessage", chat_id=GROUP, text="x")
    there: dict[str, Any] = {"chat_id": GROUP, "from_chat_id": ALI}
    for method, params in (
        ("sendMessage", {"text": "x"}),
        ("copyMessage", {"message_id": first}),
        ("forwardMessage", {"message_id": first}),
        ("copyMessages", {"message_ids": [first]}),
        ("forwardMessages", {"message_ids": [first]}),
    ):
        assert (await bot.call(method, **there, **params)).status == 429, method
    assert (await bot.call("sendMessage", chat_id=GROUP, text="")).status == 400
    assert (await bot.call("sendMessage", chat_id=-5, text="x")).status == 400
    assert await pace(bot) == {
        "accepted": 2,
        "refused_429": 5,
        "most_in_any_second": (await pace(bot))["most_in_any_second"],
        "paid": 0,
    }


async def test_paid_broadcasts_must_be_switched_on(bot: BotClient, sandbox: Sandbox) -> None:
    call: dict[str, Any] = {"chat_id": ALI, "text": "x", "allow_paid_broadcast": True}
    refused = await bot.call("sendMessage", **call)
    assert refused.refusal == (400, "Bad Request: PAID_BROADCAST_NOT_ALLOWED")
    await limits(sandbox, paid_broadcasts_enabled=True)
    assert (await bot.call("sendMessage", **call)).result["text"] == "x"
    assert (await pace(bot))["paid"] == 0


async def test_who_has_blocked_the_bot(peer: Bot, bot: BotClient) -> None:
    message = await peer.send_message(ALI, "x")
    await act(bot, ALI, "block")
    for call in (
        peer.send_message(ALI, "x"),
        peer.send_chat_action(ALI, "typing"),
        message.forward(ALI),
    ):
        with pytest.raises(TelegramForbiddenError, match="Forbidden: bot was blocked by the user"):
            await call
    assert await counts(bot) == {str(ALI): 1}
    await peer.send_message(VALI, "x")
    await act(bot, ALI, "unblock")
    await peer.send_message(ALI, "x")


async def test_who_is_gone_or_was_never_there(peer: Bot, bot: BotClient, sandbox: Sandbox) -> None:
    message = await peer.send_message(ALI, "x")
    await bot.control("person", {"id": ALI, "is_deactivated": True})
    for call in (peer.send_message(ALI, "x"), message.edit_text("y")):
        with pytest.raises(TelegramForbiddenError, match="Forbidden: user is deactivated"):
            await call
    await sandbox.vendor_settings("telegram", people_must_start=True)
    told = "Forbidden: bot can't initiate conversation with a user"
    with pytest.raises(TelegramForbiddenError, match=told):
        await peer.send_message(VALI, "x")
    await act(bot, VALI, "start")
    await peer.send_message(VALI, "x")


async def test_people_have_names(peer: Bot, bot: BotClient) -> None:
    names = {"first_name": "Ali", "last_name": "Valiyev", "username": "alivali"}
    await bot.control("person", {"id": ALI, **names, "language_code": "uz"})
    chat = (await bot.call("sendMessage", chat_id=ALI, text="x")).result["chat"]
    assert chat == {"id": ALI, **names, "type": "private"}
    await bot.charge(await bot.link(), ALI)
    sender = (await bot.updates())[0]["message"]["from"]
    assert sender == {"id": ALI, "is_bot": False, **names, "language_code": "uz"}


async def test_groups(peer: Bot, bot: BotClient) -> None:
    with pytest.raises(TelegramBadRequest, match="Bad Request: chat not found"):
        await peer.send_message(GROUP, "x")
    await bot.control("group", {"id": GROUP, "title": "Family"})
    sent = await peer.send_message(GROUP, "x", message_thread_id=5)
    assert (sent.chat.type, sent.chat.title, sent.message_thread_id) == ("group", "Family", None)
    await bot.control("group", {"id": GROUP, "title": "Family", "migrated_to": SUPERGROUP})
    with pytest.raises(TelegramMigrateToChat) as moved:
        await peer.send_message(GROUP, "x")
    assert moved.value.migrate_to_chat_id == SUPERGROUP
    answer = await bot.call("sendMessage", chat_id=GROUP, text="x")
    told = "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer.refusal == (400, told)
    assert answer.body["parameters"] == {"migrate_to_chat_id": SUPERGROUP}
    for number, kind in ((GROUP, "group"), (SUPERGROUP, "supergroup")):
        await bot.control("group", {"id": number, "title": "Family", "is_kicked": True})
        with pytest.raises(TelegramForbiddenError, match=f"kicked from the {kind} chat"):
            await peer.send_message(number, "x")
    status, body = await bot.control("group", {"id": 5, "title": "Family"})
    assert (status, "id" in body["error"]) == (400, True)


async def test_topics(peer: Bot, bot: BotClient) -> None:
    forum = {"id": SUPERGROUP, "title": "Support", "is_forum": True, "topics": [5]}
    await bot.control("group", forum)
    sent = await peer.send_message(SUPERGROUP, "x", message_thread_id=5)
    assert (sent.message_thread_id, sent.is_topic_message, sent.chat.is_forum) == (5, True, True)
    for chat_id, thread_id in ((SUPERGROUP, 6), (SUPERGROUP, 1), (ALI, 5)):
        with pytest.raises(TelegramBadRequest, match="Bad Request: message thread not found"):
            await peer.send_message(chat_id, "x", message_thread_id=thread_id)
    await bot.control("person", {"id": ALI, "topics": [5]})
    assert (await peer.send_message(ALI, "x", message_thread_id=5)).message_thread_id == 5


async def test_a_tap_is_answered_once(peer: Bot, bot: BotClient, sandbox: Sandbox) -> None:
    sent = await bot.call("sendMessage", chat_id=ALI, text="x", reply_markup=BUTTON)
    number = sent.result["message_id"]
    await act(bot, ALI, "press", message_id=number, data="pressed")
    query = (await bot.updates())[-1]["callback_query"]
    assert (query["data"], query["message"]["message_id"]) == ("pressed", number)
    assert await peer.answer_callback_query(query["id"], "Done", show_alert=True) is True
    with pytest.raises(TelegramBadRequest, match=f"Bad Request: {QUERY_TOO_OLD}"):
        await peer.answer_callback_query(query["id"])
    await sandbox.vendor_settings("telegram", callback_lifetime_s=0.000_001)
    await act(bot, ALI, "press", message_id=number, data="pressed")
    query = (await bot.updates())[-1]["callback_query"]
    with pytest.raises(TelegramBadRequest, match=f"Bad Request: {QUERY_TOO_OLD}"):
        await peer.answer_callback_query(query["id"])


def test_another_bots_tap_is_no_tap() -> None:
    taps = Taps()
    mine, other = (SimulatedBot(BotSettings(token=f"{number}:{'x' * 35}"), 1) for number in (1, 2))
    number = taps.open(mine, ALI)
    assert taps.take(other, number, 150.0) is None
    assert taps.take(mine, number, 150.0) is not None
    assert taps.take(mine, number, 150.0) is None


async def test_what_each_chat_got(peer: Bot, bot: BotClient) -> None:
    for chat_id, text in ((ALI, "news 1"), (ALI, "news 1"), (ALI, "menu"), (VALI, "news 2")):
        await peer.send_message(chat_id, text)
    await bot.call("deleteMessage", chat_id=VALI, message_id=4)
    await bot.charge(await bot.link(), 44)
    assert await counts(bot) == {str(ALI): 3, str(VALI): 1}
    assert await counts(bot, "?text=news") == {str(ALI): 2, str(VALI): 1}
    assert await counts(bot, "?text=news 2") == {str(VALI): 1}


async def test_a_chat_is_remembered_in_versions() -> None:
    chat = Chat(ALI)
    sender = {"id": 1, "is_bot": True}
    first = chat.add({"message_id": 1, "from": sender, "text": "one"})
    chat.add({"message_id": 2, "from": sender, "text": "two"})
    seen = chat.version
    assert await chat.wait_changed(seen, 0.001) == seen
    assert list(chat.since(seen)) == []
    waiting = asyncio.create_task(chat.wait_changed(seen, 3600))
    await asyncio.sleep(0)
    before = first.message
    chat.edit(first, first.message | {"text": "other"})
    assert await asyncio.wait_for(waiting, PATIENCE_S) == chat.version > seen
    assert (before["text"], first.message["text"]) == ("one", "other")
    assert list(chat.since(seen)) == [first]
    chat.delete(first)
    assert chat.find(1) is None
    assert [entry.id for entry in chat.since(seen)] == [1]
    seen = chat.version
    chat.toast("7", "Done", show_alert=False, url="")
    assert await chat.wait_changed(seen, 0) == seen + 1
    chat.act(Action("typing", 0.0, None))
    assert await chat.wait_changed(seen + 1, 0) == seen + 2
    for number in range(3, ENTRIES_MAX + 5):
        chat.add({"message_id": number, "from": sender})
    assert len(chat.entries) == ENTRIES_MAX
    assert next(iter(chat.entries)) == 5


async def test_keyboards_stay_until_they_are_taken_away() -> None:
    chat = Chat(ALI)
    keyboard: dict[str, object] = {"keyboard": [[{"text": "Menu"}]]}
    chat.add({"message_id": 1, "from": {}}, keyboard=keyboard)
    chat.add({"message_id": 2, "from": {}})
    assert chat.keyboard == keyboard
    chat.add({"message_id": 3, "from": {}}, keyboard={"remove_keyboard": True})
    assert chat.keyboard is None
