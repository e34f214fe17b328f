"""PROOF, "a payment credits once" and "one effect per key", by several processes at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hamyon.payments.service import stars
from hamyon.payments.types import StarEvent
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Api, Processes, assert_sound, eventually, hurried, launched
from tests.payments.till import Till

ALI = 101
DELIVERIES = 50


async def test_one_charge_told_by_two_processes_mixed_with_its_refund(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox
) -> None:
    """One credit and one final state, whatever comes first."""
    async with launched(database, tmp_path, sandbox) as service:
        shop = Till(service, sandbox)
        started = [processes.start("api", service.settings) for _ in range(2)]
        for process in started:
            await processes.ready(process)
        doors = [Till(_behind(service, process.url), sandbox) for process in started]
        for round_number in range(4):
            user_id = ALI + round_number
            await service.person(user_id)
            opened = await shop.invoice(user_id, 70)
            message = await shop.pay_stars(opened["invoice_link"], user_id)
            charge = message["successful_payment"]["telegram_payment_charge_id"]
            async with service.api.session.post(
                f"{sandbox.url}/telegram/refund", json={"charge_id": charge}
            ) as answer:
                assert answer.status == 200, await answer.text()
            refunded = _refund_of(message)
            told = [doors[n % 2].confirm(message) for n in range(DELIVERIES)]
            backs = [stars.receive(service.deps, refunded) for _ in range(DELIVERIES // 5)]
            back = asyncio.gather(*backs)
            confirmed = await asyncio.gather(*told)
            await back
            assert {answer.status for answer in confirmed} == {200}
            assert [a.body["already_confirmed"] for a in confirmed].count(False) <= 1

            async def settled(payment_id: str = opened["payment_id"]) -> bool:
                return bool((await shop.payment(payment_id))["refunded_minor"] == 70)

            # A refund that came before its charge waits for the look behind the confirmation.
            async with hurried(service):
                await eventually(settled)
            assert await shop.available(user_id) == 0
            assert await shop.debt(user_id) == 0
            kinds = [line["kind"] for line in await _lines(service.api, user_id)]
            assert sorted(kinds) == ["deposit", "refund"]
        await assert_sound(service.deps)


async def test_a_hundred_equal_requests_have_one_effect(
    database: Database, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Checkout and refund: at once, later, and with another body."""
    async with launched(database, tmp_path, sandbox) as service:
        shop = Till(service, sandbox)
        await service.person(ALI)
        wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
        headers = {"Idempotency-Key": "k"}

        async def buy(**changed: object) -> Any:
            return await service.api.call(
                "POST", "/payments/checkout", wish | changed, headers=headers
            )

        answers = await asyncio.gather(*(buy() for _ in range(100)))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body["payment_url"] for answer in answers}) == 1
        assert (await buy(quantity=2)).code == "idempotency_mismatch"
        stats = await sandbox.stats("yookassa")
        assert stats["payments"] == 1

        payment = await shop.bought_stars(ALI, 140)
        refunds = await asyncio.gather(*(shop.refund(str(payment["id"]), "r") for _ in range(100)))
        assert {answer.status for answer in refunds} == {200}
        assert {answer.body["clawed_back"] for answer in refunds} == {2000}
        assert await shop.available(ALI) == 0
        assert await service.pool.fetchval("SELECT count(*) FROM refunds") == 1
        assert (await shop.refund(str(payment["id"]), "r", 140)).code == "idempotency_mismatch"
        await assert_sound(service.deps)


def _behind(service: Any, url: str) -> Any:
    """The same service behind another process's door."""
    return type(service)(
        service.settings, service.deps, Api(url, service.api.session), service.database
    )


def _refund_of(message: dict[str, Any]) -> StarEvent:
    paid = message["successful_payment"]
    return StarEvent(
        kind="refunded_payment",
        telegram_id=message["from"]["id"],
        total_amount=paid["total_amount"],
        currency=paid["currency"],
        invoice_payload=paid["invoice_payload"],
        telegram_payment_charge_id=paid["telegram_payment_charge_id"],
        at=message["date"] + 1,
    )


async def _lines(api: Api, user_id: int) -> list[dict[str, Any]]:
    answer = await api.call("GET", f"/users/{user_id}/ledger?asset=credit&limit=100")
    items: list[dict[str, Any]] = answer.body["items"]
    return items
