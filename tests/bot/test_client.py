"""The bot's calls against the simulated Telegram, and what they say when it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hamyon.kit.http import HttpClient
from hamyon.providers.telegram.api import BotApi
from hamyon.providers.telegram.client import TelegramBot, Trouble
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import BOT_TOKEN

KINDS = ("message", "pre_checkout_query")


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[TelegramBot]:
    async with HttpClient() as http:
        yield TelegramBot(BotApi(http, token=BOT_TOKEN, base_url=sandbox.url, timeout_s=2.0))


async def test_who_it_is(bot: TelegramBot) -> None:
    assert await bot.get_me() == "hamyon_sandbox_bot"


async def test_a_webhook_ends_polling_until_it_is_deleted(bot: TelegramBot) -> None:
    url = "http://127.0.0.1:9/hook"
    assert await bot.get_updates(None, 0, KINDS) == []
    assert await bot.set_webhook(url, secret_token="s_-1", allowed_updates=KINDS) is None
    trouble = await bot.get_updates(None, 0, KINDS)
    assert isinstance(trouble, Trouble)
    assert trouble.code == 409
    assert "webhook is active" in trouble.description
    assert await bot.delete_webhook() is None
    assert await bot.get_updates(None, 0, KINDS) == []


async def test_refusals_are_told(bot: TelegramBot, sandbox: Sandbox) -> None:
    refused = await bot.set_webhook("ftp://x", secret_token="s", allowed_updates=KINDS)
    assert isinstance(refused, Trouble)
    assert refused.code == 400
    assert await bot.answer_pre_checkout("1", None) is False
    await sandbox.fault("status", {"vendor": "telegram"}, status=429, retry_after=7)
    for told in (await bot.get_me(), await bot.delete_webhook()):
        assert isinstance(told, Trouble)
        assert (told.code, told.retry_after_s) == (429, 7.0)


@pytest.mark.parametrize("kind", ["refuse", "not_json", "answer_truncated", "accepted_then_cut"])
async def test_what_nobody_knows_has_no_code(bot: TelegramBot, sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind, {"vendor": "telegram"})
    answers = [
        await bot.get_me(),
        await bot.get_updates(None, 0, KINDS),
        await bot.set_webhook("http://127.0.0.1:9/", secret_token="s", allowed_updates=KINDS),
        await bot.delete_webhook(),
    ]
    for told in answers:
        assert isinstance(told, Trouble)
        assert told.code is None
        assert BOT_TOKEN not in told.description
