"""kill -9 at every named point of payments, in real processes; then whoever comes next goes on.

Each charge credits once, each refund is made once at the vendor, and the audit finds nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from hamyon.kit.crash import PAYMENT_POINTS
from hamyon.payments.service import send
from hamyon.payments.types import RefundId
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import (
    UNHEARD,
    Api,
    Process,
    Processes,
    Service,
    assert_sound,
    eventually,
    forget_the_dead,
    hurried,
    launched,
    working,
)
from tests.payments.till import Till

pytestmark = pytest.mark.crash

ALI = 101
OPENING = ("payment.kept", "payment.opened")
REFUNDING = ("refund.kept", "refund.sent")


def test_every_point_is_reached() -> None:
    """The tests below reach each of them."""
    assert {*OPENING, *REFUNDING, "event.stored", "event.settled"} == set(PAYMENT_POINTS)


@asynccontextmanager
async def _shop(database: Database, home: Path, sandbox: Sandbox) -> AsyncIterator[Till]:
    async with launched(database, home, sandbox, worker=False) as service:
        await service.person(ALI)
        yield Till(service, sandbox)
        await assert_sound(service.deps)


async def _doomed(processes: Processes, service: Service, point: str) -> tuple[Process, Till]:
    """An API process that dies at ``point``, and the way to buy through it."""
    process = processes.start("api", service.settings, HAMYON_CRASH_AT=point)
    await processes.ready(process)
    api = Api(process.url, service.api.session)
    return process, Till(
        Service(service.settings, service.deps, api, service.database), Sandbox(_sandbox(service))
    )


def _sandbox(service: Service) -> str:
    return service.settings.telegram_api_base_url


async def _died(process: Process) -> None:
    async def look() -> bool:
        return not process.is_alive

    await eventually(look)
    assert process.was_killed, process.said()


@pytest.mark.parametrize("point", OPENING)
async def test_a_purchase_goes_on_under_its_key(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox, point: str
) -> None:
    async with _shop(database, tmp_path, sandbox) as shop:
        process, doomed = await _doomed(processes, shop.service, point)
        wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
        headers = {"Idempotency-Key": "k"}
        with pytest.raises(UNHEARD):
            await doomed.service.api.call("POST", "/payments/checkout", wish, headers=headers)
        await _died(process)
        again = await shop.service.api.call("POST", "/payments/checkout", wish, headers=headers)
        assert again.status == 201, again.body
        assert (await sandbox.stats("yookassa"))["payments"] == 1
        assert await shop.service.pool.fetchval("SELECT count(*) FROM payments") == 1


async def test_a_charge_that_was_stored_is_credited_by_the_worker(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox
) -> None:
    async with _shop(database, tmp_path, sandbox) as shop:
        opened = await shop.invoice(ALI, 70)
        message = await shop.pay_stars(opened["invoice_link"], ALI)
        process, doomed = await _doomed(processes, shop.service, "event.stored")
        with pytest.raises(UNHEARD):
            await doomed.confirm(message)
        await _died(process)
        assert await shop.available(ALI) == 0
        async with hurried(shop.service), working(shop.service):
            await eventually(lambda: _has(shop, 1000))
        again = await shop.confirm(message)
        assert again.body == {"credits_added": 1000, "balance": 1000, "already_confirmed": True}


async def test_a_worker_that_dies_after_crediting_credits_no_more(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox
) -> None:
    async with _shop(database, tmp_path, sandbox) as shop:
        url = f"{shop.service.api.url}/payments/yookassa/notification"
        await sandbox.vendor_settings("yookassa", notification_url=url)
        opened = await shop.checkout(ALI)
        process = processes.start("worker", shop.service.settings, HAMYON_CRASH_AT="event.settled")
        await sandbox.pay(opened["payment_url"])
        await _died(process)
        assert await shop.available(ALI) == 1000
        await forget_the_dead(shop.service)
        async with hurried(shop.service), working(shop.service):
            await eventually(lambda: _handled(shop))
        assert await shop.available(ALI) == 1000


@pytest.mark.parametrize("point", REFUNDING)
async def test_a_refund_is_made_once(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox, point: str
) -> None:
    async with _shop(database, tmp_path, sandbox) as shop:
        payment = await shop.bought_stars(ALI, 70)
        process, doomed = await _doomed(processes, shop.service, point)
        with pytest.raises(UNHEARD):
            await doomed.refund(str(payment["id"]), "r")
        await _died(process)
        assert await shop.available(ALI) == 0
        answer = await shop.refund(str(payment["id"]), "r")
        assert (answer.status, answer.body["clawed_back"]) == (200, 1000)
        (row,) = await shop.service.pool.fetch("SELECT id FROM refunds")
        refund = await send.send(shop.service.deps, RefundId(UUID(str(row["id"]))))
        assert refund.state == "done"
        stars = [one for one in await _transactions(shop) if "receiver" in one]
        assert [one["id"] for one in stars] == [payment["external_id"]]


async def _has(shop: Till, credits_: int) -> bool:
    return await shop.available(ALI) == credits_


async def _handled(shop: Till) -> bool:
    return not await shop.service.pool.fetchval(
        "SELECT count(*) FROM inbox WHERE handled_at IS NULL"
    )


async def _transactions(shop: Till) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await shop.bot("getStarTransactions"))["transactions"]
    return found
