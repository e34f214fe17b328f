"""Reading the vendor's books: every paid charge and finished refund of a window, once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from aiohttp import web

from hamyon.kit.http import HttpClient
from hamyon.payments.types.gateway import Charge, Fact, Listed, RefundMade, Unclear
from hamyon.providers.yookassa.gateway import YooKassaGateway
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.yookassa.wishes import gateway_of

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def payment(at: datetime, **more: object) -> dict[str, object]:
    return {"amount": "149.00", "created_at": at.isoformat(), **more}


def refund(at: datetime, **more: object) -> dict[str, object]:
    return {"amount": "1.00", "created_at": at.isoformat(), **more}


async def read(
    gateway: YooKassaGateway, since: datetime = SINCE, until: datetime = UNTIL
) -> tuple[list[Fact], int]:
    """All facts, and how many pages they came on."""
    facts: list[Fact] = []
    cursor: str | None = None
    for pages in range(1, 100):
        page = await gateway.books(since, until, cursor)
        assert isinstance(page, Listed), page
        facts += page.facts
        cursor = page.cursor
        if cursor is None:
            return facts, pages
    raise AssertionError("the books never end")


async def test_empty_books(http: HttpClient, sandbox: Sandbox) -> None:
    assert await read(gateway_of(http, sandbox.url)) == ([], 2)


@pytest.mark.parametrize(
    ("payments", "refunds", "pages"),
    [(1, 0, 2), (99, 1, 2), (100, 100, 2), (101, 99, 3), (250, 320, 3 + 4)],
)
async def test_pages_of_both_kinds(
    http: HttpClient, sandbox: Sandbox, payments: int, refunds: int, pages: int
) -> None:
    # Several share a moment, as they do in a busy shop.
    moments = [SINCE + timedelta(seconds=number // 3) for number in range(payments)]
    parts: list[list[dict[str, object]]] = [[] for _ in moments]
    for number in range(refunds):
        parts[number % payments].append(refund(SINCE + timedelta(hours=1, seconds=number // 2)))
    await sandbox.plant(
        *(payment(at, refunds=own) for at, own in zip(moments, parts, strict=True)),
        payment(SINCE - MS, refunds=[refund(SINCE - MS), refund(UNTIL)]),
        payment(UNTIL, refunds=[refund(UNTIL + MS)]),
        payment(SINCE, status="pending"),
        payment(SINCE, status="canceled"),
        payment(SINCE, status="waiting_for_capture"),
    )
    facts, read_pages = await read(gateway_of(http, sandbox.url))
    charges = [fact for fact in facts if isinstance(fact, Charge)]
    made = [fact for fact in facts if isinstance(fact, RefundMade)]
    assert len({charge.external_id for charge in charges}) == len(charges) == payments
    assert len({one.external_id for one in made}) == len(made) == refunds
    assert Counter(charge.at for charge in charges) == Counter(moments)
    assert sum(charge.amount_minor for charge in charges) == 14_900 * payments
    assert sum(one.amount_minor for one in made) == 100 * refunds
    assert read_pages == pages


async def test_the_edges_of_a_window(http: HttpClient, sandbox: Sandbox) -> None:
    moments = [SINCE - MS, SINCE, SINCE + MS, UNTIL - MS, UNTIL, UNTIL + MS]
    await sandbox.plant(*(payment(at, refunds=[refund(at)]) for at in moments))
    gateway = gateway_of(http, sandbox.url)
    facts, _ = await read(gateway)
    assert sorted(fact.at for fact in facts) == sorted([*moments[1:4], *moments[1:4]])
    between, _ = await read(gateway, SINCE + MS / 2, UNTIL + MS / 2)
    assert {fact.at for fact in between} == set(moments[2:5])
    tashkent = timezone(timedelta(hours=5))
    local, _ = await read(gateway, SINCE.astimezone(tashkent), UNTIL.astimezone(tashkent))
    assert local == facts


async def test_what_did_not_end_well_is_no_part(http: HttpClient, sandbox: Sandbox) -> None:
    parts = [refund(SINCE, status="pending"), refund(SINCE, status="canceled"), refund(SINCE)]
    (charge_id,) = await sandbox.plant(payment(SINCE - timedelta(days=5), refunds=parts))
    ((only,), _) = await read(gateway_of(http, sandbox.url))
    assert isinstance(only, RefundMade)
    assert only.charge_id == charge_id


async def test_a_page_that_fails_is_read_again(http: HttpClient, sandbox: Sandbox) -> None:
    await sandbox.plant(*(payment(SINCE, refunds=[refund(SINCE)]) for _ in range(150)))
    gateway = gateway_of(http, sandbox.url)
    facts: list[Fact] = []
    cursor: str | None = None
    for operation in ("list_payments", "list_payments", "list_refunds", "list_refunds"):
        for accident in ({"kind": "status", "status": 429}, {"kind": "answer_truncated"}):
            await sandbox.faults({"match": {"operation": operation}, "fault": accident})
            assert isinstance(await gateway.books(SINCE, UNTIL, cursor), Unclear)
            await sandbox.clear_faults()
        page = await gateway.books(SINCE, UNTIL, cursor)
        assert isinstance(page, Listed)
        facts += page.facts
        cursor = page.cursor
    assert cursor is None
    assert len({fact.external_id for fact in facts}) == len(facts) == 300


@pytest.mark.parametrize("cursor", ["x", "payment:", "payments:%%%", "refunds:nothing", ":"])
async def test_a_cursor_that_is_none(http: HttpClient, sandbox: Sandbox, cursor: str) -> None:
    outcome = await gateway_of(http, sandbox.url).books(SINCE, UNTIL, cursor)
    assert isinstance(outcome, Unclear)


async def test_a_vendor_that_lists_more_than_was_asked(http: HttpClient) -> None:
    def item(number: int, at: datetime, **more: object) -> dict[str, object]:
        made = {"id": f"2f3b588d-{number}", "payment_id": "2f3b588d", "status": "succeeded"}
        amount = {"value": "1.00", "currency": "RUB"}
        return {**made, "paid": True, "amount": amount, "created_at": at.isoformat(), **more}

    items = [
        item(1, SINCE - MS),
        item(2, SINCE),
        item(3, UNTIL),
        item(4, SINCE, status="canceled"),
        item(5, SINCE, status="pending"),
    ]

    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"items": items})

    app = web.Application()
    app.router.add_get("/v3/{path:.*}", handler)
    async with app_server(app) as url:
        facts, _ = await read(gateway_of(http, url))
        assert [fact.external_id for fact in facts] == ["2f3b588d-2", "2f3b588d-2"]
        items.append(item(6, SINCE, amount={"value": "1.0", "currency": "RUB"}))
        assert isinstance(await gateway_of(http, url).books(SINCE, UNTIL, None), Unclear)
