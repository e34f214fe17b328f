"""People in the simulated Telegram: what they do, and what a polling bot hears of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import (
    InlineKeyboardButton,
    LabeledPrice,
)
from PIL import Image

from sandbox.telegram.settings import DEFAULT_TOKEN
from sandbox.telegram.spans import find_spans
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram_people import (
    EVIL,
    PATIENCE_S,
    Person,
    PollingBot,
    key,
    keyboard,
    polling_bot,
)


@pytest.fixture
async def person(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Person(session)


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[PollingBot]:
    async with polling_bot(sandbox.url, DEFAULT_TOKEN) as polling:
        yield polling


def picture(width: int = 640, height: int = 400, colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


async def test_what_is_said_arrives(person: Person, bot: PollingBot) -> None:
    sent = await person.does("text", text="  😀 /pay@hamyon_sandbox_bot soon, see t.me/x  ")
    message = (await bot.next()).message
    assert message is not None
    assert message.message_id == sent["message_id"]
    assert message.text == "😀 /pay@hamyon_sandbox_bot soon, see t.me/x"
    assert (message.chat.id, message.chat.type) == (777, "private")
    assert message.from_user is not None
    assert (message.from_user.id, message.from_user.full_name) == (777, "Person 777")
    assert [(one.type, one.extract_from(message.text)) for one in message.entities or []] == [
        ("bot_command", "/pay@hamyon_sandbox_bot"),
        ("url", "t.me/x"),
    ]
    screen = await person.looks()
    assert [one["is_mine"] for one in screen["messages"]] == [True]
    assert screen["is_started"] is True


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("/start", {"bot_command": "/start"}),
        ("/start/x", {}),
        ("1/2 and a/b", {}),
        ("/нет", {}),
        ("see https://a.uz/x?y=(1), ok", {"url": "https://a.uz/x?y=(1"}),
        ("hello.world", {}),
        ("write to a.b@mail.ru!", {"email": "a.b@mail.ru"}),
        ("@hamyon_bot", {"mention": "@hamyon_bot"}),
        ("#осень #1", {"hashtag": "#осень"}),
        ("$USD or $usd", {"cashtag": "$USD"}),
    ],
)
def test_what_is_marked_by_itself(text: str, marked: dict[str, str]) -> None:
    units = text.encode("utf-16-le")
    found = {}
    for span in find_spans(text):
        start, length = span["offset"], span["length"]
        assert isinstance(start, int)
        assert isinstance(length, int)
        found[span["type"]] = units[start * 2 : (start + length) * 2].decode("utf-16-le")
    assert found == marked


async def test_an_answer_quotes_what_it_answers(person: Person, bot: PollingBot) -> None:
    asked = await bot.api.send_message(777, "Which one?")
    first = await person.does("text", text="The first", reply_to=asked.message_id)
    await person.does("text", text="No", reply_to=first["message_id"])
    told, corrected = [update.message for update in await bot.news()]
    assert told is not None
    assert corrected is not None
    assert told.reply_to_message is not None
    assert told.reply_to_message.text == "Which one?"
    assert corrected.reply_to_message is not None
    assert corrected.reply_to_message.text == "The first"
    assert corrected.reply_to_message.reply_to_message is None
    assert await person.refused("text", text="?", reply_to=999) == "There is no such message."


async def test_start_brings_the_payload_of_the_link(person: Person, bot: PollingBot) -> None:
    assert (await person.looks())["is_started"] is False
    await person.does("start", payload="ref_5-A")
    await person.does("start")
    texts = [update.message.text for update in await bot.news() if update.message]
    assert texts == ["/start ref_5-A", "/start"]
    for payload in ("реф", "a b", "x" * 65):
        assert "64 characters" in await person.refused("start", payload=payload)
    assert await bot.news() == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"text": " "}, "A message needs a text."),
        ({"text": "😀" * 2048 + "x"}, "A text has at most 4096 characters here."),
        ({}, "text: Field required."),
        ({"text": "x", "spoiler": True}, "spoiler: Extra inputs are not permitted."),
    ],
)
async def test_what_cannot_be_said(
    person: Person, bot: PollingBot, body: dict[str, object], told: str
) -> None:
    assert await person.refused("text", **body) == told
    assert await bot.news() == []
    assert (await person.looks())["messages"] == []


async def test_a_photo_comes_in_sizes(person: Person, bot: PollingBot) -> None:
    files = [("a.png", picture(1600, 900), "image/png")]
    status, _ = await person.uploads("photo", files, caption=" Look: /help ")
    assert status == 200
    message = (await bot.next()).message
    assert message is not None
    assert message.photo is not None
    assert [(one.width, one.height) for one in message.photo][-1] == (1280, 720)
    assert len({one.file_id for one in message.photo}) == len(message.photo) >= 2
    assert (message.caption, message.media_group_id) == ("Look: /help", None)
    assert [one.type for one in message.caption_entities or []] == ["bot_command"]
    largest = message.photo[-1].file_id
    downloaded = await bot.api.download(largest)
    assert downloaded is not None
    async with person.session.get(f"/telegram/chat/file/{largest}") as answer:
        content = await answer.read()
        assert answer.content_type == "image/jpeg"
        assert "Content-Disposition" not in answer.headers
    assert content == downloaded.read()
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1280, 720))


async def test_an_album_is_one_message_a_picture(person: Person, bot: PollingBot) -> None:
    files = [(f"{n}.png", picture(100 + n, 100), "image/png") for n in range(10)]
    await person.uploads("photo", files, caption="Ten")
    await person.uploads("photo", files[:2])
    messages = [update.message for update in await bot.news() if update.message]
    assert [one.photo[-1].width for one in messages if one.photo] == [
        *range(100, 110),
        100,
        101,
    ]
    assert [one.caption for one in messages] == ["Ten", *[None] * 11]
    groups = [one.media_group_id for one in messages]
    assert len(set(groups[:10])) == len(set(groups[10:])) == 1
    assert None not in groups
    assert groups[0] != groups[-1]


async def test_pictures_that_cannot_be_sent(person: Person, bot: PollingBot) -> None:
    good = ("a.png", picture(), "image/png")
    bad = ("b.png", b"no picture", "image/png")
    for files in ([good, bad], [good] * 11, []):
        status, told = await person.uploads("photo", files)
        assert status == 400
        assert told["error"].endswith(".")
    status, told = await person.uploads("photo", [good], caption="x" * 1025)
    assert (status, told["error"]) == (400, "A text has at most 1024 characters here.")
    assert await bot.news() == []
    assert (await person.looks())["messages"] == []


async def test_files_arrive_as_they_are(person: Person, bot: PollingBot) -> None:
    page = EVIL.encode()
    files = [("хисобот.html", page, "text/html"), ("b.png", picture(), "image/png")]
    await person.uploads("document", files, caption="Two")
    first, second = [update.message for update in await bot.news()]
    assert first is not None
    assert second is not None
    assert first.document is not None
    assert second.document is not None
    assert (first.document.file_name, first.document.mime_type) == ("хисобот.html", "text/html")
    assert (first.caption, second.caption) == ("Two", None)
    assert second.document.file_size == len(picture())
    async with person.session.get(f"/telegram/chat/file/{first.document.file_id}") as answer:
        assert await answer.read() == page
        # A page that a stranger sends must not run in the chat's own page.
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    async with person.session.get(f"/telegram/chat/file/{second.document.file_id}") as answer:
        assert await answer.read() == picture()
    async with person.session.get("/telegram/chat/file/none") as answer:
        assert (answer.status, await answer.json()) == (404, {"error": "There is no such file."})


async def test_a_film_is_a_video(person: Person, bot: PollingBot) -> None:
    await person.uploads("document", [("a.mp4", b"film", "video/mp4")])
    message = (await bot.next()).message
    assert message is not None
    assert message.video is not None
    assert (message.video.file_name, message.video.file_size) == ("a.mp4", 4)


async def test_a_press_and_its_answer(person: Person, bot: PollingBot) -> None:
    sent = await bot.api.send_message(777, "Menu", reply_markup=keyboard([key("Buy", "buy:1")]))
    await person.looks()
    pressed = await person.does("press", message_id=sent.message_id, data="buy:1")
    again = await person.does("press", message_id=sent.message_id, data="buy:1")
    assert pressed["query_id"] != again["query_id"]
    query, repeated = [update.callback_query for update in await bot.news()]
    assert query is not None
    assert repeated is not None
    assert (query.id, query.data, query.from_user.id) == (pressed["query_id"], "buy:1", 777)
    assert query.message is not None
    assert query.message.message_id == sent.message_id
    assert query.chat_instance == repeated.chat_instance
    await bot.api.answer_callback_query(query.id, EVIL, show_alert=True)
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.api.answer_callback_query(query.id, "twice")
    toasts = (await person.looks(5))["toasts"]
    assert toasts == [{"query_id": query.id, "text": EVIL, "show_alert": True, "url": ""}]
    assert (await person.looks())["toasts"] == []
    assert (await person.screen())["toasts"] == []


async def test_a_button_that_is_gone_is_not_pressed(person: Person, bot: PollingBot) -> None:
    gone = "The message has no such button any more."
    one = keyboard([key("One", "1"), InlineKeyboardButton(text="Site", url="https://a.uz/")])
    sent = await bot.api.send_message(777, "Menu", reply_markup=one)
    assert await person.refused("press", message_id=sent.message_id, data="2") == gone
    assert await person.refused("press", message_id=sent.message_id, data="https://a.uz/") == gone
    two = keyboard([key("Two", "2")])
    await bot.api.edit_message_reply_markup(
        chat_id=777, message_id=sent.message_id, reply_markup=two
    )
    assert await person.refused("press", message_id=sent.message_id, data="1") == gone
    await person.does("press", message_id=sent.message_id, data="2")
    query = (await bot.next()).callback_query
    assert query is not None
    assert query.data == "2"
    await bot.api.edit_message_text("Over", chat_id=777, message_id=sent.message_id)
    assert await person.refused("press", message_id=sent.message_id, data="2") == gone
    await bot.api.delete_message(777, sent.message_id)
    missing = "There is no such message."
    assert await person.refused("press", message_id=sent.message_id, data="2") == missing
    assert await bot.news() == []


async def test_nobody_presses_another_persons_button(person: Person, bot: PollingBot) -> None:
    sent = await bot.api.send_message(777, "Menu", reply_markup=keyboard([key("One", "1")]))
    stranger = Person(person.session, 778)
    missing = "There is no such message."
    assert await stranger.refused("press", message_id=sent.message_id, data="1") == missing
    assert (await stranger.looks())["messages"] == []


async def test_an_invoice_is_paid_in_the_chat(person: Person, bot: PollingBot) -> None:
    sent = await bot.api.send_invoice(
        777, "1000 credits", "For pictures", "p-1", "XTR", [LabeledPrice(label="x", amount=70)]
    )
    await person.looks()
    paying = asyncio.create_task(person.does("pay", message_id=sent.message_id))
    asked = (await bot.next()).pre_checkout_query
    assert asked is not None
    assert (asked.invoice_payload, asked.total_amount) == ("p-1", 70)
    await bot.api.answer_pre_checkout_query(asked.id, ok=True)
    charge = (await asyncio.wait_for(paying, PATIENCE_S))["charge_id"]
    paid = (await bot.next()).message
    assert paid is not None
    assert paid.successful_payment is not None
    assert paid.successful_payment.telegram_payment_charge_id == charge
    screen = await person.looks()
    assert screen["paid"] == [sent.message_id]
    assert screen["person"]["stars"] == 1_000_000 - 70
    assert "successful_payment" in screen["messages"][-1]["message"]
    again = await person.refused("pay", message_id=sent.message_id)
    assert again == "Not paid: this invoice is already paid"
    assert (await bot.api.get_my_star_balance()).amount == 70


async def test_what_is_not_paid_is_explained(person: Person, bot: PollingBot) -> None:
    sent = await bot.api.send_invoice(
        777, "1000 credits", "For pictures", "p-1", "XTR", [LabeledPrice(label="x", amount=70)]
    )
    paying = asyncio.create_task(person.refused("pay", message_id=sent.message_id))
    asked = (await bot.next()).pre_checkout_query
    assert asked is not None
    await bot.api.answer_pre_checkout_query(asked.id, ok=False, error_message="Sold out")
    assert await asyncio.wait_for(paying, PATIENCE_S) == "Not paid: Sold out"
    text = await bot.api.send_message(777, "No invoice")
    told = await person.refused("pay", message_id=text.message_id)
    assert told == "This message is no invoice."
    assert (await person.looks())["paid"] == []


async def test_a_bot_is_blocked_and_unblocked(person: Person, bot: PollingBot) -> None:
    await person.does("start")
    await bot.news()
    for _ in range(2):
        await person.does("block")
    assert (await person.looks())["is_blocked"] is True
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.api.send_message(777, "Hello?")
    assert "unblock it first" in await person.refused("text", text="Hello?")
    for _ in range(2):
        await person.does("unblock")
    await bot.api.send_message(777, "Hello!")
    changes = [update.my_chat_member for update in await bot.news()]
    statuses = [
        (one.old_chat_member.status, one.new_chat_member.status, one.from_user.id)
        for one in changes
        if one is not None
    ]
    assert statuses == [("member", "kicked", 777), ("kicked", "member", 777)]
    assert (await person.looks())["is_blocked"] is False
