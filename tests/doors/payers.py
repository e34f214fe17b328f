"""Buying, giving back and being told of it while the vendors fail in every way they can."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from hamyon.surfaces.bot.routes import PATH, SECRET_HEADER
from hamyon.users.service.tokens import jwt_secret
from hamyon.wiring.parts import derived
from tests.bot.customers import running_bot
from tests.doors.scene import OTHER, VICTIM, known_bot
from tests.doors.search import Search, ask
from tests.doors.shop import Shop
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, API_KEY, Service, eventually
from tests.users.signing import BOT_TOKEN

Rule = Mapping[str, Any]
YOOKASSA_KEY = "live_marked-0123456789abcdefghijklmnopqrstuvwx"
TIMEOUT_S = 3.0
SETTINGS = {
    "yookassa_secret_key": SecretStr(YOOKASSA_KEY),
    "yookassa_timeout_s": TIMEOUT_S,
    "telegram_timeout_s": TIMEOUT_S,
    "bot_mode": "webhook",
}


def marked(service: Service, search: Search) -> None:
    """Everything that vendors and we prove ourselves with to each other."""
    settings = service.settings
    search.mark("YooKassa's key in a header", basic_of(service))
    search.mark("the half of BOT_TOKEN", BOT_TOKEN.split(":")[1])
    search.mark("the bot webhook's secret", service.deps.bot_secret)
    for purpose in ("payments", "bot webhook", "callbacks", "files"):
        key = derived(jwt_secret(settings), purpose)
        for way in (key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1]):
            search.mark(f"the key for {purpose}", way)


async def vendors_know_us(sandbox: Sandbox) -> None:
    await known_bot(sandbox)
    await sandbox.vendor_settings("yookassa", secret_key=YOOKASSA_KEY)


def basic_of(service: Service) -> str:
    """What stands in the header of each call of YooKassa."""
    shop_and_key = f"{service.settings.yookassa_shop_id}:{YOOKASSA_KEY}"
    return base64.b64encode(shop_and_key.encode()).decode()


def failures(service: Service) -> list[list[Rule]]:
    """Each way to fail, at both vendors. Refusals repeat what their vendor saw of us."""
    echo = f"POST /v3 with Authorization: Basic {basic_of(service)}, that is {YOOKASSA_KEY}"
    found: list[list[Rule]] = []
    for status in (400, 401, 403, 502):
        bot = refusal(status, f"POST /bot{BOT_TOKEN}/method is refused")
        shop = refusal(status, echo)
        found.append(
            [
                {"match": {"vendor": "telegram"}, "fault": bot},
                {"match": {"vendor": "yookassa"}, "fault": shop},
            ]
        )
    cuts = ("accepted_then_cut", "answer_truncated", "not_json", "refuse")
    hang = {"kind": "hang", "seconds": 4 * TIMEOUT_S}
    found.append([{"fault": hang}])
    found += [[{"fault": {"kind": kind}}] for kind in cuts]
    return found


def refusal(status: int, message: str) -> Rule:
    return {"kind": "status", "status": status, "message": message}


async def payments(service: Service, search: Search, sandbox: Sandbox) -> None:
    """Paid in peace, and everything after that in every kind of trouble."""
    shop = Shop(service, sandbox)
    await service.person(OTHER)
    opened = await shop.invoice(OTHER, 140)
    charge = await shop.pay_stars(opened["invoice_link"], OTHER)
    assert (await shop.confirm(charge)).status == 200
    rubles = await shop.bought_rubles(OTHER)
    for number, rules in enumerate(failures(service)):
        await sandbox.faults(*rules)
        got = await asyncio.gather(*tries(service, search, opened["payment_id"], rubles, number))
        assert any(isinstance(status, int) and status >= 500 for status in got), (rules, got)
        await sandbox.clear_faults()
        for payment_id in (opened["payment_id"], rubles):
            await shown(service, search, f"/api/v1/admin/payments/{payment_id}")
    await notifications(service, search, charge)
    await updates(service, sandbox)


def tries(service: Service, search: Search, stars: str, rubles: str, number: int) -> list[Any]:
    """Everything that asks a vendor, at once."""
    person = {"telegram_id": OTHER}
    wishes: list[tuple[str, dict[str, object]]] = [
        ("payments/stars/invoice", {**person, "stars": 70}),
        ("payments/checkout", {**person, "gateway": "yookassa", "package": "credits_1000"}),
        (f"admin/payments/{stars}/refund", {"reason": "trouble"}),
        (f"admin/payments/{rubles}/refund", {"reason": "trouble", "amount": 100}),
        (f"admin/payments/{rubles}/recheck", {}),
    ]
    calls = []
    for path, body in wishes:
        key = ADMIN_KEY if path.startswith("admin") else API_KEY
        headers = {"api-key": key, "Idempotency-Key": f"trouble-{number}"}
        calls.append(ask(service, search, "POST", f"/api/v1/{path}", json=body, headers=headers))
    return calls


async def shown(service: Service, search: Search, path: str) -> None:
    """What operators see of it is searched, too: they may know no secret either."""
    api = service.api
    async with api.session.get(api.url + path, headers={"api-key": ADMIN_KEY}) as answer:
        assert answer.status == 200
        search.keep(dict(answer.headers), await answer.read())


async def notifications(service: Service, search: Search, charge: Mapping[str, Any]) -> None:
    """With the right secret, a wrong one and none; whole, torn, and from nobody."""
    right = service.deps.bot_secret
    update = {"update_id": 1, "message": {**charge, "text": right}}
    for guess in ("", right[:-1], right + "0"):
        headers = {SECRET_HEADER: guess}
        status = await ask(service, search, "POST", PATH, json=update, headers=headers)
        assert status == 404
    for data in (b"{", b"[]", b'{"message": {"successful_payment": {}}}'):
        headers = {SECRET_HEADER: right}
        assert await ask(service, search, "POST", PATH, data=data, headers=headers) == {}
    assert await ask(service, search, "PUT", PATH, headers={SECRET_HEADER: right}) == 405
    path = "/payments/yookassa/notification"
    wrong = {"Authorization": f"Basic {basic_of(service)}"}
    assert await ask(service, search, "POST", path, data=b"{", headers=wrong) == 404


async def updates(service: Service, sandbox: Sandbox) -> None:
    """A bot whose Telegram fails when it begins, by both ways in which updates come."""
    polling = service.settings.model_copy(update={"bot_mode": "polling"})
    for settings, operations in (
        # The webhook comes last: it stays, and would bring what polling is to ask for.
        (polling, ("deleteWebhook", "getUpdates")),
        (service.settings, ("setWebhook",)),
    ):
        await sandbox.faults(*(rule for name in operations for rule in at_first(name)))
        async with running_bot(replace(service.deps, settings=settings)):
            await an_update_comes(service, sandbox)
        await sandbox.clear_faults()


async def an_update_comes(service: Service, sandbox: Sandbox) -> None:
    """Somebody pays, and the bot hears of it in the end."""
    await service.person(VICTIM)
    before = (await service.api.balance(VICTIM))[0]
    opened = await Shop(service, sandbox).invoice(VICTIM, 70)
    # Without the question before, which a bot in trouble does not answer in time.
    form = {"user": str(VICTIM), "skip_pre_checkout": "1"}
    async with service.api.session.post(
        opened["invoice_link"], data=form, headers={"Accept": "application/json"}
    ) as answer:
        assert (await answer.json())["ok"]

    async def is_credited() -> bool:
        return (await service.api.balance(VICTIM))[0] == before + 1000

    await eventually(is_credited)


def at_first(operation: str) -> list[Rule]:
    """Two failures in a row of one call of the bot, and then it works."""
    match = {"vendor": "telegram", "operation": operation}
    refused = refusal(401, f"POST /bot{BOT_TOKEN}/{operation} is refused")
    return [
        {"match": {**match, "nth": 1}, "fault": refused},
        {"match": {**match, "nth": 2}, "fault": {"kind": "not_json"}},
    ]
