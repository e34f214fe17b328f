"""kill -9 of the bot's process around the commit of a payment: it is credited once, always."""

from __future__ import annotations

import pytest

from tests.bot.conftest import Open
from tests.fixtures.service import Process, Processes, eventually

pytestmark = pytest.mark.crash

ALI = 101


async def _died(process: Process) -> None:
    async def look() -> bool:
        return not process.is_alive

    await eventually(look)
    assert process.was_killed, process.said()


async def test_killed_between_the_commit_and_the_acknowledgement(
    shop: Open, processes: Processes
) -> None:
    """The payment is kept, Telegram does not know it, and sends it again."""
    customers = await shop()
    service = customers.service
    link = await customers.invoice(ALI)
    doomed = processes.start("bot", service.settings, HAMYON_CRASH_AT="event.stored")
    assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id
    await _died(doomed)
    assert await service.pool.fetchval("SELECT count(*) FROM inbox") == 1
    assert (await customers.stats())["updates"]["waiting"] == 1
    processes.start("bot", service.settings)
    await customers.nothing_waits()
    await customers.has(ALI, 1000)
    assert await customers.kinds(ALI) == ["deposit"]


async def test_killed_while_it_cannot_commit(shop: Open, processes: Processes) -> None:
    """Nothing is kept and nothing acknowledged; the next process finds it."""
    customers = await shop()
    service = customers.service
    link = await customers.invoice(ALI)
    process = processes.start("bot", service.settings)
    connection = await customers.owner()
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
            assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id

            async def holds() -> bool:
                return bool(
                    await connection.fetchval(
                        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = "
                        "'inbox'::regclass)"
                    )
                )

            await eventually(holds)
            process.kill()
    finally:
        await connection.close()
    assert (await customers.stats())["updates"]["waiting"] == 1
    processes.start("bot", service.settings)
    await customers.has(ALI, 1000)
    await customers.nothing_waits()
    assert await customers.kinds(ALI) == ["deposit"]


async def test_killed_again_and_again(shop: Open, processes: Processes) -> None:
    """At every third commit, under a stream of payments that are each sent three times."""
    customers = await shop()
    service = customers.service
    link = await customers.invoice(ALI)
    await customers.sandbox.vendor_settings("telegram", updates={"copies": 3})
    for _ in range(2):
        for _ in range(6):
            assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id
        await _died(processes.start("bot", service.settings, HAMYON_CRASH_AT="event.stored:3"))
    processes.start("bot", service.settings)
    await customers.nothing_waits()
    await customers.has(ALI, 12_000)
    assert await customers.kinds(ALI) == ["deposit"] * 12


async def test_an_api_that_dies_with_a_webhook_is_told_again(
    shop: Open, processes: Processes
) -> None:
    customers = await shop(webhooks=True, bot_mode="webhook")
    service = customers.service
    await customers.sandbox.vendor_settings("telegram", webhooks={"retry_scale": 0.2})
    link = await customers.invoice(ALI)
    doomed = processes.start("api", service.settings, HAMYON_CRASH_AT="event.stored")
    await processes.ready(doomed)
    url = f"{doomed.url}/api/v1/telegram/webhook"
    secret = service.deps.bot_secret
    assert (await customers.call("setWebhook", url=url, secret_token=secret))["ok"]
    assert (await customers.click(link, ALI)).charge_id
    await _died(doomed)
    assert (await customers.stats())["updates"]["waiting"] == 1
    await processes.ready(processes.start("api", service.settings, PORT=str(doomed.port)))
    await customers.nothing_waits()
    await customers.has(ALI, 1000)
    assert await customers.kinds(ALI) == ["deposit"]
