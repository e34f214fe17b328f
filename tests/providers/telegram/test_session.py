"""aiogram over the shared client: what it sends arrives, and no failure tells the token."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError, TelegramRetryAfter
from aiogram.types import BufferedInputFile, InputMediaDocument

from hamyon.kit.errors import FileGone
from hamyon.kit.http import HttpClient, HttpFailure
from hamyon.providers.telegram.session import open_bot
from tests.bot.snaps import snap
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import BOT_TOKEN

ANNA = 777
SECRET = BOT_TOKEN.partition(":")[2]


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with HttpClient() as http:
        yield open_bot(http, token=BOT_TOKEN, base_url=sandbox.url, timeout_s=5.0)


async def test_html_and_no_previews_are_its_defaults(bot: Bot) -> None:
    sent = await bot.send_message(ANNA, "<b>Oʻzbekiston</b> &amp; https://example.org")
    assert sent.text == "Oʻzbekiston & https://example.org"
    assert [entity.type for entity in sent.entities or []] == ["bold"]
    assert sent.link_preview_options is not None
    assert sent.link_preview_options.is_disabled


async def test_files_go_up_and_come_down(bot: Bot) -> None:
    photo = snap(3, "PNG")
    media = [
        InputMediaDocument(media=BufferedInputFile(photo, 'Bir "rasm".png')),
        InputMediaDocument(media=BufferedInputFile(b"text", "b.txt"), caption="<i>two</i>"),
    ]
    first, second = await bot.send_media_group(ANNA, media)  # type: ignore[arg-type]  # aiogram's
    assert first.document is not None
    assert second.document is not None
    assert second.caption == "two"
    down = await bot.download(first.document.file_id)
    assert isinstance(down, io.BytesIO)
    assert down.read() == photo


async def test_what_telegram_refuses_is_aiograms_error(bot: Bot, sandbox: Sandbox) -> None:
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(-5, "hello")
    await sandbox.fault("status", {"vendor": "telegram"}, status=429, retry_after=7)
    with pytest.raises(TelegramRetryAfter) as refusal:
        await bot.send_message(ANNA, "hello")
    assert refusal.value.retry_after == 7


@pytest.mark.parametrize("kind", ["refuse", "accepted_then_cut", "answer_truncated"])
async def test_a_cut_line_names_no_token(bot: Bot, sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind, {"vendor": "telegram"})
    with pytest.raises(TelegramNetworkError) as failure:
        await bot.send_message(ANNA, "hello")
    assert SECRET not in repr(failure.value) + str(failure.value) + repr(failure.value.__cause__)


async def test_a_file_that_is_gone_and_one_that_is_away(bot: Bot, sandbox: Sandbox) -> None:
    with pytest.raises(FileGone):
        await bot.download_file("documents/nobody_knows.png")
    await sandbox.fault("status", {"vendor": "telegram", "operation": "download"}, status=502)
    with pytest.raises(HttpFailure) as failure:
        await bot.download_file("documents/nobody_knows.png")
    assert SECRET not in str(failure.value)
