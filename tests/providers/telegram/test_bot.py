"""The bot's own calls, against the simulated Telegram."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from hamyon.kit.http import HttpClient
from hamyon.providers.telegram.api import Answered, BotApi, BotRefused
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.stars.people import bot_of, events_of, news, pay
from tests.providers.stars.wishes import NOBODY, gateway_of, offer

Answer = Callable[[BotApi, str], Awaitable[bool]]
WANTED = ["message", "pre_checkout_query"]


async def invoice(http: HttpClient, sandbox: Sandbox) -> str:
    outcome = await gateway_of(http, sandbox.url).open(offer())
    return str(getattr(outcome, "url", ""))


async def asked(bot: BotApi) -> str:
    """The pre-checkout query that waits for the bot, which is asked once somebody pays."""
    updates = await bot.get_updates(None, 30, WANTED)
    assert isinstance(updates, list), updates
    query = updates[-1]["pre_checkout_query"]
    return str(query["id"])


async def test_yes_before_paying(http: HttpClient, sandbox: Sandbox) -> None:
    bot, url = bot_of(http, sandbox), await invoice(http, sandbox)
    paying = asyncio.create_task(pay(url, 5, asks_bot=True))
    query_id = await asked(bot)
    assert await bot.answer_pre_checkout(query_id)
    assert (await paying)["ok"]
    assert len(events_of(await news(bot))) == 1
    assert not await bot.answer_pre_checkout(query_id)


async def test_no_before_paying(http: HttpClient, sandbox: Sandbox) -> None:
    bot, url = bot_of(http, sandbox), await invoice(http, sandbox)
    paying = asyncio.create_task(pay(url, 5, asks_bot=True))
    assert await bot.answer_pre_checkout(await asked(bot), "Come back tomorrow")
    told = await paying
    assert not told["ok"]
    assert told["error"] == "Come back tomorrow"
    assert events_of(await news(bot)) == []


@pytest.mark.parametrize(
    "accident",
    [{"kind": "refuse"}, {"kind": "status", "status": 429}, {"kind": "accepted_then_cut"}],
)
async def test_an_answer_that_was_not_taken(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    await sandbox.faults({"match": {"operation": "answerPreCheckoutQuery"}, "fault": accident})
    assert not await bot_of(http, sandbox).answer_pre_checkout("1")


async def test_updates_by_polling_or_by_webhook(http: HttpClient, sandbox: Sandbox) -> None:
    bot, taken = bot_of(http, sandbox), asyncio.Event()
    secrets: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        taken.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", handler)
    async with app_server(app) as url:
        set_up = await bot.set_webhook(
            f"{url}/hook", secret_token="the-secret", allowed_updates=WANTED, max_connections=4
        )
        assert set_up == Answered(True)
        conflict = await bot.get_updates(None, 0, WANTED)
        assert isinstance(conflict, BotRefused)
        assert conflict.error_code == 409
        assert (await pay(await invoice(http, sandbox), 5))["ok"]
        await asyncio.wait_for(taken.wait(), 30)
        assert await bot.delete_webhook() == Answered(True)
    assert secrets == ["the-secret"]
    assert (await pay(await invoice(http, sandbox), 6))["ok"]
    (update,) = await news(bot)
    assert update["message"]["successful_payment"]["currency"] == "XTR"
    assert await news(bot) == [update]
    assert await news(bot, offset=update["update_id"] + 1) == []


async def test_what_waits_for_a_webhook_waits_for_polling(
    http: HttpClient, sandbox: Sandbox
) -> None:
    bot = bot_of(http, sandbox)
    dead = await bot.set_webhook(f"{NOBODY}/hook", secret_token="x", allowed_updates=WANTED)
    assert dead == Answered(True)
    assert (await pay(await invoice(http, sandbox), 5))["ok"]
    assert await bot.delete_webhook() == Answered(True)
    assert len(events_of(await news(bot))) == 1


async def test_a_wrong_token(http: HttpClient, sandbox: Sandbox) -> None:
    bot = bot_of(http, sandbox, token="777000:" + "x" * 35)
    assert await bot.call("getMe") == BotRefused(401, "Unauthorized")
    strange = bot_of(http, sandbox, token="a/b?c#d")
    refused = await strange.call("getMe")
    assert isinstance(refused, BotRefused)
    assert refused.error_code == 404


async def test_a_flood(http: HttpClient, sandbox: Sandbox) -> None:
    await sandbox.fault("status", {"operation": "getMe"}, status=429, retry_after=7)
    outcome = await bot_of(http, sandbox).call("getMe")
    assert outcome == BotRefused(429, "Too Many Requests: retry after 7", 7.0)
    assert outcome.may_repeat
