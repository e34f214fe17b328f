"""Webhooks of the simulated Telegram: form, secret, order, repeats, answers that ask for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import FormData, web

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import BotClient, BotHook, bot_client, bot_hook

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        await sandbox.vendor_settings("telegram", webhooks={"retry_scale": 0.001})
        yield client


@pytest.fixture
async def hook() -> AsyncIterator[BotHook]:
    async with bot_hook() as received:
        yield received


async def test_each_update_is_posted_with_the_secret(bot: BotClient, hook: BotHook) -> None:
    answer = await bot.call("setWebhook", url=hook.url, secret_token="s-E_7")
    assert answer.body == {"ok": True, "result": True, "description": "Webhook was set"}
    charge = await bot.charge(await bot.link())
    update = (await hook.wait_for(1))[0]
    assert list(update) == ["update_id", "message"]
    assert update["message"]["successful_payment"]["telegram_payment_charge_id"] == charge
    assert hook.headers[0][SECRET_HEADER] == "s-E_7"
    assert hook.headers[0]["Content-Type"] == "application/json"
    counts = await bot.eventually("webhooks", "answered", 1)
    assert counts == {"sent": 1, "answered": 1, "failed": 0, "replies": 0}
    assert (await bot.eventually("updates", "delivered", 1))["waiting"] == 0


async def test_no_secret_no_header(bot: BotClient, hook: BotHook) -> None:
    await bot.call("setWebhook", url=hook.url)
    await bot.charge(await bot.link())
    await hook.wait_for(1)
    assert SECRET_HEADER not in hook.headers[0]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (
            {"url": "http://example.org/hook"},
            "bad webhook: An HTTPS URL must be provided for webhook",
        ),
        ({"url": "ftp://127.0.0.1/hook"}, "invalid webhook URL specified"),
        ({"url": "https://"}, "invalid webhook URL specified"),
        ({"url": "https://example.org:70000/hook"}, "invalid webhook URL specified"),
        (
            {"url": "https://example.org:444/hook"},
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        (
            {"url": "https://example.org/hook", "secret_token": "ключ"},
            "secret token contains unallowed characters",
        ),
        ({"url": "https://example.org/h", "secret_token": "x" * 257}, "secret token is too long"),
    ],
)
async def test_bad_webhooks_change_nothing(
    bot: BotClient, params: dict[str, object], told: str
) -> None:
    before = (await bot.call("getWebhookInfo")).result
    assert (await bot.call("setWebhook", **params)).refusal == (400, f"Bad Request: {told}")
    assert (await bot.call("getWebhookInfo")).result == before
    assert before == {"url": "", "has_custom_certificate": False, "pending_update_count": 0}


async def test_the_webhook_is_described(bot: BotClient) -> None:
    url = "https://example.org:8443/hook"
    wanted = {"url": url, "max_connections": 500, "allowed_updates": ["message"]}
    assert (await bot.call("setWebhook", **wanted)).body["description"] == "Webhook was set"
    again = await bot.call("setWebhook", **wanted)
    assert again.body["description"] == "Webhook is already set"
    info = (await bot.call("getWebhookInfo")).result
    assert (info["url"], info["max_connections"]) == (url, 100)
    assert info["allowed_updates"] == ["message"]
    assert (await bot.call("setWebhook", url="")).body["description"] == "Webhook was deleted"
    gone = await bot.call("deleteWebhook")
    assert gone.body["description"] == "Webhook is already deleted"


async def test_it_repeats_until_it_is_taken(bot: BotClient, hook: BotHook) -> None:
    hook.answers = [web.Response(status=status) for status in (500, 302, 404, 503)]
    await bot.call("setWebhook", url=hook.url)
    await bot.charge(await bot.link())
    received = await hook.wait_for(5)
    assert all(update == received[0] for update in received)
    counts = await bot.eventually("webhooks", "answered", 1)
    assert (counts["sent"], counts["failed"]) == (5, 4)
    info = (await bot.call("getWebhookInfo")).result
    assert info["last_error_message"] == (
        "Wrong response from the webhook: 503 Service Unavailable"
    )
    assert info["last_error_date"] > 0


async def test_retry_after_is_kept(bot: BotClient, sandbox: Sandbox, hook: BotHook) -> None:
    """An hour is asked for, scaled to nothing here; asked for a day, it waits an hour."""
    hook.answers = [web.Response(status=429, headers={"Retry-After": "86400"}) for _ in range(25)]
    await sandbox.vendor_settings("telegram", webhooks={"retry_scale": 1e-9})
    await bot.call("setWebhook", url=hook.url)
    await bot.charge(await bot.link())
    # After 24 hours of waiting, scaled to nothing, the update is too old: the 25th try is the last.
    counts = await bot.eventually("updates", "expired", 1)
    assert (counts["delivered"], counts["waiting"]) == (0, 0)
    assert (await bot.report())["webhooks"]["failed"] == 25


async def test_the_waits_double(bot: BotClient, sandbox: Sandbox, hook: BotHook) -> None:
    """A pre-checkout query lives for 150 s: tries at 0, 0, 2, 6, 14, 30, 62 and about 124 s."""
    await sandbox.vendor_settings(
        "telegram", webhooks={"retry_scale": 1e-6}, pre_checkout_timeout_s=0.01
    )
    hook.answers = [web.Response(status=500) for _ in range(200)]
    await bot.call("setWebhook", url=hook.url)
    assert (await bot.pay(await bot.link()))["error"] == "the bot did not answer"
    await bot.eventually("updates", "expired", 1)
    assert (await bot.report())["webhooks"]["failed"] == 8


async def test_one_persons_updates_stay_in_order(bot: BotClient, hook: BotHook) -> None:
    link = await bot.link()
    hook.answers = [web.Response(status=500) for _ in range(3)]
    await bot.call("setWebhook", url=hook.url)
    charges = [await bot.charge(link, user=1) for _ in range(5)]
    received = await hook.wait_for(8)
    seen = [
        update["message"]["successful_payment"]["telegram_payment_charge_id"] for update in received
    ]
    assert seen == [charges[0]] * 3 + charges


async def test_who_is_stuck_holds_up_nobody_else(bot: BotClient, hook: BotHook) -> None:
    stuck = asyncio.Event()
    served: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        user = (await request.json())["message"]["from"]["id"]
        if user == 1:
            await stuck.wait()
        served.append(user)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    link = await bot.link()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await bot.call("setWebhook", url=url, max_connections=2)
    for user in (1, 1, 2, 3):
        await bot.charge(link, user)
    await bot.eventually("updates", "delivered", 2)
    assert served == [2, 3]
    stuck.set()
    await bot.eventually("updates", "delivered", 4)
    assert served == [2, 3, 1, 1]
    await runner.cleanup()


async def test_a_new_webhook_gets_what_waits(bot: BotClient, hook: BotHook) -> None:
    await bot.charge(await bot.link())
    waiting = await bot.updates()
    await bot.call("setWebhook", url=hook.url)
    assert await hook.wait_for(1) == waiting


async def test_a_new_webhook_ends_the_old_one(bot: BotClient, hook: BotHook) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        arrived.set()
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        left.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await bot.call("setWebhook", url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await bot.charge(await bot.link())
    await asyncio.wait_for(arrived.wait(), 20)
    await bot.call("setWebhook", url=hook.url)
    await hook.wait_for(1)
    await asyncio.wait_for(left.wait(), 20)
    assert (await bot.eventually("updates", "delivered", 1))["waiting"] == 0
    await runner.cleanup()


async def test_dropped_updates_never_come(bot: BotClient, hook: BotHook) -> None:
    link = await bot.link()
    await bot.charge(link)
    await bot.call("setWebhook", url=hook.url, drop_pending_updates=True)
    charge = await bot.charge(link)
    update = (await hook.wait_for(1))[0]
    assert update["message"]["successful_payment"]["telegram_payment_charge_id"] == charge
    counts = await bot.eventually("updates", "delivered", 1)
    assert (counts["dropped"], counts["queued"]) == (1, 2)


async def test_nobody_listens_and_polling_finds_it(bot: BotClient) -> None:
    await bot.call("setWebhook", url="http://127.0.0.1:1/hook")
    await bot.charge(await bot.link())
    await bot.eventually("webhooks", "failed", 2)
    assert (await bot.call("getWebhookInfo")).result["pending_update_count"] == 1
    await bot.call("deleteWebhook")
    assert len(await bot.updates()) == 1


@pytest.mark.parametrize("encoding", ["json", "form", "multipart"])
async def test_an_answer_may_ask_for_a_method(bot: BotClient, hook: BotHook, encoding: str) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        update = await request.json()
        query = update.get("pre_checkout_query")
        if query is None:
            return web.Response()
        asked = {
            "method": "answerPreCheckoutQuery",
            "pre_checkout_query_id": query["id"],
            "ok": "true",
        }
        if encoding == "json":
            return web.json_response(asked | {"ok": True})
        payload = FormData(asked, default_to_multipart=encoding == "multipart")()
        return web.Response(body=payload)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await bot.call("setWebhook", url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    paid = await asyncio.wait_for(bot.pay(await bot.link()), 20)
    assert paid["error"] is None
    assert (await bot.report())["webhooks"]["replies"] == 1
    await runner.cleanup()


async def test_an_answer_may_not_change_the_webhook(bot: BotClient, hook: BotHook) -> None:
    hook.answers = [
        web.json_response({"method": "deleteWebhook"}),
        web.json_response({"method": "getMyStarBalance"}),
        web.Response(text="{", content_type="application/json"),
        web.Response(text="thanks"),
    ]
    await bot.call("setWebhook", url=hook.url)
    link = await bot.link()
    for _ in range(4):
        await bot.charge(link)
    await bot.eventually("updates", "delivered", 4)
    assert (await bot.call("getWebhookInfo")).result["url"] == hook.url
    assert set((await bot.report())["calls"]) == {
        "setWebhook",
        "createInvoiceLink",
        "getWebhookInfo",
    }


async def test_a_forged_one_comes_first(bot: BotClient, sandbox: Sandbox, hook: BotHook) -> None:
    """A bot that checks the secret refuses it, and gets the genuine one."""
    await sandbox.fault("webhook_bad_signature", {"vendor": "telegram"})
    hook.answers = [web.Response(status=401)]
    await bot.call("setWebhook", url=hook.url, secret_token="genuine")
    await bot.charge(await bot.link())
    received = await hook.wait_for(2)
    assert received[0] == received[1]
    assert hook.headers[0][SECRET_HEADER] != "genuine"
    assert hook.headers[1][SECRET_HEADER] == "genuine"


async def test_copies_come_under_one_id(bot: BotClient, sandbox: Sandbox, hook: BotHook) -> None:
    await sandbox.vendor_settings("telegram", updates={"copies": 3})
    await bot.call("setWebhook", url=hook.url)
    await bot.charge(await bot.link())
    received = await hook.wait_for(3)
    assert received == [received[0]] * 3
    assert (await bot.eventually("updates", "delivered", 3))["queued"] == 1
