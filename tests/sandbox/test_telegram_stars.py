"""Stars in the simulated Telegram: the whole payment, refunds, the books, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import INVOICE, BotClient, bot_client

ALREADY = (400, "Bad Request: CHARGE_ALREADY_REFUNDED")
TOO_OLD = (
    400,
    "Bad Request: query is too old and response timeout expired or query ID is invalid",
)


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        yield client


async def _refund(bot: BotClient, charge: str, user: int = 777) -> Any:
    return await bot.call("refundStarPayment", user_id=user, telegram_payment_charge_id=charge)


async def _page(bot: BotClient, link: str, status: int = 200) -> str:
    async with bot.session.get(link) as answer:
        assert answer.status == status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return await answer.text()


async def test_a_payment_from_the_page_to_the_update(bot: BotClient) -> None:
    link = await bot.link()
    paying = asyncio.create_task(bot.pay(link, user=42))
    asked = await bot.accept()
    query = asked["pre_checkout_query"]
    assert list(asked) == ["update_id", "pre_checkout_query"]
    assert list(query) == ["id", "from", "currency", "total_amount", "invoice_payload"]
    assert query["from"] == {"id": 42, "is_bot": False, "first_name": "Person 42"}
    assert (query["currency"], query["total_amount"]) == ("XTR", 70)
    assert query["invoice_payload"] == "payment-1"
    paid = await asyncio.wait_for(paying, 20)
    message = (await bot.next_update(asked["update_id"] + 1))["message"]
    assert list(message) == ["message_id", "from", "chat", "date", "successful_payment"]
    told = message["successful_payment"]
    assert list(told.items()) == [
        ("currency", "XTR"),
        ("total_amount", 70),
        ("invoice_payload", "payment-1"),
        ("telegram_payment_charge_id", paid["charge_id"]),
        ("provider_payment_charge_id", told["provider_payment_charge_id"]),
    ]
    assert (message["from"]["id"], message["chat"]["id"]) == (42, 42)
    assert (await bot.call("getMyStarBalance")).result == {"amount": 70}
    report = await bot.report()
    assert report["pre_checkout"] == {
        "asked": 1,
        "ok": 1,
        "refused": 0,
        "unanswered": 0,
        "too_late": 0,
    }
    assert len(report["pre_checkout_ms"]) == 1


async def test_the_page_is_for_people(bot: BotClient) -> None:
    link = await bot.link(title="<b>1000</b> credits")
    page = await _page(bot, f"{link}?user=42")
    assert "this is not Telegram" in page
    assert "&lt;b&gt;1000&lt;/b&gt; credits" in page
    assert 'name="user"' in page
    assert 'value="42"' in page
    assert "Pay 70 Stars" in page
    assert "Person 42 has 1000000 sandbox Stars" in page
    assert 'value="777"' in await _page(bot, link)
    assert 'value="777"' in await _page(bot, f"{link}?user=<script>")
    form = {"user": "42", "skip_pre_checkout": "1"}
    async with bot.session.post(link, data=form) as answer:
        done = await answer.text()
    assert "Paid" in done
    assert "Person 42 has 999930 sandbox Stars" in done
    assert "no such invoice" in (await _page(bot, link + "x", 404)).lower()
    assert await bot.pay(link + "x") == {
        "ok": False,
        "charge_id": None,
        "error": "no such invoice",
    }


async def test_every_payment_of_a_link_is_a_charge(bot: BotClient) -> None:
    link = await bot.link()
    charges = [await bot.charge(link, user) for user in (1, 1, 2)]
    assert len(set(charges)) == 3
    told = [update["message"]["successful_payment"] for update in await bot.updates()]
    assert [one["telegram_payment_charge_id"] for one in told] == charges
    assert len({one["provider_payment_charge_id"] for one in told}) == 3
    assert {one["invoice_payload"] for one in told} == {"payment-1"}


async def test_an_invoice_in_a_chat_is_paid_once(bot: BotClient, sandbox: Sandbox) -> None:
    message = (await bot.call("sendInvoice", chat_id=42, **INVOICE)).result
    assert message["invoice"] == {
        "title": "1000 credits",
        "description": "For pictures",
        "start_parameter": "",
        "currency": "XTR",
        "total_amount": 70,
    }
    sent = await bot.sent("?chat_id=42")
    assert sent[0]["message"] == message
    page = sandbox.url + sent[0]["page"]
    await bot.charge(page, 42)
    again = await bot.pay(page, 42, skip_pre_checkout=1)
    assert again["error"] == "this invoice is already paid"
    assert "This invoice is paid" in await _page(bot, page)
    assert len(await bot.transactions()) == 1


async def test_the_bot_refuses(bot: BotClient) -> None:
    link = await bot.link()
    paying = asyncio.create_task(bot.pay(link))
    asked = await bot.accept(ok=False, error_message="Sold <out>")
    paid = await asyncio.wait_for(paying, 20)
    assert paid == {"ok": False, "charge_id": None, "error": "Sold <out>"}
    assert await bot.updates(offset=asked["update_id"] + 1) == []
    assert await bot.transactions() == []
    assert "has 1000000 sandbox" in await _page(bot, link)
    report = await bot.report()
    assert (report["pre_checkout"]["refused"], report["charges"]) == (1, 0)

    paying = asyncio.create_task(bot.session.post(link, data={"user": "5"}))
    query = (await bot.next_update(asked["update_id"] + 1))["pre_checkout_query"]
    told = {"pre_checkout_query_id": query["id"], "ok": False}
    unexplained = await bot.call("answerPreCheckoutQuery", **told)
    assert unexplained.refusal == (400, 'Bad Request: parameter "error_message" is required')
    await bot.call("answerPreCheckoutQuery", **told, error_message="Sold <out>")
    shown = await (await asyncio.wait_for(paying, 20)).text()
    assert "Not paid: Sold &lt;out&gt;" in shown
    assert 'value="5"' in shown


async def test_the_bot_does_not_answer(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", pre_checkout_timeout_s=0.05)
    paid = await bot.pay(await bot.link())
    assert paid == {"ok": False, "charge_id": None, "error": "the bot did not answer"}
    query = (await bot.updates())[0]["pre_checkout_query"]
    late = await bot.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    assert late.refusal == TOO_OLD
    assert await bot.transactions() == []
    counts = (await bot.report())["pre_checkout"]
    assert (counts["unanswered"], counts["too_late"], counts["ok"]) == (1, 1, 0)


async def test_only_the_first_answer_counts(bot: BotClient) -> None:
    unknown = await bot.call("answerPreCheckoutQuery", pre_checkout_query_id="1", ok=True)
    assert unknown.refusal == TOO_OLD
    paying = asyncio.create_task(bot.pay(await bot.link()))
    query = (await bot.accept())["pre_checkout_query"]
    second = await bot.call(
        "answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=False, error_message="no"
    )
    assert second.refusal == TOO_OLD
    assert (await asyncio.wait_for(paying, 20))["ok"] is True
    counts = (await bot.report())["pre_checkout"]
    assert (counts["ok"], counts["refused"], counts["too_late"]) == (1, 0, 0)


async def test_nobody_pays_what_he_has_not(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", star_balance=100)
    link = await bot.link()
    await bot.charge(link)
    paid = await bot.pay(link)
    assert (paid["ok"], paid["error"]) == (False, "not enough Stars")
    assert (await bot.report())["pre_checkout"]["asked"] == 0
    assert (await bot.pay(link, user=0))["error"] == "Bad Request: invalid user specified"


async def test_two_payments_at_once_do_not_share_stars(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", star_balance=100)
    link = await bot.link()
    both = [asyncio.create_task(bot.pay(link)) for _ in range(2)]
    offset = 0
    for _ in both:
        update = await bot.next_update(offset)
        offset = update["update_id"] + 1
        while "pre_checkout_query" not in update:
            update = await bot.next_update(offset)
            offset = update["update_id"] + 1
        number = update["pre_checkout_query"]["id"]
        await bot.call("answerPreCheckoutQuery", pre_checkout_query_id=number, ok=True)
    errors = [(await asyncio.wait_for(one, 20))["error"] for one in both]
    assert sorted(errors, key=str) == [None, "not enough Stars"]
    assert len(await bot.transactions()) == 1


async def test_a_refund_happens_once(bot: BotClient) -> None:
    link = await bot.link()
    charge = await bot.charge(link, 42)
    unknown = (400, "Bad Request: CHARGE_NOT_FOUND")
    assert (await _refund(bot, charge, user=43)).refusal == unknown
    assert (await _refund(bot, charge + "x", user=42)).refusal == unknown
    assert (await _refund(bot, charge, user=0)).refusal == (
        400,
        "Bad Request: invalid user_id specified",
    )
    assert (await _refund(bot, charge, user=42)).result is True
    assert (await _refund(bot, charge, user=42)).refusal == ALREADY
    paid, refunded = (update["message"] for update in await bot.updates())
    told = refunded["refunded_payment"]
    assert told == paid["successful_payment"]
    assert told["telegram_payment_charge_id"] == charge
    assert refunded["chat"]["id"] == 42
    assert "has 1000000 sandbox" in await _page(bot, f"{link}?user=42")
    assert (await bot.call("getMyStarBalance")).result == {"amount": 0}
    report = await bot.report()
    assert report["refunds_by_charge"] == {charge: 1}
    assert report["refund_calls_by_charge"] == {charge: 3, charge + "x": 1}
    assert report["repeated_refund_calls"] == {charge: 3}
    brief = await bot.report(brief=True)
    assert (brief["refunds"], brief["repeated_refunds"]) == (1, {})
    assert "refunds_by_charge" not in brief
    assert "pre_checkout_ms" not in brief


async def test_telegrams_own_side_refunds(bot: BotClient) -> None:
    charge = await bot.charge(await bot.link(), 42)
    assert await bot.control("refund", {"charge_id": charge}) == (200, {"ok": True})
    told = (await bot.updates())[-1]["message"]["refunded_payment"]
    assert told["telegram_payment_charge_id"] == charge
    assert (await _refund(bot, charge, user=42)).refusal == ALREADY
    assert (await bot.control("refund", {"charge_id": charge}))[0] == 400
    assert (await bot.control("refund", {"charge_id": "x"}))[0] == 400
    assert len(await bot.transactions()) == 2


async def test_transactions_tell_both_ways(bot: BotClient) -> None:
    charge = await bot.charge(await bot.link(), 42)
    await _refund(bot, charge, 42)
    came, went = await bot.transactions()
    partner = {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": {"id": 42, "is_bot": False, "first_name": "Person 42"},
        "invoice_payload": "payment-1",
    }
    assert came == {"id": charge, "amount": 70, "date": came["date"], "source": partner}
    assert went == {"id": charge, "amount": 70, "date": went["date"], "receiver": partner}


async def test_transactions_come_in_pages(bot: BotClient) -> None:
    link = await bot.link()
    charges = [await bot.charge(link) for _ in range(5)]

    async def ids(**params: object) -> list[str]:
        return [one["id"] for one in await bot.transactions(**params)]

    assert await ids() == charges
    assert await ids(limit=2) == charges[:2]
    assert await ids(offset=3, limit=2) == charges[3:]
    assert await ids(offset=5) == []
    assert await ids(limit=0) == charges[:1]


async def test_100_000_transactions_are_planted(bot: BotClient) -> None:
    """Newest first on purpose: the books put them into the order of their dates."""
    planted = [
        {
            "id": f"old-{number}",
            "amount": 1 + number % 100,
            "date": 1_700_000_000 + number,
            "user_id": 1 + number % 50,
            "invoice_payload": f"payment-{number}",
            **({"refunded_at": 1_700_200_000 + number} if number % 1000 == 0 else {}),
        }
        for number in reversed(range(100_000))
    ]
    status, told = await bot.control("plant", {"transactions": planted})
    assert (status, told) == (200, {"ok": True, "transactions": 100_100})
    new = await bot.charge(await bot.link(), 42)
    assert [one["id"] for one in await bot.transactions(limit=2)] == ["old-0", "old-1"]
    last = await bot.transactions(offset=100_098)
    assert [one["id"] for one in last] == ["old-98000", "old-99000", new]
    assert ["receiver" in one for one in last] == [True, True, False]
    refused = await _refund(bot, "old-99000", user=1)
    assert refused.refusal == ALREADY
    assert (await _refund(bot, "old-99999", user=50)).result is True
    amount = sum(1 + number % 100 for number in range(100_000) if number % 1000)
    assert (await bot.report(brief=True))["star_balance"] == amount + 70 - 100


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"amount": 0},
        {"refunded_at": 1},
        {"colour": "red"},
        {"id": "there"},
    ],
)
async def test_bad_plants_change_nothing(bot: BotClient, changes: dict[str, object]) -> None:
    good = {"id": "there", "amount": 1, "date": 5, "user_id": 1, "invoice_payload": "x"}
    assert (await bot.control("plant", {"transactions": [good]}))[0] == 200
    orders: list[dict[str, object]] = [{"transactions": [good | {"id": "new"}, good | changes]}]
    orders += [{"transactions": [good | {"id": "new"}], "token": "1:unknown"}]
    for order in orders:
        status, told = await bot.control("plant", order)
        assert status == 400
        assert told["error"]
    assert [one["id"] for one in await bot.transactions()] == ["there"]


async def test_lost_updates_leave_only_the_books(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", updates={"lost": True})
    paying = asyncio.create_task(bot.pay(await bot.link()))
    asked = await bot.accept()
    charge = (await asyncio.wait_for(paying, 20))["charge_id"]
    assert await bot.updates(offset=asked["update_id"] + 1) == []
    assert [one["id"] for one in await bot.transactions()] == [charge]
    assert (await bot.report())["updates"]["lost"] == 1
    await sandbox.vendor_settings("telegram", updates={"spared": []}, pre_checkout_timeout_s=0.05)
    assert (await bot.pay(await bot.link()))["error"] == "the bot did not answer"


async def test_a_polling_bot_gets_copies(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", updates={"copies": 2})
    await bot.charge(await bot.link())
    first = await bot.updates()
    after = first[0]["update_id"] + 1
    assert await bot.updates(offset=after) == first
    assert await bot.updates(offset=after) == []


async def test_the_refund_overtakes_its_payment(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", updates={"reorder": True, "reorder_wait_s": 60})
    charge = await bot.charge(await bot.link())
    assert await bot.updates() == []
    await _refund(bot, charge)
    updates = await bot.updates()
    assert [list(update["message"])[-1] for update in updates] == [
        "refunded_payment",
        "successful_payment",
    ]
    assert updates[0]["update_id"] < updates[1]["update_id"]


async def test_what_nothing_overtakes_comes_by_itself(bot: BotClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("telegram", updates={"reorder": True, "reorder_wait_s": 0.05})
    await bot.charge(await bot.link())
    assert "successful_payment" in (await bot.next_update())["message"]


async def test_rules_strike_single_updates(bot: BotClient, sandbox: Sandbox) -> None:
    match = {"vendor": "telegram", "operation": "notification", "model": "message"}
    await sandbox.fault("webhook_lost", match | {"prompt_contains": "lost"})
    await sandbox.fault("webhook_duplicate", match | {"prompt_contains": "twice"}, copies=2)
    await sandbox.fault("webhook_late", match | {"prompt_contains": "tomorrow"}, seconds=86_400)
    await sandbox.fault("webhook_late", match | {"prompt_contains": "later"}, seconds=0.01)
    for payload in ("later", "lost", "twice", "tomorrow"):
        await bot.charge(await bot.link(payload=payload))
    payloads = []
    offset = 0
    for _ in range(3):
        update = await bot.next_update(offset)
        payloads.append(update["message"]["successful_payment"]["invoice_payload"])
        offset = update["update_id"] + 1
    assert sorted(payloads) == ["later", "twice", "twice"]
    assert await bot.updates(offset=offset) == []
    counts = (await bot.report())["updates"]
    assert (counts["lost"], counts["queued"], counts["delivered"]) == (1, 2, 3)
    assert len(await bot.transactions()) == 4


async def test_too_many_requests(bot: BotClient, sandbox: Sandbox) -> None:
    match = {"vendor": "telegram", "operation": "createInvoiceLink", "times": 1}
    await sandbox.fault("status", match, status=429, retry_after=7)
    limited = await bot.call("createinvoicelink", **INVOICE)
    assert limited.refusal == (429, "Too Many Requests: retry after 7")
    assert limited.body["parameters"] == {"retry_after": 7}
    assert limited.headers["Retry-After"] == "7"
    assert (await bot.link()).startswith("http")


@pytest.mark.parametrize(
    ("status", "told"),
    [(500, "Internal Server Error: restart"), (502, "Bad Gateway")],
)
async def test_its_servers_fail(bot: BotClient, sandbox: Sandbox, status: int, told: str) -> None:
    await sandbox.fault("status", {"vendor": "telegram"}, status=status)
    assert (await bot.call("getMe")).refusal == (status, told)


@pytest.mark.parametrize("kind", ["accepted_then_cut", "answer_truncated"])
async def test_a_refund_is_done_and_its_answer_lost(
    bot: BotClient, sandbox: Sandbox, kind: str
) -> None:
    charge = await bot.charge(await bot.link())
    match = {"vendor": "telegram", "operation": "refundStarPayment", "times": 1}
    await sandbox.fault(kind, match)
    with pytest.raises((OSError, aiohttp.ClientError)):
        await _refund(bot, charge)
    assert (await _refund(bot, charge)).refusal == ALREADY
    report = await bot.report()
    assert report["refunds_by_charge"] == {charge: 1}
    assert report["repeated_refund_calls"] == {charge: 2}


async def test_a_refund_hangs_for_one_charge(bot: BotClient, sandbox: Sandbox) -> None:
    link = await bot.link()
    stuck, other = await bot.charge(link), await bot.charge(link)
    match = {"vendor": "telegram", "operation": "refundStarPayment", "prompt_contains": stuck}
    await sandbox.fault("hang", match)
    hanging = asyncio.create_task(_refund(bot, stuck))
    assert (await _refund(bot, other)).result is True
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert (await bot.report())["refunds_by_charge"] == {other: 1}


async def test_a_reset_ends_what_is_under_way(bot: BotClient, sandbox: Sandbox) -> None:
    link = await bot.link()
    paying = asyncio.create_task(bot.pay(link))
    after = (await bot.next_update())["update_id"] + 1
    before = (await bot.report())["calls"]["getUpdates"]
    polling = asyncio.create_task(bot.call("getUpdates", offset=after, timeout=50))
    async with asyncio.timeout(20):
        while (await bot.report())["calls"]["getUpdates"] == before:
            await asyncio.sleep(0.01)
    await sandbox.reset()
    assert (await asyncio.wait_for(paying, 20))["error"] == "the sandbox was reset"
    ended = await asyncio.wait_for(polling, 20)
    assert ended.refusal == (500, "Internal Server Error: restart")
    assert (await bot.report())["charges"] == 0
    await _page(bot, link, 404)


@pytest.mark.parametrize(
    "patch",
    [
        {"pre_checkout_timeout_s": 0},
        {"bots": []},
        {"bots": [{"token": "1:short"}]},
        {"bots": [{}, {}]},
        {"updates": {"colour": "red"}},
        {"webhooks": {"retry_scale": 0}},
    ],
)
async def test_bad_settings_change_nothing(bot: BotClient, patch: dict[str, object]) -> None:
    charge = await bot.charge(await bot.link())
    async with bot.session.post("/_control/settings", json={"telegram": patch}) as answer:
        assert answer.status == 400
    assert [one["id"] for one in await bot.transactions()] == [charge]
