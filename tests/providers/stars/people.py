"""People who pay, and what the bot hears of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import aiohttp

from hamyon.kit.http import HttpClient
from hamyon.payments.types.stars import StarEvent
from hamyon.providers.telegram.api import BotApi
from tests.fixtures.sandbox import Sandbox
from tests.providers.stars.wishes import TOKEN


def bot_of(http: HttpClient, sandbox: Sandbox, *, token: str = TOKEN) -> BotApi:
    return BotApi(http, token=token, base_url=sandbox.url)


async def pay(url: str, user_id: int, *, asks_bot: bool = False) -> Mapping[str, Any]:
    """Press the button of an invoice; ``{ok, charge_id, error}``."""
    form = {"user": str(user_id), "skip_pre_checkout": "" if asks_bot else "1"}
    async with (
        aiohttp.ClientSession(headers={"Accept": "application/json"}) as session,
        session.post(url, data=form) as answer,
    ):
        told = await answer.json()
        assert isinstance(told, dict)
        return told


async def paid(url: str, user_id: int) -> str:
    """The charge of a payment that goes through."""
    told = await pay(url, user_id)
    assert told["ok"], told
    return str(told["charge_id"])


async def plant(sandbox: Sandbox, *transactions: Mapping[str, object]) -> None:
    """Payments that are in Telegram's books for long."""
    await _post(sandbox, "plant", {"transactions": list(transactions)})


async def refund_at_telegram(sandbox: Sandbox, charge_id: str) -> None:
    """Telegram itself gives a charge back."""
    await _post(sandbox, "refund", {"charge_id": charge_id})


async def news(bot: BotApi, *, offset: int | None = None) -> Sequence[Mapping[str, Any]]:
    """What waits for the bot."""
    updates = await bot.get_updates(offset, 0, ["message", "pre_checkout_query"])
    assert isinstance(updates, Sequence), updates
    return updates


def events_of(updates: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """What of it the bot stores."""
    stored = []
    for update in updates:
        message = update.get("message", {})
        kinds: tuple[Literal["successful_payment", "refunded_payment"], ...]
        kinds = ("successful_payment", "refunded_payment")
        for kind in kinds:
            if (told := message.get(kind)) is not None:
                event = StarEvent(
                    kind=kind,
                    telegram_id=message["from"]["id"],
                    total_amount=told["total_amount"],
                    currency=told["currency"],
                    invoice_payload=told["invoice_payload"],
                    telegram_payment_charge_id=told["telegram_payment_charge_id"],
                    at=message["date"],
                )
                stored.append(event.to_bytes())
    return stored


async def _post(sandbox: Sandbox, name: str, body: object) -> None:
    async with (
        aiohttp.ClientSession(sandbox.url) as session,
        session.post(f"/telegram/{name}", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
