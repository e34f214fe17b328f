"""The line to the database is cut around every COMMIT of a money route: the client's retry finds
one effect each. PROOF, "an unknown commit is safe"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.fixtures.cut_proxy import Cut, CutProxy
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import UNHEARD, Answer, assert_sound, launched
from tests.payments.till import Till

ALI = 101
COMMITS = (0, 1, 2)
"""Each route has up to three transactions of its own."""
ROUNDS = 4


async def test_one_effect_for_each_route_and_key(
    database: Database, tmp_path: Path, sandbox: Sandbox
) -> None:
    async with (
        CutProxy.before(database.dsn) as proxy,
        launched(
            database, tmp_path, sandbox, worker=False, database_url=SecretStr(proxy.dsn)
        ) as service,
    ):
        shop = Till(service, sandbox)
        await service.person(ALI)
        number = 0
        for _, route in product(range(ROUNDS), (_confirm, _checkout, _refund, _redeem)):
            for cut, after in product(Cut, COMMITS):
                number += 1
                await _one_effect(proxy, shop, route, number, cut, after)
        assert proxy.cuts >= 100
        await assert_sound(service.deps)


Call = Callable[[], Awaitable[Answer]]
Count = Callable[[], Awaitable[int]]
Route = Callable[[Till, int], Awaitable[tuple[Call, Count]]]


async def _one_effect(
    proxy: CutProxy, shop: Till, route: Route, number: int, cut: Cut, after: int
) -> None:
    call, count = await route(shop, number)
    before = await count()
    proxy.arm(cut, after=after)
    first = await _heard(call)
    for _ in range(100):
        # A route with fewer commits leaves the cut armed; the next call of anything meets it.
        again = await _heard(call)
        if again is not None and again.status < 300:
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError(f"{route.__name__} {number} was never taken: {again}")
    assert await count() == before + 1, (route.__name__, cut, after)
    if first is not None and first.status < 300:
        assert _told(first) == _told(again), (route.__name__, cut, after)


def _told(answer: Answer) -> dict[str, Any]:
    """Whether it was known before is the one thing that a repetition says anew."""
    return {name: said for name, said in answer.body.items() if name != "already_confirmed"}


async def _heard(call: Call) -> Answer | None:
    try:
        return await call()
    except UNHEARD:
        return None


async def _patiently(call: Call) -> Answer:
    """A call that only prepares: its own retries are none of the test's business."""
    for _ in range(100):
        answer = await _heard(call)
        if answer is not None and answer.status < 500:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("the service never came back")


async def _counted(shop: Till, query: str) -> int:
    """Looks past the proxy, so that no look meets a cut."""
    (row,) = await shop.service.as_owner(query)
    return int(row[0])


async def _confirm(shop: Till, number: int) -> tuple[Call, Count]:
    wish = {"telegram_id": ALI, "stars": 70}
    opened = await _patiently(
        lambda: shop.service.api.call("POST", "/payments/stars/invoice", wish)
    )
    message = await shop.pay_stars(opened.body["invoice_link"], ALI)
    deposits = "SELECT count(*) FROM transfers WHERE kind = 'deposit'"
    return lambda: shop.confirm(message), lambda: _counted(shop, deposits)


async def _checkout(shop: Till, number: int) -> tuple[Call, Count]:
    wish = {"telegram_id": ALI, "gateway": "yookassa", "package": "credits_1000"}
    headers = {"Idempotency-Key": f"checkout-{number}"}
    payments = "SELECT count(*) FROM payments WHERE gateway = 'yookassa'"
    return (
        lambda: shop.service.api.call("POST", "/payments/checkout", wish, headers=headers),
        lambda: _counted(shop, payments),
    )


async def _refund(shop: Till, number: int) -> tuple[Call, Count]:
    confirm, _ = await _confirm(shop, number)
    await _patiently(confirm)
    (row,) = await shop.service.as_owner(
        "SELECT id FROM payments WHERE state = 'paid' ORDER BY paid_at DESC LIMIT 1"
    )
    refunds = "SELECT count(*) FROM transfers WHERE kind = 'refund'"
    return (
        lambda: shop.refund(str(row["id"]), f"refund-{number}"),
        lambda: _counted(shop, refunds),
    )


async def _redeem(shop: Till, number: int) -> tuple[Call, Count]:
    code = {"code": f"GIFT{number}", "asset": "credit", "amount": 5, "per_user_limit": 9}
    made = await _patiently(
        lambda: shop.service.api.call("POST", "/admin/promo_codes", code, admin=True)
    )
    assert made.status in {201, 409}, made.body
    wish = {"telegram_id": ALI, "code": f"GIFT{number}"}
    headers = {"Idempotency-Key": f"redeem-{number}"}
    uses = "SELECT count(*) FROM promo_uses"
    return (
        lambda: shop.service.api.call("POST", "/promo_codes/redeem", wish, headers=headers),
        lambda: _counted(shop, uses),
    )
