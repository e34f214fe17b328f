"""Photos, documents, films and albums: sent by aiogram and by hand, downloaded, refused."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramEntityTooLarge
from aiogram.types import (
    BufferedInputFile,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaAnimation,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    Message,
)
from aiohttp import web
from PIL import Image

from sandbox.pictures import blank_png
from sandbox.telegram.edits import NOT_MODIFIED
from sandbox.telegram.files import FILES_BYTES_MAX, Files
from sandbox.telegram.media import NO_SUCH_FILE
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import PATIENCE_S, BotClient, bot_client, bot_hook, peer_bot

ALI = 42
MB = 1024 * 1024


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        yield client


@pytest.fixture
async def peer(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with peer_bot(sandbox) as client:
        yield client


def picture(
    width: int = 64, height: int = 64, encoding: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), "red").save(out, encoding, **options)
    return out.getvalue()


def file(content: bytes, name: str = "file.bin") -> BufferedInputFile:
    return BufferedInputFile(content, name)


async def download(peer: Bot, file_id: str) -> bytes:
    found = await peer.download(file_id)
    assert found is not None
    return found.read()


async def test_a_photo_comes_in_sizes(peer: Bot) -> None:
    message = await peer.send_photo(
        ALI, file(picture(3000, 1500)), caption="*big*", parse_mode="MarkdownV2", has_spoiler=True
    )
    assert message.photo is not None
    assert [(one.width, one.height) for one in message.photo] == [
        (320, 160),
        (800, 400),
        (1280, 640),
    ]
    assert (message.caption, message.has_media_spoiler) == ("big", True)
    assert [one.type for one in message.caption_entities or []] == ["bold"]
    for size in message.photo:
        content = await download(peer, size.file_id)
        assert len(content) == size.file_size
        with Image.open(io.BytesIO(content)) as shown:
            assert (shown.format, shown.size) == ("JPEG", (size.width, size.height))
            red, green, blue = shown.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            assert red > 240
            assert max(green, blue) < 20


async def test_small_turned_and_clear_photos(peer: Bot) -> None:
    small = await peer.send_photo(ALI, file(picture(50, 40)))
    assert [(one.width, one.height) for one in small.photo or []] == [(50, 40)]
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = await peer.send_photo(ALI, file(picture(2000, 1000, "JPEG", exif=exif)))
    assert [(one.width, one.height) for one in turned.photo or []][-1] == (640, 1280)
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(clear, "PNG")
    white = await peer.send_photo(ALI, file(clear.getvalue()))
    assert white.photo is not None
    with Image.open(io.BytesIO(await download(peer, white.photo[-1].file_id))) as shown:
        assert shown.getpixel((32, 32)) == (255, 255, 255)


async def test_a_document_stays_as_it_is(peer: Bot, bot: BotClient, tmp_path: Path) -> None:
    content = picture(3000, 2000) + b"tail"
    path = tmp_path / "Расм 1.png"
    path.write_bytes(content)
    message = await peer.send_document(ALI, FSInputFile(path), caption="yours")
    assert message.document is not None
    assert message.document.file_name == "Расм 1.png"
    assert message.document.file_size == len(content)
    assert await download(peer, message.document.file_id) == content
    again = await peer.send_document(43, message.document.file_id)
    assert again.document is not None
    assert again.document.file_unique_id == message.document.file_unique_id
    assert await download(peer, again.document.file_id) == content
    found = await bot.call("getFile", file_id=message.document.file_id)
    assert set(found.result) == {"file_id", "file_unique_id", "file_size", "file_path"}
    for wrong in ("/file/bot1:x/" + found.result["file_path"], f"/file/bot{bot.token}/documents/x"):
        async with bot.session.get(wrong) as answer:
            assert answer.status == 404
            assert (await answer.json())["description"] == "Not Found"


async def test_films(peer: Bot) -> None:
    video = await peer.send_video(
        ALI, file(b"film", "film.mp4"), width=640, height=480, duration=7, caption="film"
    )
    assert video.video is not None
    told = (video.video.width, video.video.height, video.video.duration, video.video.mime_type)
    assert told == (640, 480, 7, "video/mp4")
    assert await download(peer, video.video.file_id) == b"film"
    animation = await peer.send_animation(ALI, file(b"gif", "gif.mp4"))
    assert animation.animation is not None
    assert animation.document is not None
    assert animation.document.file_id == animation.animation.file_id
    as_document = await peer.send_document(ALI, video.video.file_id)
    assert as_document.video is not None


async def test_what_cannot_be_sent_by_its_name(peer: Bot, bot: BotClient, sandbox: Sandbox) -> None:
    photo = (await peer.send_photo(ALI, file(picture()))).photo
    document = (await peer.send_document(ALI, file(b"x"))).document
    assert photo is not None
    assert document is not None
    cases: list[tuple[str, dict[str, object], str]] = [
        ("sendPhoto", {"photo": document.file_id}, "can't use file of type Document as Photo"),
        ("sendVideo", {"video": photo[-1].file_id}, "can't use file of type Photo as Video"),
        ("sendPhoto", {"photo": "AgAC"}, NO_SUCH_FILE),
        ("sendPhoto", {"photo": "https://example.org/a.jpg"}, "wrong type of the web page content"),
        ("sendPhoto", {"photo": "attach://nothing"}, "there is no photo in the request"),
        ("sendDocument", {}, "there is no document in the request"),
        ("getFile", {}, "file_id not specified"),
        ("getFile", {"file_id": "nonsense"}, "invalid file_id"),
        ("getFile", {"file_id": photo[0].file_id + "x"}, NO_SUCH_FILE),
        (
            "sendDocument",
            {"document": document.file_id, "caption": "😀" * 513},
            "message caption is too long",
        ),
    ]
    for method, params, told in cases:
        answer = await bot.call(method, chat_id=ALI, **params)
        assert answer.refusal == (400, f"Bad Request: {told}")
    other = "4242:another-token-0123456789abcdefghijk"
    await sandbox.vendor_settings(
        "telegram", bots=[{"token": bot.token}, {"token": other, "username": "other_bot"}]
    )
    async with peer_bot(sandbox) as one, peer_bot(sandbox, other) as two:
        mine = (await one.send_document(ALI, file(b"x"))).document
        assert mine is not None
        with pytest.raises(TelegramBadRequest, match=NO_SUCH_FILE):
            await two.send_document(ALI, mine.file_id)
        with pytest.raises(TelegramBadRequest, match=NO_SUCH_FILE):
            await two.get_file(mine.file_id)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (picture()[:60], "IMAGE_PROCESS_FAILED"),
        (picture(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (picture(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (blank_png(20_000, 20_000), "PHOTO_INVALID_DIMENSIONS"),
        (picture() + bytes(10 * MB), "file is too big"),
        (b"", "file must be non-empty"),
    ],
    ids=["no picture", "cut off", "too long", "too large", "bomb", "too heavy", "empty"],
)
async def test_bad_photos(peer: Bot, bot: BotClient, content: bytes, told: str) -> None:
    with pytest.raises(TelegramBadRequest, match=f"Bad Request: {told}"):
        await peer.send_photo(ALI, file(content))
    assert await bot.sent() == []


async def test_photos_just_within_the_limits(peer: Bot) -> None:
    for content in (picture(2000, 100), picture(9000, 1000), picture().ljust(10 * MB, b"\0")):
        assert (await peer.send_photo(ALI, file(content))).photo


async def test_what_is_too_big_to_download_or_to_send(peer: Bot) -> None:
    document = (await peer.send_document(ALI, file(bytes(20 * MB)))).document
    assert document is not None
    assert len(await download(peer, document.file_id)) == 20 * MB
    big = (await peer.send_document(ALI, file(bytes(20 * MB + 1)))).document
    assert big is not None
    with pytest.raises(TelegramBadRequest, match="Bad Request: file is too big"):
        await peer.get_file(big.file_id)
    with pytest.raises(TelegramEntityTooLarge, match="Request Entity Too Large"):
        await peer.send_document(ALI, file(bytes(50 * MB + 1)))
    assert (await peer.send_message(ALI, "still there")).text == "still there"


async def test_albums(peer: Bot) -> None:
    sent = await peer.send_media_group(
        ALI,
        [
            InputMediaPhoto(media=file(picture()), caption="<b>one</b>", parse_mode="HTML"),
            InputMediaVideo(media=file(b"film"), width=4, height=3),
            InputMediaPhoto(media=file(picture(90, 50)), has_spoiler=True),
        ],
    )
    assert [one.content_type for one in sent] == ["photo", "video", "photo"]
    assert len({one.media_group_id for one in sent}) == 1
    assert sent[0].media_group_id
    assert (sent[0].caption, len(sent[0].caption_entities or [])) == ("one", 1)
    assert (sent[1].caption, sent[2].has_media_spoiler) == (None, True)
    ids = [one.message_id for one in sent]
    assert ids == list(range(ids[0], ids[0] + 3))
    documents: list[Any] = [InputMediaDocument(media=file(str(n).encode())) for n in range(10)]
    whole = await peer.send_media_group(ALI, documents)
    assert len(whole) == 10
    for number, one in enumerate(whole):
        assert one.document is not None
        assert await download(peer, one.document.file_id) == str(number).encode()
    with pytest.raises(TelegramBadRequest, match="can't change media type in the album"):
        await sent[0].edit_media(InputMediaDocument(media=file(b"x")))
    edited = await sent[0].edit_media(InputMediaVideo(media=file(b"film")))
    assert isinstance(edited, Message)
    assert edited.video
    assert edited.media_group_id == sent[0].media_group_id


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([], "there are no messages to send"),
        (["photo"], "MULTI_MEDIA_TOO_SHORT"),
        (["photo"] * 11, "too many messages to send as an album"),
        (["photo", "document"], "can't use the media of the specified type in the album"),
        (["document", "video"], "can't use the media of the specified type in the album"),
        (
            ["animation", "animation"],
            "can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup",
        ),
        (["sticker", "sticker"], 'can\'t parse InputMedia: type "sticker" is unsupported'),
    ],
)
async def test_bad_albums(bot: BotClient, kinds: list[str], told: str) -> None:
    form = aiohttp.FormData()
    form.add_field("chat_id", str(ALI))
    form.add_field(
        "media", orjson.dumps([{"type": one, "media": "attach://x"} for one in kinds]).decode()
    )
    form.add_field("x", picture(), filename="x.png", content_type="image/png")
    answer = await bot.request("POST", "sendMediaGroup", data=form)
    assert answer.refusal == (400, f"Bad Request: {told}")
    assert await bot.sent() == []


async def test_an_album_without_its_files(bot: BotClient) -> None:
    for media, told in (
        ([{"type": "photo", "media": "attach://x"}] * 2, "can't parse InputMedia: media not found"),
        ([{"type": "photo"}] * 2, "can't parse InputMedia: media not found"),
        ([7, 8], "can't parse InputMedia: expected an Object"),
        ("[", "can't parse media JSON object"),
        ({}, "expected an Array of InputMedia"),
        ("", 'parameter "media" is required'),
    ):
        answer = await bot.call("sendMediaGroup", chat_id=ALI, media=media)
        assert answer.refusal == (400, f"Bad Request: {told}")
    assert await bot.sent() == []


async def test_a_broken_album_is_not_begun(peer: Bot, bot: BotClient) -> None:
    album: list[Any] = [InputMediaPhoto(media=file(one)) for one in (picture(), b"broken")]
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await peer.send_media_group(ALI, album)
    assert await bot.sent() == []


async def test_captions_and_files_are_edited(peer: Bot) -> None:
    buttons = InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text="x", callback_data="x")]]
    )
    message = await peer.send_photo(ALI, file(picture()), caption="one", reply_markup=buttons)
    assert message.photo is not None
    for call in (
        message.edit_caption(caption="one", reply_markup=buttons),
        message.edit_media(
            InputMediaPhoto(media=message.photo[-1].file_id, caption="one"), reply_markup=buttons
        ),
    ):
        with pytest.raises(TelegramBadRequest, match=f"Bad Request: {NOT_MODIFIED}"):
            await call
    edited = await message.edit_caption(caption="<i>two</i>", parse_mode="HTML")
    assert isinstance(edited, Message)
    assert (edited.caption, edited.reply_markup) == ("two", None)
    assert edited.photo == message.photo
    with pytest.raises(TelegramBadRequest, match="there is no text in the message to edit"):
        await message.edit_text("x")
    other = await message.edit_media(InputMediaDocument(media=file(b"x"), caption="three"))
    assert isinstance(other, Message)
    assert (other.photo, other.caption, other.caption_entities) == (None, "three", None)
    assert other.document is not None
    film = await message.edit_media(InputMediaAnimation(media=file(b"y")))
    assert isinstance(film, Message)
    assert (film.animation is not None, film.caption) == (True, None)
    text = await peer.send_message(ALI, "text")
    now = await text.edit_media(InputMediaPhoto(media=file(picture())))
    assert isinstance(now, Message)
    assert (now.text, now.photo is not None) == (None, True)


async def test_a_photo_is_copied_with_other_words(peer: Bot, bot: BotClient) -> None:
    photo = await peer.send_photo(ALI, file(picture()), caption="one")
    await peer.copy_message(43, ALI, photo.message_id)
    await peer.copy_message(43, ALI, photo.message_id, caption="two")
    await photo.forward(43)
    sent = [one["message"] for one in await bot.sent("?chat_id=43")]
    assert [one["caption"] for one in sent] == ["one", "two", "one"]
    sizes = [one.model_dump(exclude_none=True) for one in photo.photo or []]
    assert all(one["photo"] == sizes for one in sent)


async def test_multipart_in_its_forms(bot: BotClient) -> None:
    """The file under its own name, and under another that ``attach://`` names."""
    for field, said in (("photo", {}), ("other", {"photo": "attach://other"})):
        form = aiohttp.FormData({"chat_id": str(ALI), "caption": "x", **said})
        form.add_field(field, picture(), filename="x.png", content_type="image/png")
        sent = await bot.request("POST", "sendPhoto", data=form)
        assert (sent.result["caption"], len(sent.result["photo"])) == ("x", 1)


