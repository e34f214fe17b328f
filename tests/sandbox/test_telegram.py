"""The simulated Bot API: encodings, errors, getUpdates, messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from sandbox.telegram.settings import DEFAULT_TOKEN
from sandbox.telegram.updates import OTHER_POLL, WEBHOOK_IS_SET
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import INVOICE, BotClient, bot_client

OTHER_TOKEN = "4242:another-token-0123456789abcdefghijk"
FORM = {name: value for name, value in INVOICE.items() if isinstance(value, str)} | {
    "prices": orjson.dumps(INVOICE["prices"]).decode()
}


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        yield client


async def test_a_bot_knows_itself_in_any_case(bot: BotClient) -> None:
    me = (await bot.request("GET", "getme")).result
    assert (me["id"], me["is_bot"], me["username"]) == (777000, True, "hamyon_sandbox_bot")
    assert (await bot.request("POST", "GETME")).result == me


@pytest.mark.parametrize(
    ("token", "method", "refusal"),
    [
        ("777000:short", "getMe", (404, "Not Found")),
        ("sandbox-token", "getMe", (404, "Not Found")),
        (DEFAULT_TOKEN, "", (404, "Not Found")),
        (DEFAULT_TOKEN[:-1] + "x", "getMe", (401, "Unauthorized")),
        (DEFAULT_TOKEN, "getMee", (404, "Not Found: method not found")),
    ],
)
async def test_strangers_are_refused(
    bot: BotClient, token: str, method: str, refusal: tuple[int, str]
) -> None:
    assert (await bot.with_token(token).request("POST", method)).refusal == refusal
    assert (await bot.with_token(token).request("GET", method)).refusal == refusal


async def test_every_encoding_says_the_same(bot: BotClient, sandbox: Sandbox) -> None:
    multipart = aiohttp.FormData(FORM, default_to_multipart=True)
    ways: list[tuple[str, dict[str, Any]]] = [
        ("POST", {"json": INVOICE}),
        ("POST", {"json": FORM}),
        ("POST", {"data": FORM}),
        ("POST", {"data": multipart}),
        ("POST", {"params": FORM}),
        ("GET", {"params": FORM}),
        ("POST", {"params": {"title": INVOICE["title"]}, "json": dict(INVOICE) | {"title": "no"}}),
    ]
    for http_method, options in ways:
        link = (await bot.request(http_method, "createInvoiceLink", **options)).result
        assert link.startswith(f"{sandbox.url}/telegram/invoice/")
        await bot.charge(link)
        paid = (await bot.updates(offset=-1))[0]["message"]["successful_payment"]
        assert (paid["total_amount"], paid["invoice_payload"]) == (70, "payment-1")
        async with bot.session.get(link) as page:
            assert "<h1>1000 credits</h1>" in await page.text()


@pytest.mark.parametrize("body", [b"{", b"[]", b"1"])
async def test_a_body_that_is_no_object(bot: BotClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await bot.request("POST", "getMe", data=body, headers=headers)
    assert answer.refusal == (400, "Bad Request: can't parse the request")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": ""}, 'parameter "title" is required'),
        ({"description": None}, 'parameter "description" is required'),
        ({"payload": ""}, 'parameter "payload" is required'),
        ({"currency": ""}, 'parameter "currency" is required'),
        ({"prices": ""}, 'parameter "prices" is required'),
        ({"prices": "70"}, "expected an Array of labeled prices"),
        ({"prices": "[{"}, "can't parse prices JSON object"),
        ({"prices": []}, "there must be at least one price"),
        ({"prices": [70]}, "can't parse labeled price: LabeledPrice must be an Object"),
        (
            {"prices": [{"label": "", "amount": 70}]},
            "can't parse labeled price: LabeledPrice label must be non-empty",
        ),
        (
            {"prices": [{"label": "x", "amount": "many"}]},
            "can't parse labeled price: Can't find field \"amount\"",
        ),
        ({"prices": [{"label": "x", "amount": 1}] * 2}, "STARS_INVOICE_INVALID"),
        ({"prices": [{"label": "x", "amount": 0}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"prices": [{"label": "x", "amount": 10_001}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"currency": "USD"}, "CURRENCY_INVALID"),
        ({"provider_token": "x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"title": "x" * 33}, "TITLE_TOO_LONG"),
        ({"description": "x" * 256}, "DESCRIPTION_TOO_LONG"),
        ({"payload": "ў" * 65}, "INVOICE_PAYLOAD_INVALID"),
    ],
)
async def test_bad_invoices(bot: BotClient, changes: dict[str, object], told: str) -> None:
    answer = await bot.call("createInvoiceLink", **{**INVOICE, **changes})
    assert answer.refusal == (400, f"Bad Request: {told}")


async def test_the_longest_invoice(bot: BotClient) -> None:
    await bot.link(
        title="x" * 32,
        description="x" * 255,
        payload="ў" * 64,
        provider_token="",
        prices=[{"label": "x", "amount": 10_000}],
    )


async def test_updates_wait_until_they_are_confirmed(bot: BotClient) -> None:
    link = await bot.link()
    charges = [await bot.charge(link, user) for user in (1, 2, 3)]
    updates = await bot.updates()
    ids = [update["update_id"] for update in updates]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    told = [update["message"]["successful_payment"] for update in updates]
    assert [one["telegram_payment_charge_id"] for one in told] == charges
    assert await bot.updates(limit=2) == updates[:2]
    assert await bot.updates(offset=ids[1]) == updates[1:]
    assert await bot.updates() == updates[1:]
    assert await bot.updates(offset=-1) == updates[2:]
    assert await bot.updates(offset=ids[2] + 1) == []
    assert (await bot.report())["updates"]["delivered"] == 3


async def test_a_long_poll_ends_with_news(bot: BotClient) -> None:
    link = await bot.link()
    poll = asyncio.create_task(bot.updates(timeout=50))
    await _polls(bot, 1)
    assert not poll.done()
    await bot.charge(link)
    assert len(await asyncio.wait_for(poll, 20)) == 1


async def test_a_long_poll_ends_without_news(bot: BotClient) -> None:
    assert await bot.updates(timeout=1) == []


async def test_a_second_poller_ends_the_first(bot: BotClient) -> None:
    first = asyncio.create_task(bot.call("getUpdates", timeout=50))
    await _polls(bot, 1)
    second = asyncio.create_task(bot.updates(timeout=50))
    assert (await asyncio.wait_for(first, 20)).refusal == (409, OTHER_POLL)
    await bot.charge(await bot.link())
    assert len(await asyncio.wait_for(second, 20)) == 1


async def test_a_poller_who_left_takes_nothing_along(bot: BotClient) -> None:
    poll = asyncio.create_task(bot.updates(timeout=50))
    await _polls(bot, 1)
    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll
    await bot.charge(await bot.link())
    assert len(await bot.updates(timeout=50)) == 1


async def test_no_polling_beside_a_webhook(bot: BotClient) -> None:
    poll = asyncio.create_task(bot.call("getUpdates", timeout=50))
    await _polls(bot, 1)
    assert (await bot.call("setWebhook", url="http://127.0.0.1:1/hook")).result is True
    ended = await asyncio.wait_for(poll, 20)
    assert ended.refusal == (409, "Conflict: terminated by setWebhook request")
    assert (await bot.call("getUpdates")).refusal == (409, WEBHOOK_IS_SET)
    await bot.call("deleteWebhook")
    assert await bot.updates() == []


async def test_only_allowed_updates_come(bot: BotClient) -> None:
    link = await bot.link()
    await bot.updates(allowed_updates=["pre_checkout_query"])
    await bot.charge(link)
    assert await bot.updates() == []
    assert (await bot.report())["updates"]["not_allowed"] == 1
    await bot.updates(allowed_updates="[]")
    await bot.charge(link)
    assert len(await bot.updates()) == 1
    refused = await bot.call("getUpdates", allowed_updates="message")
    assert refused.refusal == (400, "Bad Request: can't parse allowed_updates JSON object")


async def test_two_bots_share_nothing(bot: BotClient, sandbox: Sandbox) -> None:
    before = await bot.link()
    bots = [{"token": DEFAULT_TOKEN}, {"token": OTHER_TOKEN, "username": "other_bot"}]
    await sandbox.vendor_settings("telegram", bots=bots)
    assert (await bot.pay(before))["error"] == "no such invoice"
    other = bot.with_token(OTHER_TOKEN)
    charge = await other.charge(await other.link())
    assert await bot.updates() == []
    assert await bot.transactions() == []
    refused = await bot.call("refundStarPayment", user_id=777, telegram_payment_charge_id=charge)
    assert refused.refusal == (400, "Bad Request: CHARGE_NOT_FOUND")
    assert len(await other.updates()) == 1
    assert (await other.report())["charges"] == 1


async def test_updates_are_numbered_on_after_a_reset(bot: BotClient, sandbox: Sandbox) -> None:
    await bot.charge(await bot.link())
    last = (await bot.updates())[0]["update_id"]
    await sandbox.reset()
    assert await bot.updates() == []
    await bot.charge(await bot.link())
    assert (await bot.updates())[0]["update_id"] > last


async def test_messages_are_sent_and_remembered(bot: BotClient) -> None:
    text = "😀" * 2048
    message = (await bot.call("sendMessage", chat_id=42, text=text)).result
    assert message["chat"] == {"id": 42, "first_name": "Person 42", "type": "private"}
    assert (message["text"], message["from"]["id"]) == (text, 777000)
    await bot.call("sendMessage", chat_id="43", text="Salom")
    assert [one["message"]["text"] for one in await bot.sent("?chat_id=43")] == ["Salom"]
    assert [one["message"]["text"] for one in await bot.sent()] == [text, "Salom"]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": "@nobody", "text": "x"}, "chat not found"),
        ({"chat_id": 0, "text": "x"}, "chat not found"),
        ({"chat_id": 42, "text": " "}, "message text is empty"),
        ({"chat_id": 42, "text": "😀" * 2048 + "x"}, "message is too long"),
    ],
)
async def test_bad_messages(bot: BotClient, params: dict[str, object], told: str) -> None:
    answer = await bot.call("sendMessage", **params)
    assert answer.refusal == (400, f"Bad Request: {told}")
    assert await bot.sent() == []


async def _polls(bot: BotClient, count: int) -> None:
    """Until so many polls have come in."""
    async with asyncio.timeout(20):
        while (await bot.report())["calls"].get("getUpdates", 0) < count:
            await asyncio.sleep(0.01)
