"""Messages through the bot, against the simulated Telegram, and every way of not arriving."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from hamyon.kit.http import HttpClient
from hamyon.kit.storage import Storage, open_storage
from hamyon.messages.types import (
    Button,
    Edit,
    File,
    FileKind,
    FileMessage,
    Gone,
    Moved,
    Outgoing,
    Refused,
    Removal,
    Sender,
    SendOutcome,
    Sent,
    Target,
    TextMessage,
    Unclear,
    Wait,
)
from hamyon.providers.telegram.sender import TelegramSender
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.telegram.test_api import answering, bot_of, refusal, server_of

PERSON = 777
HERE = Target(PERSON)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(None, tmp_path, base_url="http://test", signing_key=b"k" * 32)


@pytest.fixture
async def sender(http: HttpClient, sandbox: Sandbox, storage: Storage) -> Sender:
    return TelegramSender(bot_of(http, sandbox.url), storage)


@pytest.fixture
async def chat(sandbox: Sandbox) -> AsyncIterator[Chat]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Chat(session)


class Chat:
    """What the simulated Telegram has in its chats."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def messages(self, chat_id: int = PERSON) -> list[dict[str, Any]]:
        """What was sent to a chat, as it was sent."""
        async with self._session.get(f"/telegram/messages?chat_id={chat_id}") as answer:
            assert answer.status == 200, await answer.text()
            return [one["message"] for one in (await answer.json())["messages"]]

    async def control(self, path: str, **body: object) -> None:
        async with self._session.post(f"/telegram/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, kind)
    return out.getvalue()


async def stored(
    storage: Storage, name: str, content: bytes, kind: FileKind, **more: object
) -> File:
    await storage.put(name, content)
    known: dict[str, Any] = {"mime": "image/png", "bytes": len(content), **more}
    return File(kind, name, name, **known)


async def photo(storage: Storage, name: str = "a.png", side: int = 40) -> File:
    content = picture(side, side)
    return await stored(storage, name, content, FileKind.PHOTO, width=side, height=side)


async def paper(storage: Storage, name: str = "paper.txt", content: bytes = b"hello") -> File:
    return await stored(storage, name, content, FileKind.DOCUMENT, mime="text/plain")


# --- texts ----------------------------------------------------------------------------------------


async def test_a_text(sender: Sender, chat: Chat) -> None:
    buttons = [[Button("Yes", data="yes"), Button("Site", url="https://example.org/")]]
    outcome = await sender.send(HERE, TextMessage("<b>Ready</b> at http://x.uz", buttons))
    (message,) = await chat.messages()
    assert outcome == Sent((message["message_id"],))
    assert message["text"] == "Ready at http://x.uz"
    assert message["entities"][0]["type"] == "bold"
    assert message["link_preview_options"] == {"is_disabled": True}
    (row,) = message["reply_markup"]["inline_keyboard"]
    assert [one["text"] for one in row] == ["Yes", "Site"]
    assert row[0]["callback_data"] == "yes"
    assert row[1]["url"] == "https://example.org/"


async def test_an_answer_to_what_is_there_and_to_what_is_gone(sender: Sender, chat: Chat) -> None:
    first = await sender.send(HERE, TextMessage("one"))
    assert isinstance(first, Sent)
    await sender.send(Target(PERSON, reply_to=first.message_ids[0]), TextMessage("two"))
    gone = await sender.send(Target(PERSON, reply_to=99_999), TextMessage("three"))
    assert isinstance(gone, Sent)
    _, two, three = await chat.messages()
    assert two["reply_to_message"]["message_id"] == first.message_ids[0]
    assert "reply_to_message" not in three


async def test_a_topic_that_is_there_and_one_that_is_not(sender: Sender, chat: Chat) -> None:
    await chat.control("person", id=PERSON, topics=[5])
    for topic in (5, 6):
        assert isinstance(
            await sender.send(Target(PERSON, topic_id=topic), TextMessage(f"to {topic}")), Sent
        )
    there, elsewhere = await chat.messages()
    assert (there["text"], there["message_thread_id"]) == ("to 5", 5)
    assert elsewhere["text"] == "to 6"
    assert "message_thread_id" not in elsewhere


async def test_a_text_changes_once_and_a_message_goes_once(sender: Sender, chat: Chat) -> None:
    sent = await sender.send(HERE, TextMessage("working", [[Button("Stop", data="stop")]]))
    assert isinstance(sent, Sent)
    (number,) = sent.message_ids
    for _ in range(2):
        assert isinstance(await sender.send(HERE, Edit(number, "done")), Sent)
    assert isinstance(await sender.send(HERE, Edit(number + 1000, "done")), Sent)
    for _ in range(2):
        assert isinstance(await sender.send(HERE, Removal(number)), Sent)
    assert isinstance(await sender.send(HERE, Edit(number, "done again")), Sent)


# --- files ----------------------------------------------------------------------------------------


async def test_a_photo_and_then_the_same_by_its_id(
    sender: Sender, chat: Chat, storage: Storage
) -> None:
    file = await photo(storage)
    buttons = [[Button("Again", data="again")]]
    first = await sender.send(HERE, FileMessage([file], "<i>Your</i> picture", buttons))
    (message,) = await chat.messages()
    assert isinstance(first, Sent)
    assert message["caption"] == "Your picture"
    assert message["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "again"
    assert first == Sent((message["message_id"],), (message["photo"][-1]["file_id"],))
    await storage.delete(file.path)
    known = with_ref(file, first.refs[0])
    again = await sender.send(HERE, FileMessage([known]))
    assert isinstance(again, Sent)
    assert again.refs == first.refs
    assert "caption" not in (await chat.messages())[1]


async def test_a_document_and_a_film(sender: Sender, chat: Chat, storage: Storage) -> None:
    film = await stored(
        storage, "a.mp4", b"film", FileKind.VIDEO, mime="video/mp4", width=64, height=48
    )
    one = await sender.send(HERE, FileMessage([await paper(storage, "Отчёт «1».txt")], "Read me"))
    two = await sender.send(HERE, FileMessage([film]))
    document, video = await chat.messages()
    assert document["document"]["file_name"] == "Отчёт «1».txt"
    assert (video["video"]["width"], video["video"]["height"]) == (64, 48)
    assert isinstance(one, Sent)
    assert isinstance(two, Sent)
    assert one.refs == (document["document"]["file_id"],)
    assert two.refs == (video["video"]["file_id"],)


async def test_a_strange_name_of_a_file(sender: Sender, chat: Chat, storage: Storage) -> None:
    file = replace(await paper(storage), name='a "b"\r\nX: 1\\.txt')
    assert isinstance(await sender.send(HERE, FileMessage([file])), Sent)
    (message,) = await chat.messages()
    assert message["document"]["file_name"].startswith('a "b"__X: 1')


async def test_an_album_in_its_order(sender: Sender, chat: Chat, storage: Storage) -> None:
    files = [await photo(storage, f"{side}.png", side) for side in (30, 60, 90)]
    outcome = await sender.send(HERE, FileMessage(files, "Three"))
    messages = await chat.messages()
    assert isinstance(outcome, Sent)
    assert outcome.message_ids == tuple(one["message_id"] for one in messages)
    assert [one["photo"][-1]["width"] for one in messages] == [30, 60, 90]
    assert outcome.refs == tuple(one["photo"][-1]["file_id"] for one in messages)
    assert [one.get("caption") for one in messages] == ["Three", None, None]
    assert len({one["media_group_id"] for one in messages}) == 1


async def test_photos_that_do_not_fit_go_as_documents_of_their_own(
    sender: Sender, chat: Chat, storage: Storage
) -> None:
    narrow = picture(400, 4)
    files = [
        await stored(storage, "narrow.png", narrow, FileKind.PHOTO, width=400, height=4),
        await photo(storage, "b.png", 50),
        await paper(storage),
        await photo(storage, "c.png", 60),
    ]
    outcome = await sender.send(HERE, FileMessage(files, "All of it"))
    messages = await chat.messages()
    assert isinstance(outcome, Sent)
    assert ["photo" in one for one in messages] == [True, True, False, False]
    assert [one.get("caption") for one in messages] == ["All of it", None, None, None]
    by_ref = {
        (one["photo"][-1] if "photo" in one else one["document"])["file_id"]: one
        for one in messages
    }
    shown = [by_ref[str(ref)] for ref in outcome.refs]
    assert [one.get("document", {}).get("file_name") for one in shown] == [
        "narrow.png",
        None,
        "paper.txt",
        None,
    ]
    assert outcome.message_ids == tuple(one["message_id"] for one in messages)


@pytest.mark.parametrize("content", [picture(400, 4), b"no picture at all"])
async def test_a_photo_that_telegram_refuses_goes_as_a_document(
    sender: Sender, chat: Chat, storage: Storage, content: bytes
) -> None:
    """Nothing in what is known of it says so before."""
    file = await stored(storage, "odd.png", content, FileKind.PHOTO)
    buttons = [[Button("Ok", data="ok")]]
    outcome = await sender.send(HERE, FileMessage([file], "Odd", buttons))
    (message,) = await chat.messages()
    assert outcome == Sent((message["message_id"],), (message["document"]["file_id"],))
    assert (message["caption"], "reply_markup" in message) == ("Odd", True)


async def test_an_album_with_a_photo_that_telegram_refuses(
    sender: Sender, chat: Chat, storage: Storage
) -> None:
    odd = await stored(storage, "odd.png", b"no picture", FileKind.PHOTO)
    outcome = await sender.send(HERE, FileMessage([await photo(storage), odd], "Two"))
    messages = await chat.messages()
    assert isinstance(outcome, Sent)
    assert [one["document"]["file_name"] for one in messages] == ["a.png", "odd.png"]
    assert outcome.refs == tuple(one["document"]["file_id"] for one in messages)


async def test_an_id_that_means_nothing_any_more(
    sender: Sender, chat: Chat, storage: Storage
) -> None:
    known = with_ref(await photo(storage), "AgACAgIAAxkforgotten")
    outcome = await sender.send(HERE, FileMessage([known]))
    assert isinstance(outcome, Sent)
    (message,) = await chat.messages()
    assert outcome.refs == (message["photo"][-1]["file_id"],)


async def test_an_id_of_a_document_where_a_photo_is_meant(
    sender: Sender, chat: Chat, storage: Storage
) -> None:
    first = await sender.send(HERE, FileMessage([await paper(storage)]))
    assert isinstance(first, Sent)
    known = with_ref(await photo(storage), first.refs[0])
    outcome = await sender.send(HERE, FileMessage([known]))
    assert isinstance(outcome, Sent)
    assert outcome.refs == first.refs
    assert len(await chat.messages()) == 2


async def test_what_cannot_be_uploaded(sender: Sender, chat: Chat, storage: Storage) -> None:
    film = File(FileKind.VIDEO, "film.mp4", "film.mp4", "video/mp4", 50 * 1024 * 1024 + 1)
    assert await sender.send(HERE, FileMessage([film])) == Refused("too large")
    lied = await stored(storage, "lied.bin", bytes(50 * 1024 * 1024 + 1), FileKind.DOCUMENT)
    assert await sender.send(HERE, FileMessage([with_bytes(lied, 5)])) == Refused("too large")
    absent = File(FileKind.PHOTO, "absent.png", "absent.png", "image/png", 5)
    outcome = await sender.send(HERE, FileMessage([absent]))
    assert isinstance(outcome, Refused)
    assert "absent.png" in outcome.reason
    assert await chat.messages() == []


async def test_a_later_part_waits_for_its_turn(
    sender: Sender, chat: Chat, storage: Storage, sandbox: Sandbox
) -> None:
    await sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "sendDocument", "nth": 1},
            "fault": {"kind": "status", "status": 429, "retry_after": 1},
        }
    )
    outcome = await sender.send(HERE, FileMessage([await photo(storage), await paper(storage)]))
    assert isinstance(outcome, Sent)
    assert ["photo" in one for one in await chat.messages()] == [True, False]