async def test_faults_strike_downloads(peer: Bot, bot: BotClient, sandbox: Sandbox) -> None:
    document = (await peer.send_document(ALI, file(b"x" * 100))).document
    assert document is not None
    path = (await bot.call("getFile", file_id=document.file_id)).result["file_path"]
    match = {"vendor": "telegram", "operation": "download", "times": 1}
    await sandbox.fault("status", match, status=502)
    url = f"/file/bot{bot.token}/{path}"
    async with bot.session.get(url) as answer:
        assert answer.status == 502
    async with bot.session.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, b"x" * 100)


async def test_a_webhooks_answer_may_send_a_file(bot: BotClient) -> None:
    form = aiohttp.FormData({"method": "sendPhoto", "chat_id": str(ALI)})
    form.add_field("photo", picture(), filename="x.png", content_type="image/png")
    async with bot_hook() as hook:
        hook.answers = [web.Response(body=form())]
        await bot.call("setWebhook", url=hook.url)
        await bot.charge(await bot.link())
        async with asyncio.timeout(PATIENCE_S):
            while not (sent := await bot.sent("?chat_id=42")):
                await asyncio.sleep(0.02)
    assert len(sent[0]["message"]["photo"]) == 1


def test_the_oldest_files_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.telegram.files.FILES_BYTES_MAX", 100)
    assert FILES_BYTES_MAX == 512 * MB
    files = Files()
    first, second, third = (files.add(bytes(40), "text/plain", "x") for _ in range(3))
    assert files.find(first.file_id) is None
    assert files.at(first.path) is None
    assert files.find(second.file_id) is second
    assert files.at(third.path) is third
    assert files.size_bytes == 80
