"""Updates that Telegram sends by itself: taken with the secret only, and 200 after the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from hamyon.kit.settings import Settings
from hamyon.surfaces.bot.routes import PATH, SECRET_HEADER, UPDATE_BYTES_MAX
from hamyon.surfaces.bot.types import ALLOWED_UPDATES
from hamyon.surfaces.bot.webhook import webhook_url
from tests.bot.conftest import Open
from tests.bot.customers import Customers, running_bot
from tests.bot.news import MARK, OTHERS, STRANGE_MONEY, paid
from tests.fixtures.service import Launch, Service, eventually

ALI, VALI = 101, 202


async def _webhook(shop: Open, **options: object) -> Customers:
    return await shop(webhooks=True, bot_mode="webhook", **options)


async def _send(service: Service, body: object, secret: str | None, **options: Any) -> int:
    headers: Mapping[str, str] = {} if secret is None else {SECRET_HEADER: secret}
    given = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with service.api.session.post(
        service.api.url + PATH, headers=headers, **given, **options
    ) as answer:
        await answer.read()
        return answer.status


async def _inbox(service: Service) -> int:
    return int(await service.pool.fetchval("SELECT count(*) FROM inbox"))


async def test_a_click_becomes_credits(shop: Open) -> None:
    customers = await _webhook(shop)
    async with running_bot(customers.service.deps):
        charge_id = await customers.bought(ALI, 140)
        await customers.has(ALI, 2000)
        await customers.give_back(charge_id)
        await customers.has(ALI, 0)
    stats = await customers.stats()
    assert stats["pre_checkout"]["ok"] == 1
    assert "getUpdates" not in stats["calls"]
    assert await customers.kinds(ALI) == ["deposit", "refund"]
    info = (await customers.call("getWebhookInfo"))["result"]
    assert set(info["allowed_updates"]) == set(ALLOWED_UPDATES)


async def test_doubled_and_overtaking_updates(shop: Open) -> None:
    customers = await _webhook(shop)
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
    assert (await customers.stats())["webhooks"]["answered"] >= 11


async def test_what_waited_is_sent_when_it_is_set(shop: Open) -> None:
    """Payments from before the start are not dropped, nor is a webhook set but once it works."""
    customers = await _webhook(shop)
    link = await customers.invoice(ALI)
    assert (await customers.click(f"{link}?skip_pre_checkout=1", ALI)).charge_id
    match = {"vendor": "telegram", "operation": "setWebhook", "times": 2}
    await customers.sandbox.fault("status", match, status=429, retry_after=1)
    with capture_logs() as logs:
        async with running_bot(customers.service.deps):
            await customers.has(ALI, 1000)
    assert [one["code"] for one in logs if "wait_s" in one] == [429, 429]


async def test_what_cannot_be_kept_is_sent_again(shop: Open) -> None:
    """500 while the database refuses; Telegram repeats until it is taken, and credits once."""
    customers = await _webhook(shop)
    await customers.sandbox.vendor_settings("telegram", webhooks={"retry_scale": 0.1})
    async with running_bot(customers.service.deps):
        link = await customers.invoice(ALI)
        await customers.service.as_owner("REVOKE INSERT ON inbox FROM hamyon_app")
        assert (await customers.click(link, ALI)).charge_id

        async def failed_often() -> bool:
            return bool((await customers.stats())["webhooks"]["failed"] >= 3)

        await eventually(failed_often)
        status = await _send(customers.service, paid(1), customers.service.deps.bot_secret)
        assert status == 500
        assert await _inbox(customers.service) == 0
        await customers.service.as_owner("GRANT INSERT ON inbox TO hamyon_app")
        await customers.has(ALI, 1000)
    assert await customers.kinds(ALI) == ["deposit"]


async def test_without_the_secret_there_is_nothing(shop: Open) -> None:
    customers = await _webhook(shop)
    service = customers.service
    right = service.deps.bot_secret
    wrong = [None, "", right[:-1], right + "0", right.upper(), "0" * len(right), "é" * 64]
    for secret in wrong:
        assert await _send(service, paid(1), secret) == 404, secret
    assert await _inbox(service) == 0
    assert await _send(service, paid(1), right) == 200
    assert await _inbox(service) == 1


async def test_without_a_bot_there_is_nothing(launch: Launch) -> None:
    service = await launch()
    assert service.deps.bot is None
    assert await _send(service, paid(1), service.deps.bot_secret) == 404


async def test_strange_updates_are_taken_and_said(shop: Open) -> None:
    """Sending them again would not make them better, so they are answered with 200."""
    customers = await _webhook(shop)
    service = customers.service
    bodies = [
        b"",
        b"{",
        b"[]",
        b"5",
        b'"' + MARK.encode() + b'"',
        b'{"message":"\\ud800"}',
        b"\xff",
    ]
    bodies += [b"[" * 5000]
    with capture_logs() as logs:
        for body in [*bodies, *STRANGE_MONEY.values(), *OTHERS.values()]:
            assert await _send(service, body, service.deps.bot_secret) == 200, body
    assert await _inbox(service) == 0
    said = [one for one in logs if one["event"] == "a strange update was passed by"]
    assert len(said) == len(bodies) + len(STRANGE_MONEY)
    assert MARK not in str(logs)


async def test_a_huge_one_is_not_read(shop: Open) -> None:
    customers = await _webhook(shop)
    body = b'{"message":{"text":"' + b"x" * UPDATE_BYTES_MAX + b'"}}'
    assert await _send(customers.service, body, customers.service.deps.bot_secret) == 413


@pytest.mark.parametrize(
    ("public_url", "api", "reachable"),
    [
        ("https://pay.example", "https://api.telegram.org", True),
        ("http://pay.example", "https://api.telegram.org", False),
        ("http://127.0.0.1:8000", "https://api.telegram.org", False),
        ("http://pay.example", "http://127.0.0.1:9000", False),
        ("http://127.0.0.1:8000", "http://localhost:9000", True),
        ("http://[::1]:8000", "http://127.0.0.1:9000", True),
        (None, "http://127.0.0.1:9000", False),
    ],
)
def test_where_telegram_can_reach_us(public_url: str | None, api: str, reachable: bool) -> None:
    settings = Settings(_env_file=None, public_url=public_url, telegram_api_base_url=api)
    assert webhook_url(settings) == (f"{public_url}{PATH}" if reachable else None)