@pytest.mark.parametrize(
    ("fault", "outcome_type"),
    [
        ({"kind": "status", "status": 429, "retry_after": 60}, Unclear),
        ({"kind": "status", "status": 500}, Unclear),
        ({"kind": "status", "status": 403, "message": "Forbidden: user is deactivated"}, Unclear),
        ({"kind": "status", "status": 400, "message": "Bad Request: no"}, Refused),
    ],
)
async def test_a_later_part_that_does_not_arrive(
    sender: Sender,
    chat: Chat,
    storage: Storage,
    sandbox: Sandbox,
    fault: Mapping[str, object],
    outcome_type: type[SendOutcome],
) -> None:
    """Nobody is told that nothing was sent."""
    match = {"vendor": "telegram", "operation": "sendDocument"}
    await sandbox.faults({"match": match, "fault": dict(fault)})
    outcome = await sender.send(HERE, FileMessage([await photo(storage), await paper(storage)]))
    assert isinstance(outcome, outcome_type)
    assert isinstance(outcome, Refused) or getattr(outcome, "is_likely_there", False)
    assert len(await chat.messages()) == 1


# --- what does not arrive -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "description", "outcome"),
    [
        (403, "Forbidden: bot was blocked by the user", Gone("blocked")),
        (403, "Forbidden: bot was kicked from the supergroup chat", Gone("blocked")),
        (403, "Forbidden: bot is not a member of the channel chat", Gone("blocked")),
        (403, "Forbidden: user is deactivated", Gone("deactivated")),
        (403, "Forbidden: bot can't initiate conversation with a user", Gone("not_found")),
        (400, "Bad Request: chat not found", Gone("not_found")),
        (403, "Forbidden: bot can't send messages to bots", Refused("")),
        (400, "Bad Request: message is too long", Refused("")),
        (400, "Bad Request: BUTTON_DATA_INVALID", Refused("")),
        (401, "Unauthorized", Wait(60.0)),
        (404, "Not Found", Wait(60.0)),
        (409, "Conflict: terminated by other getUpdates request", Refused("")),
        (500, "Internal Server Error: restart", Unclear("")),
        (502, "Bad Gateway", Unclear("")),
    ],
)
async def test_what_a_refusal_means(
    http: HttpClient, storage: Storage, status: int, description: str, outcome: SendOutcome
) -> None:
    async with app_server(answering(status, refusal(status, description))) as url:
        told = await TelegramSender(bot_of(http, url), storage).send(HERE, TextMessage("hello"))
    if isinstance(outcome, Refused | Unclear):
        assert type(told) is type(outcome)
        assert not getattr(told, "is_likely_there", False), "it was answered, if badly"
        assert description in getattr(told, "reason", "")
    else:
        assert told == outcome


