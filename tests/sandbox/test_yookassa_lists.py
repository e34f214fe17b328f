"""Lists of the simulated YooKassa, and the past that is planted into them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.yookassa_shop import Shop


def _rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


async def test_a_list_is_newest_first_and_goes_on(shop: Shop) -> None:
    made = [(await shop.make(f"{number}.00"))["id"] for number in range(1, 26)]
    first = (await shop.call("GET", "/payments")).body
    assert [item["id"] for item in first["items"]] == made[:-11:-1]
    query = {"limit": "7"}
    page = (await shop.call("GET", "/payments", params=query)).body
    await shop.make("99.00")  # What comes later does not move the pages that follow.
    query["cursor"] = page["next_cursor"]
    rest = await shop.listed(**query)
    assert [item["id"] for item in [*page["items"], *rest]] == made[::-1]
    assert len(await shop.listed(limit="26")) == 26


async def test_the_last_page_has_no_cursor(shop: Shop) -> None:
    for _ in range(4):
        await shop.make()
    for limit, more in (("3", True), ("4", False), ("5", False)):
        body = (await shop.call("GET", "/payments", params={"limit": limit})).body
        assert ("next_cursor" in body) is more
    assert "next_cursor" not in (await shop.call("GET", "/refunds")).body


async def test_a_clock_that_went_back(shop: Shop) -> None:
    """The order is that of the times that payments show, not of their making."""
    for offset_s in (0, -7200, 3600, -3600):
        await shop.settings(clock_offset_s=offset_s, unpaid_s=86_400)
        await shop.make()
    times = [item["created_at"] for item in await shop.listed(limit="3", status="pending")]
    assert len(times) == 4
    assert times == sorted(times, reverse=True)


async def test_a_list_by_state(shop: Shop) -> None:
    pending = await shop.make()
    paid = await shop.paid()
    waiting = await shop.paid(capture=False)
    for status, one in (
        ("pending", pending),
        ("succeeded", paid),
        ("waiting_for_capture", waiting),
        ("canceled", None),
    ):
        ids = [item["id"] for item in await shop.listed(status=status)]
        assert ids == ([one["id"]] if one else [])
    by_card = [item["id"] for item in await shop.listed(payment_method="bank_card")]
    assert by_card == [waiting["id"], paid["id"]]


def _planted(number: int, at: datetime, **more: Any) -> dict[str, object]:
    return {"amount": f"{number}.00", "created_at": at.isoformat(), **more}


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def _amounts(shop: Shop, path: str = "/payments", **query: str) -> list[int]:
    items = await shop.listed(path, limit="2", **query)
    return [int(float(item["amount"]["value"])) for item in items]


async def test_a_list_by_time(shop: Shop, sandbox: Sandbox) -> None:
    minutes = [NOON + timedelta(minutes=number) for number in range(6)]
    payments = [_planted(number + 1, at) for number, at in enumerate(minutes)]
    await sandbox.plant(*payments[3:], *payments[:3])
    second, fourth = "2026-03-01T12:01:00.000Z", "2026-03-01T12:03:00.000Z"
    assert await _amounts(shop) == [6, 5, 4, 3, 2, 1]
    bounds = {"created_at.gte": second, "created_at.lte": fourth}
    assert await _amounts(shop, **bounds) == [4, 3, 2]
    bounds = {"created_at.gt": second, "created_at.lt": fourth}
    assert await _amounts(shop, **bounds) == [3]
    assert await _amounts(shop, **{"created_at.gt": "2026-03-01T17:03:00+05:00"}) == [6, 5]
    assert await _amounts(shop, **{"created_at.gte": "2026-03-01T12:05:00.000001Z"}) == []


async def test_a_list_by_time_of_capture(shop: Shop, sandbox: Sandbox) -> None:
    def captured(number: int, after: timedelta) -> dict[str, object]:
        at = NOON + timedelta(minutes=number)
        return _planted(number, at, captured_at=(at + after).isoformat())

    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    pending = _planted(9, NOON, status="canceled")
    await sandbox.plant(captured(1, hour), captured(2, minute), captured(3, -minute), pending)
    query = {"captured_at.gte": "2026-03-01T12:03:00Z"}
    assert await _amounts(shop, **query) == [2, 1]
    query["captured_at.lt"] = "2026-03-01T13:00:00Z"
    assert await _amounts(shop, **query) == [2]
    assert await _amounts(shop, **{"captured_at.lte": "2026-03-01T12:02:00Z"}) == [3]


async def test_a_list_of_refunds(shop: Shop, sandbox: Sandbox) -> None:
    one, two = await shop.paid(), await shop.paid()
    for payment, value in ((one, "1.00"), (two, "2.00"), (one, "3.00")):
        assert (await shop.refund(payment["id"], value)).status == 200
    await shop.settings(refunds={"pending_s": 60})
    assert (await shop.refund(two["id"], "4.00")).status == 200
    assert await _amounts(shop, "/refunds") == [4, 3, 2, 1]
    assert await _amounts(shop, "/refunds", payment_id=one["id"]) == [3, 1]
    assert await _amounts(shop, "/refunds", payment_id=two["id"], status="pending") == [4]
    assert await _amounts(shop, "/refunds", status="succeeded") == [3, 2, 1]
    assert await _amounts(shop, "/refunds", payment_id="nobody's") == []
    old = {"amount": "5.00", "created_at": NOON.isoformat()}
    await sandbox.plant(_planted(7, NOON, refunds=[old]))
    assert await _amounts(shop, "/refunds", **{"created_at.lt": "2026-03-02T00:00:00Z"}) == [5]


async def test_the_past_is_planted_and_replaced(shop: Shop, sandbox: Sandbox) -> None:
    (payment_id,) = await sandbox.plant(_planted(10, NOON, metadata={"payment_id": "a"}))
    planted = await shop.payment(payment_id)
    assert (planted["status"], planted["amount"]) == ("succeeded", _rub("10.00"))
    assert planted["created_at"] == planted["captured_at"] == "2026-03-01T12:00:00.000Z"
    refund = {"amount": "4.00", "created_at": NOON.isoformat()}
    await sandbox.plant(_planted(12, NOON, id=payment_id, refunds=[refund]))
    assert (await shop.payment(payment_id))["refunded_amount"] == _rub("4.00")
    assert await _amounts(shop) == [12]
    assert (await shop.refund(payment_id, "8.00")).status == 200
    stats = await shop.stats()
    assert (stats["payments"], stats["planted"]) == (0, 2)
    assert stats["refunded_minor"] == {payment_id: 800}


async def test_ids_that_are_planted_differ(shop: Shop, sandbox: Sandbox) -> None:
    refund = {"id": "r", "amount": "1.00", "created_at": NOON.isoformat()}
    await sandbox.plant(_planted(1, NOON, id="a", refunds=[refund]))
    for rows in (
        [_planted(2, NOON, id="b"), _planted(3, NOON, id="b")],
        [_planted(2, NOON, refunds=[refund])],
        [_planted(2, NOON, id="a", refunds=[refund, refund])],
    ):
        async with shop.session.post("/yookassa/plant", json=rows) as answer:
            assert answer.status == 400
    assert await _amounts(shop) == [1]
    await sandbox.plant(_planted(4, NOON, id="a", refunds=[refund]))
    assert (await _amounts(shop), await _amounts(shop, "/refunds")) == ([4], [1])


async def test_a_planted_payment_can_be_paid(shop: Shop, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    (payment_id,) = await sandbox.plant(_planted(1, now, status="pending"))
    assert await shop.pay(await shop.payment(payment_id)) == sandbox.url
    assert (await shop.payment(payment_id))["status"] == "succeeded"


async def test_a_hundred_thousand_payments(shop: Shop, sandbox: Sandbox) -> None:
    """Pages from the middle of many are right."""
    total, size = 100_000, 25_000
    for start in range(0, total, size):
        rows = (_planted(n + 1, NOON + timedelta(seconds=n)) for n in range(start, start + size))
        await sandbox.plant(*rows)
    at = (NOON + timedelta(seconds=50_000)).isoformat()
    query = {"limit": "100", "created_at.lt": at, "status": "succeeded"}
    seen: list[int] = []
    for _ in range(20):
        body = (await shop.call("GET", "/payments", params=query)).body
        seen += [int(float(item["amount"]["value"])) for item in body["items"]]
        query["cursor"] = body["next_cursor"]
    assert seen == list(range(50_000, 48_000, -1))
    query = {
        "captured_at.gte": at,
        "captured_at.lt": (NOON + timedelta(seconds=50_002)).isoformat(),
    }
    assert await _amounts(shop, **query) == [50_002, 50_001]
