"""A payment that is clicked at Telegram becomes credits, once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from hamyon.surfaces.bot.polling import Polling
from tests.bot.conftest import Open
from tests.bot.customers import Customers, running_bot
from tests.fixtures.service import eventually

ALI, VALI = 101, 202


async def test_a_click_becomes_credits(shop: Open) -> None:
    customers = await shop()
    async with running_bot(customers.service.deps):
        await customers.bought(ALI, 140)
        await customers.has(ALI, 2000)
        await customers.nothing_waits()
    stats = await customers.stats()
    assert stats["pre_checkout"]["ok"] == stats["charges"] == 1
    assert await customers.kinds(ALI) == ["deposit"]


async def test_a_refund_takes_them_back(shop: Open) -> None:
    customers = await shop()
    async with running_bot(customers.service.deps):
        charge_id = await customers.bought(ALI)
        await customers.has(ALI, 1000)
        await customers.give_back(charge_id)
        await customers.has(ALI, 0)
    assert await customers.kinds(ALI) == ["deposit", "refund"]


async def test_doubled_and_overtaking_updates(shop: Open) -> None:
    """Each comes five times, and the refund before its payment: one credit, taken back once."""
    customers = await shop()
    link = await customers.invoice(ALI)
    async with running_bot(customers.service.deps):
        await customers.sandbox.vendor_settings(
            "telegram", updates={"copies": 5, "reorder": True, "reorder_wait_s": 30}
        )
        paid = await customers.click(link, ALI)
        assert paid.charge_id is not None
        await customers.give_back(paid.charge_id)

        async def settled() -> bool:
            return await customers.kinds(ALI) == ["deposit", "refund"]

        await eventually(settled)
        await customers.nothing_waits()
    assert (await customers.stats())["updates"]["delivered"] >= 10
    assert await customers.service.api.balance(ALI) == (0, 0)


async def test_what_waited_is_taken_and_a_webhook_left(shop: Open) -> None:
    """While nobody listened a payment came, and a webhook was set that leads nowhere."""
    customers = await shop()
    link = await customers.invoice(ALI)
    async with running_bot(customers.service.deps):
        await customers.click(link, ALI)
        await customers.has(ALI, 1000)
    assert (await customers.call("setWebhook", url="http://127.0.0.1:9/"))["ok"]
    assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id
    async with running_bot(customers.service.deps):
        await customers.has(ALI, 2000)
        await customers.nothing_waits()


# --- when the database cannot ---------------------------------------------------------------------


@asynccontextmanager
async def inbox_refuses(customers: Customers) -> AsyncIterator[None]:
    """The application may not write into the inbox for a while."""
    await customers.service.as_owner("REVOKE INSERT ON inbox FROM hamyon_app")
    try:
        yield
    finally:
        await customers.service.as_owner("GRANT INSERT ON inbox TO hamyon_app")


async def test_a_payment_that_cannot_be_kept_is_asked_for_again(shop: Open) -> None:
    """It is not acknowledged, and holds up nobody: others are asked and answered meanwhile."""
    customers = await shop()
    async with running_bot(customers.service.deps):
        links = {user_id: await customers.invoice(user_id) for user_id in (ALI, VALI)}
        with capture_logs() as logs:
            async with inbox_refuses(customers):
                for _ in range(2):
                    assert (await customers.click(links[ALI], ALI)).charge_id
                assert (await customers.click(links[VALI], VALI)).charge_id

                async def refused_often() -> bool:
                    said = [
                        one for one in logs if one["event"] == "an update could not be taken yet"
                    ]
                    return len(said) > 8

                await eventually(refused_often)
                waiting = (await customers.stats())["updates"]["waiting"]
                assert waiting >= 3
                assert await customers.service.api.balance(ALI) == (0, 0)
        await customers.has(ALI, 2000)
        await customers.has(VALI, 1000)
        await customers.nothing_waits()
    assert await customers.kinds(ALI) == ["deposit", "deposit"]


# --- when Telegram cannot -------------------------------------------------------------------------

TROUBLES = {
    "too many": {"kind": "status", "status": 429, "retry_after": 1},
    "restart": {"kind": "status", "status": 500},
    "a gateway's page": {"kind": "not_json", "accepted": False},
    "no connection": {"kind": "refuse"},
    "half an answer": {"kind": "answer_truncated"},
    "cut after it was done": {"kind": "accepted_then_cut"},
}


@pytest.mark.parametrize("fault", TROUBLES.values(), ids=TROUBLES.keys())
async def test_trouble_passes(shop: Open, fault: dict[str, object]) -> None:
    """At the start and while polling; what was paid meanwhile is credited."""
    customers = await shop()
    match = {"vendor": "telegram", "times": 2}
    await customers.sandbox.faults(
        *({"match": match | {"operation": one}, "fault": fault} for one in METHODS)
    )
    link = await customers.invoice(ALI)
    assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id
    with capture_logs() as logs:
        async with running_bot(customers.service.deps):
            await customers.has(ALI, 1000)
    troubled = [one for one in logs if "Telegram" in one["event"]]
    assert len(troubled) == 4
    assert {one["log_level"] for one in troubled} == {"warning"}
    if fault.get("status") == 429:
        assert [(one["code"], one["wait_s"]) for one in troubled] == [(429, 1.0)] * 4


METHODS = ("deleteWebhook", "getUpdates")


async def test_two_pollers_are_told_of_each_other(shop: Open) -> None:
    """Neither ends, the log says what is wrong, and nothing is lost or credited twice."""
    customers = await shop()
    deps = customers.service.deps
    with capture_logs() as logs:
        async with running_bot(deps), running_bot(deps):

            async def told() -> bool:
                return len([one for one in logs if one.get("code") == 409]) >= 2

            await eventually(told)
            await customers.bought(ALI)
            await customers.has(ALI, 1000)
    conflicts = [one for one in logs if one.get("code") == 409]
    assert "only one of them" in conflicts[0]["event"]
    assert {one["log_level"] for one in conflicts} == {"error"}
    assert await customers.kinds(ALI) == ["deposit"]


async def test_a_webhook_that_came_later_is_left_alone(shop: Open) -> None:
    """Somebody took over on purpose: polling says so and waits."""
    customers = await shop()
    with capture_logs() as logs:
        async with running_bot(customers.service.deps):
            await customers.bought(ALI)
            assert (await customers.call("setWebhook", url="http://127.0.0.1:9/"))["ok"]

            async def told() -> bool:
                said = [one for one in logs if "webhook is active" in one.get("said", "")]
                return len(said) >= 2

            await eventually(told)
            info = await customers.call("getWebhookInfo")
            assert info["result"]["url"] == "http://127.0.0.1:9/"
            assert (await customers.call("deleteWebhook"))["ok"]
            await customers.bought(ALI)
            await customers.has(ALI, 2000)


async def test_a_wrong_token_is_said_and_waited_out(shop: Open) -> None:
    """It ends neither the bot nor the process; the token is in no line of the log."""
    token = "777001:unknown-token-0123456789abcdefghijk"
    customers = await shop(bot_token=token)
    deps = customers.service.deps
    assert deps.bot is not None
    bot = Polling(deps, deps.bot)
    with capture_logs() as logs:
        task = asyncio.create_task(bot.run())

        async def told() -> bool:
            return len(logs) >= 2

        await eventually(told)
        bot.stop()
        await task
    assert "check BOT_TOKEN" in logs[0]["event"]
    assert logs[0]["code"] == 401
    assert token not in str(logs)