@pytest.mark.parametrize(
    ("parameters", "wait_s"), [({"retry_after": 17}, 17.0), ({}, 5.0), ({"retry_after": 0}, 0.0)]
)
async def test_too_much(
    http: HttpClient, storage: Storage, parameters: dict[str, object], wait_s: float
) -> None:
    body = refusal(429, "Too Many Requests: retry after 17", parameters)
    async with app_server(answering(429, body)) as url:
        told = await TelegramSender(bot_of(http, url), storage).send(HERE, TextMessage("hello"))
    assert told == Wait(wait_s)


async def test_a_group_that_moved(http: HttpClient, storage: Storage) -> None:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    body = refusal(400, words, {"migrate_to_chat_id": -100123})
    async with app_server(answering(400, body)) as url:
        told = await TelegramSender(bot_of(http, url), storage).send(Target(-5), TextMessage("x"))
    assert told == Moved(-100123)


async def test_nobody_there_and_nobody_answering(http: HttpClient, storage: Storage) -> None:
    told = await TelegramSender(bot_of(http, "http://127.0.0.1:1"), storage).send(
        HERE, TextMessage("hello")
    )
    assert isinstance(told, Wait)

    async def hanging(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with app_server(server_of(hanging)) as url:
        api = bot_of(http, url, timeout_s=0.2)
        told = await TelegramSender(api, storage).send(HERE, TextMessage("hello"))
    assert isinstance(told, Unclear)
    assert told.is_likely_there


async def test_blocked_and_strange_people(sender: Sender, chat: Chat, sandbox: Sandbox) -> None:
    await chat.control("person", id=PERSON, is_deactivated=True)
    assert await sender.send(HERE, TextMessage("x")) == Gone("deactivated")
    await sandbox.vendor_settings("telegram", people_must_start=True)
    assert await sender.send(Target(778), TextMessage("x")) == Gone("not_found")
    assert await sender.send(Target(-4), TextMessage("x")) == Gone("not_found")


@pytest.mark.parametrize(
    ("message", "description"),
    [
        (Edit(5, "x"), "Bad Request: message can't be edited"),
        (Removal(5), "Bad Request: message can't be deleted"),
        (TextMessage("x"), "Bad Request: message to edit not found"),
    ],
)
async def test_a_change_that_is_refused(
    http: HttpClient, storage: Storage, message: Outgoing, description: str
) -> None:
    async with app_server(answering(400, refusal(400, description))) as url:
        told = await TelegramSender(bot_of(http, url), storage).send(HERE, message)
    assert isinstance(told, Refused)


async def test_a_gateway_that_finds_an_upload_too_large(http: HttpClient, storage: Storage) -> None:
    """It is no answer of Telegram's, and nothing was passed on: a document is tried instead."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path.rsplit("/", 1)[1])
        return web.Response(status=413, text="<html>")

    async with app_server(server_of(handler)) as url:
        sender = TelegramSender(bot_of(http, url), storage)
        assert isinstance(await sender.send(HERE, FileMessage([await photo(storage)])), Refused)
    assert asked == ["sendPhoto", "sendDocument"]


async def test_an_answer_that_tells_nothing_is_an_arrival(
    http: HttpClient, storage: Storage
) -> None:
    async with app_server(answering(200, {"ok": True, "result": True})) as url:
        sender = TelegramSender(bot_of(http, url), storage)
        assert await sender.send(HERE, TextMessage("x")) == Sent()
        message = FileMessage([await photo(storage), await photo(storage, "b.png")])
        assert await sender.send(HERE, message) == Sent((), (None, None))


async def test_paid_pace(http: HttpClient, storage: Storage) -> None:
    seen: list[Mapping[str, object]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({"ok": True, "result": {"message_id": 1}})

    async with app_server(server_of(handler)) as url:
        sender = TelegramSender(bot_of(http, url), storage)
        await sender.send(HERE, TextMessage("x"), paid=True)
        await sender.send(HERE, TextMessage("x"))
    assert [one.get("allow_paid_broadcast") for one in seen] == [True, None]


def with_ref(file: File, ref: str | None) -> File:
    return File(
        file.kind, file.path, file.name, file.mime, file.bytes, file.width, file.height, ref
    )


def with_bytes(file: File, size: int) -> File:
    return File(file.kind, file.path, file.name, file.mime, size)
