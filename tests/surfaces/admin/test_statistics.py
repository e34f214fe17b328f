"""Statistics against a plain recount of what the test itself did."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hamyon.kit.web.permission import Role
from hamyon.surfaces.admin.statistics import count
from hamyon.users.service import overview
from tests.surfaces.admin.conftest import (
    PRICE,
    Api,
    deposit,
    job_of,
    order_in_review,
    ordered,
    paid_order,
    person,
)

DAYS = timedelta(days=30)


async def test_the_numbers_are_what_happened(api: Api) -> None:
    deps = api.deps
    for user_id in (1, 2, 3, 4):
        await person(deps, user_id)
    await deposit(deps, 1, 500)
    await deposit(deps, 2, 200)
    paid = [await paid_order(deps, 1), await paid_order(deps, 1), await paid_order(deps, 2)]
    await deps.pool.execute("UPDATE jobs SET cost_micro_usd = 9000 WHERE order_id = ANY ($1)", paid)
    released = await order_in_review(deps, 2)
    given = {"decision": "release", "note": "n"}
    await api.owner("POST", f"/orders/{released}/resolve", given, key="r")
    await order_in_review(deps, 2)
    unknown = await ordered(deps, 1)
    await deps.pool.execute(
        "UPDATE jobs SET state = 'uncertain' WHERE id = $1", await job_of(deps, unknown)
    )
    await api.owner("POST", f"/orders/{paid[0]}/refund", {"reason": "r", "amount": 7}, key="f")
    for amount in (90, -15):
        body = {"telegram_id": 3, "amount": amount, "reason": "r"}
        assert (await api.owner("POST", "/credits", body, key=f"c{amount}"))[0] == 200
    await api.owner("POST", "/users/4/block", {"reason": "r"})
    # Long ago, and so in none of the spans.
    old = await ordered(deps, 3)
    await deps.pool.execute(
        "UPDATE orders SET created_at = now() - interval '31 days' WHERE id = $1", old
    )

    status, found = await api.owner("GET", "/stats?days=30")
    assert status == 200, found
    users = found["users"]
    assert (users["total"], users["new_today"], users["blocked"]) == (4, 4, 1)
    assert (users["active_1d"], users["active_7d"], users["active_30d"]) == (2, 2, 2)
    generations = found["generations"]
    assert generations["by_status"] == {"completed": 3, "failed": 1, "review": 1, "queued": 1}
    assert generations["total"] == 6
    assert generations["success_rate"] == 0.75
    assert generations["mean_s"] > 0
    assert generations["uncertain_jobs"] == 1 + 2  # Both reviews' jobs were uncertain, too.
    (model,) = generations["by_model"]
    assert (model["model"], model["provider_cost_micro_usd"]) == ("seedream-v4", 27_000)
    money = found["credits"]
    assert money["sold"] == 700
    assert money["spent"] == 3 * PRICE
    assert money["refunded"] == 7
    assert (money["granted"], money["taken"]) == (90, 15)
    assert found["revenue"] == {}
    margin = found["margin"]
    assert margin["earned_micro_usd"] == (3 * PRICE - 7) * 1000
    assert margin["margin_micro_usd"] == (3 * PRICE - 7) * 1000 - 27_000
    assert found["queue"]["depth"] > 0


async def test_they_are_kept_for_a_moment(api: Api) -> None:
    await person(api.deps, 1)
    _, first = await api.owner("GET", "/stats")
    await person(api.deps, 2)
    _, again = await api.owner("GET", "/stats")
    assert again == first
    _, other = await api.owner("GET", "/stats?days=7")
    assert (first["users"]["total"], other["users"]["total"]) == (1, 2)


async def test_the_number_of_queries_is_fixed(api: Api) -> None:
    async with api.deps.pool.acquire() as connection:

        async def queries() -> int:
            seen: list[str] = []
            with connection.query_logger(lambda record: seen.append(record.query)):
                await count(connection, api.deps, DAYS)
            await asyncio.sleep(0.01)  # The driver calls its loggers from the loop.
            return len(seen)

        await queries()  # The first time the driver also asks for the types.
        empty = await queries()
        for user_id in (1, 2, 3):
            await person(api.deps, user_id)
            await deposit(api.deps, user_id, 100)
            await paid_order(api.deps, user_id)
        assert await queries() == empty == 6


async def test_new_people_by_the_calendar_of_the_zone(api: Api) -> None:
    """Wednesday 00:30 in Tashkent is still Tuesday in UTC."""
    zone = ZoneInfo("Asia/Tashkent")
    now = datetime(2026, 11, 17, 19, 30, tzinfo=UTC)
    came = {
        1: datetime(2026, 11, 18, 0, 1, tzinfo=zone),  # today
        2: datetime(2026, 11, 17, 23, 59, tzinfo=zone),  # yesterday
        3: datetime(2026, 11, 16, 0, 0, tzinfo=zone),  # Monday
        4: datetime(2026, 11, 15, 23, 59, tzinfo=zone),  # Sunday
        5: datetime(2026, 11, 1, 0, 0, tzinfo=zone),  # the first
        6: datetime(2026, 10, 31, 23, 59, tzinfo=zone),  # last month
    }
    for user_id, at in came.items():
        await person(api.deps, user_id)
        await api.deps.pool.execute("UPDATE users SET created_at = $2 WHERE id = $1", user_id, at)
    counts = await overview.counts(api.deps.pool, now=now, zone=zone)
    found = (counts.total, counts.new_today, counts.new_week, counts.new_month)
    assert found == (6, 1, 3, 5)


async def test_queue(api: Api) -> None:
    await person(api.deps, 1)
    await deposit(api.deps, 1, 100)
    await ordered(api.deps, 1)
    await order_in_review(api.deps, 1)
    status, found = await api.owner("GET", "/queue")
    assert status == 200, found
    (advance,) = [one for one in found["by_entrypoint"] if one["entrypoint"] == "advance"]
    assert found["depth"] == sum(one["due"] for one in found["by_entrypoint"])
    assert found["depth"] > advance["due"] >= 2, "the notice for operators waits, too"
    assert (found["review_orders"], found["failed"]) == (1, 0)
    assert found["oldest_s"] >= 0
    depth = found["depth"]
    await api.deps.pool.execute("UPDATE pgqueuer SET status = 'failed'")
    _, found = await api.owner("GET", "/queue")
    assert (found["depth"], found["failed"]) == (0, depth)


async def test_health_is_open_and_statistics_are_not(api: Api) -> None:
    status, found = await api.call("GET", "/health")
    assert (status, found["status"], found["checks"]) == (200, "ok", {"database": "ok"})
    assert (await api.call("GET", "/stats"))[0] == 401
    support, nobody = await api.token(1, Role.SUPPORT), await api.token(2, None)
    assert (await api.call("GET", "/stats", token=support))[0] == 200
    assert (await api.call("GET", "/stats", token=nobody))[0] == 403
    for days in (0, 366, "x"):
        assert (await api.owner("GET", f"/stats?days={days}"))[0] == 422
