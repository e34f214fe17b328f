"""The statement: the window is found by searching, and every transaction in it is told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from hamyon.kit.http import HttpClient
from hamyon.payments.types.gateway import Charge, Fact, Listed, RefundMade, Unclear
from hamyon.providers.stars.gateway import StarsGateway
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.stars.people import plant
from tests.providers.stars.wishes import gateway_of

START = datetime(2026, 3, 1, tzinfo=UTC)
FAR = START + timedelta(days=3650)


def at(number: int) -> datetime:
    """Three transactions share a second, and ten seconds lie between."""
    return START + timedelta(seconds=number // 3 * 10)


def transaction(number: int, **more: object) -> dict[str, object]:
    return {
        "id": f"stx{number}",
        "amount": 70 + number,
        "date": int(at(number).timestamp()),
        "user_id": 1 + number,
        "invoice_payload": "",
        **more,
    }


async def read(
    gateway: StarsGateway, since: datetime, until: datetime
) -> tuple[list[Fact], list[int]]:
    """All facts, and how many each page had."""
    facts: list[Fact] = []
    sizes: list[int] = []
    cursor: str | None = None
    while len(sizes) < 50:
        page = await gateway.books(since, until, cursor)
        assert isinstance(page, Listed), page
        facts += page.facts
        sizes.append(len(page.facts))
        cursor = page.cursor
        if cursor is None:
            return facts, sizes
    raise AssertionError("the books never end")


async def calls(sandbox: Sandbox) -> int:
    requests = (await sandbox.stats("telegram"))["requests"]
    assert isinstance(requests, dict)
    return int(requests.get("getStarTransactions", 0))


def ids(facts: Sequence[Fact]) -> list[str]:
    return [fact.external_id for fact in facts]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 99, 100, 101, 1000])
async def test_every_window(http: HttpClient, sandbox: Sandbox, count: int) -> None:
    await plant(sandbox, *map(transaction, range(count)))
    gateway = gateway_of(http, sandbox.url)
    marks = {0, 1, 2, 3, count // 2, count - 3, count - 1, count, count + 3}
    moments = {START - timedelta(days=1), FAR, *(at(max(mark, 0)) for mark in marks)}
    moments |= {moment + timedelta(seconds=1) for moment in moments}
    for since in sorted(moments):
        for until in (at(count // 2), at(count) + timedelta(microseconds=1), FAR):
            expected = [f"stx{n}" for n in range(count) if since <= at(n) < until]
            before = await calls(sandbox)
            facts, sizes = await read(gateway, since, until)
            assert ids(facts) == expected, (since, until)
            assert all(isinstance(fact, Charge) for fact in facts)
            # Doubling and halving, then the pages, the empty one at the end among them.
            most = 2 * count.bit_length() + 2 + len(sizes)
            assert await calls(sandbox) - before <= most


async def test_only_the_window_is_read(http: HttpClient, sandbox: Sandbox) -> None:
    await plant(sandbox, *map(transaction, range(1000)))
    gateway = gateway_of(http, sandbox.url)
    assert (await read(gateway, START, FAR))[1] == [100] * 10 + [0]
    assert (await read(gateway, at(300), FAR))[1] == [100] * 7 + [0]
    assert (await read(gateway, START, at(30)))[1] == [30]


async def test_refunds_are_listed_under_their_own_date(http: HttpClient, sandbox: Sandbox) -> None:
    later = START + timedelta(days=2)
    await plant(
        sandbox,
        transaction(0, refunded_at=int(later.timestamp())),
        transaction(1),
        transaction(2, refunded_at=int(at(2).timestamp())),
    )
    gateway = gateway_of(http, sandbox.url)
    first, _ = await read(gateway, START, START + timedelta(days=1))
    assert sorted(ids(first)) == ["stx0", "stx1", "stx2", "stx2"]
    assert [fact.external_id for fact in first if isinstance(fact, RefundMade)] == ["stx2"]
    ((refund,), _) = await read(gateway, START + timedelta(days=1), FAR)
    assert isinstance(refund, RefundMade)
    assert (refund.charge_id, refund.amount_minor, refund.at) == ("stx0", 70, later)


@pytest.mark.parametrize(
    "accident",
    [
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 401},
        {"kind": "not_json"},
        {"kind": "answer_truncated"},
    ],
)
async def test_a_page_that_fails_is_read_again(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    await plant(sandbox, *map(transaction, range(250)))
    gateway = gateway_of(http, sandbox.url)
    facts: list[Fact] = []
    cursor: str | None = None
    for _ in range(10):
        await sandbox.faults({"match": {"operation": "getStarTransactions"}, "fault": accident})
        assert isinstance(await gateway.books(at(30), FAR, cursor), Unclear)
        await sandbox.clear_faults()
        page = await gateway.books(at(30), FAR, cursor)
        assert isinstance(page, Listed)
        facts += page.facts
        cursor = page.cursor
        if cursor is None:
            break
    assert ids(facts) == [f"stx{number}" for number in range(30, 250)]


async def test_the_search_itself_may_fail(http: HttpClient, sandbox: Sandbox) -> None:
    await plant(sandbox, *map(transaction, range(100)))
    gateway = gateway_of(http, sandbox.url)
    for nth in range(1, 8):
        await sandbox.faults(
            {
                "match": {"operation": "getStarTransactions", "nth": nth},
                "fault": {"kind": "status", "status": 429},
            }
        )
        assert isinstance(await gateway.books(at(60), FAR, None), Unclear)
        await sandbox.clear_faults()


async def test_what_comes_while_it_is_read_is_not_missed(
    http: HttpClient, sandbox: Sandbox
) -> None:
    await plant(sandbox, *map(transaction, range(150)))
    gateway = gateway_of(http, sandbox.url)
    first = await gateway.books(START, FAR, None)
    assert isinstance(first, Listed)
    await plant(sandbox, *map(transaction, range(150, 180)))
    second = await gateway.books(START, FAR, first.cursor)
    assert isinstance(second, Listed)
    assert ids([*first.facts, *second.facts]) == [f"stx{number}" for number in range(180)]


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", " 1", "٣", "1_000"])
async def test_a_cursor_that_is_none(http: HttpClient, sandbox: Sandbox, cursor: str) -> None:
    assert isinstance(await gateway_of(http, sandbox.url).books(START, FAR, cursor), Unclear)


@pytest.mark.parametrize(
    "result",
    [
        *(None, [], {}, {"transactions": None}, {"transactions": {}}, {"transactions": [None]}),
        {"transactions": [{}]},
        {"transactions": [{"date": "2026-03-01"}]},
    ],
)
async def test_no_statement(http: HttpClient, result: object) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        assert isinstance(await gateway_of(http, url).books(START, FAR, None), Unclear)


async def test_a_statement_without_an_end(http: HttpClient) -> None:
    """A server that answers every offset with a transaction of long ago."""
    asked: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((await request.json())["offset"])
        return web.json_response({"ok": True, "result": {"transactions": [{"date": 5}]}})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        assert isinstance(await gateway_of(http, url).books(START, FAR, None), Unclear)
    assert len(asked) < 50


async def test_a_page_of_gifts_is_not_the_end(http: HttpClient) -> None:
    """What is no purchase is passed over, and a page may come shorter than asked for."""
    date = int(START.timestamp())
    gift = {
        "id": "g",
        "amount": 15,
        "date": date,
        "receiver": {"type": "user", "transaction_type": "gift_purchase", "user": {"id": 5}},
    }
    user = {"type": "user", "transaction_type": "invoice_payment", "user": {"id": 5}}
    bought = {"id": "stx1", "amount": 70, "date": date, "source": user}
    statement = [gift] * 40 + [bought]

    async def handler(request: web.Request) -> web.Response:
        asked = await request.json()
        page = statement[asked["offset"] : asked["offset"] + min(asked["limit"], 7)]
        return web.json_response({"ok": True, "result": {"transactions": page}})

    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with app_server(app) as url:
        facts, sizes = await read(gateway_of(http, url), START, FAR)
    assert ids(facts) == ["stx1"]
    assert len(sizes) == 7
