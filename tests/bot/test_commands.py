"""The commands that Telegram offers: in every language, told until it hears, and never in the way
of the bot's start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiogram import Bot
from structlog.testing import capture_logs

from hamyon.kit.http import HttpClient
from hamyon.providers.telegram.session import open_bot
from hamyon.surfaces.bot.commands import announce, commands
from tests.bot.conftest import OpenTown
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import BOT_TOKEN, eventually

BALANCE = {None: "What you have", "en": "What you have", "ru": "Ваш баланс", "uz": "Hisobingiz"}
PRODUCTS = ("images", "drawings")


@asynccontextmanager
async def aiogram_bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    """The bot as wiring opens it."""
    async with HttpClient() as http:
        yield open_bot(http, token=BOT_TOKEN, base_url=sandbox.url, timeout_s=5.0)


async def offered(sandbox: Sandbox, language: str | None) -> dict[str, str]:
    """What the sandbox keeps for private chats in a language."""
    params: dict[str, Any] = {"scope": {"type": "all_private_chats"}}
    if language is not None:
        params["language_code"] = language
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/bot{BOT_TOKEN}/getMyCommands", json=params) as answer,
    ):
        body = await answer.json()
    return {one["command"]: one["description"] for one in body["result"]}


async def test_commands_are_told_in_every_language(sandbox: Sandbox) -> None:
    async with aiogram_bot(sandbox) as bot:
        await announce(bot, PRODUCTS)
    for language, balance in BALANCE.items():
        found = await offered(sandbox, language)
        assert found["balance"] == balance
        assert len(found) == len(commands("en", PRODUCTS))


async def test_they_are_told_again_until_telegram_hears(sandbox: Sandbox) -> None:
    await sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "setMyCommands", "nth": 1},
            "fault": {"kind": "status", "status": 502},
        },
        {
            "match": {"vendor": "telegram", "operation": "setMyCommands", "nth": 3},
            "fault": {"kind": "status", "status": 429, "retry_after": 1},
        },
    )
    async with aiogram_bot(sandbox) as bot:
        await announce(bot, PRODUCTS)
    assert (await offered(sandbox, "ru"))["balance"] == BALANCE["ru"]
    assert (await offered(sandbox, None))["balance"] == BALANCE[None]


async def test_what_telegram_never_takes_is_given_up(sandbox: Sandbox) -> None:
    async with HttpClient() as http:
        bot = open_bot(http, token="777000:another", base_url=sandbox.url, timeout_s=5.0)
        with capture_logs() as logs:
            await announce(bot, PRODUCTS)
    assert {one["log_level"] for one in logs} == {"error"}
    assert "777000:another" not in str(logs)


async def test_every_command_that_is_told_is_answered(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    for command in commands("en", PRODUCTS):
        await anna.say(f"/{command.command}")
        heard = await anna.hears("")
        assert "do not know" not in heard["text"], command


def test_what_is_not_mounted_is_not_told() -> None:
    assert "daily" not in {one.command for one in commands("en", ("images",))}


async def test_the_bot_tells_its_commands_when_it_starts(town: OpenTown, sandbox: Sandbox) -> None:
    await town()

    async def told() -> bool:
        return (await offered(sandbox, "uz")).get("balance") == BALANCE["uz"]

    await eventually(told)


async def test_commands_that_nobody_hears_hold_nothing_up(town: OpenTown, sandbox: Sandbox) -> None:
    await sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "setMyCommands"},
            "fault": {"kind": "hang", "seconds": 60},
        }
    )
    people = await town()
    anna = await people.person(777)
    await anna.say("/help")
    await anna.hears("How it works")
