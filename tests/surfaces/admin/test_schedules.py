"""What runs by the clock: audits, the report, margins, balances, and what is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from hamyon.kit.queue import Schedule
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.orders.types import Engine
from hamyon.providers.offline.engine import OfflineEngine
from hamyon.surfaces.admin import audits, report, store
from hamyon.surfaces.admin.schedules import daily, forget_old, schedules
from hamyon.surfaces.admin.types import Run
from hamyon.wiring import Deps
from tests.surfaces.admin.conftest import deposit, order_in_review, paid_order, person

USER = 777
DAY = date(2026, 11, 18)


@dataclass
class SetClock:
    """Stands where it was set."""

    at: datetime

    def now(self) -> datetime:
        return self.at


async def notices(deps: Deps, kind: str) -> list[Mapping[str, Any]]:
    rows = await deps.pool.fetch(
        "SELECT key, user_id, facts FROM notices WHERE kind = $1 ORDER BY id", kind
    )
    return [dict(row) for row in rows]


async def break_books(deps: Deps) -> str:
    """An order charged otherwise than its hold says; returns its id."""
    await person(deps, USER)
    await deposit(deps, USER, 100)
    order_id = await paid_order(deps, USER)
    await deps.pool.execute("UPDATE orders SET charged = 20 WHERE id = $1", order_id)
    return str(order_id)


async def mend_books(deps: Deps) -> None:
    await deps.pool.execute("UPDATE orders SET charged = price WHERE charged = 20")


async def test_a_sound_service_is_left_in_peace(deps: Deps) -> None:
    await person(deps, USER)
    assert await audits.audit_recent(deps) == []
    assert await audits.audit_whole(deps) == []
    assert await notices(deps, "audit_findings") == []
    last = await store.last_run(deps.pool, [audits.RECENT, audits.WHOLE])
    assert last is not None
    assert (last.name, last.findings) == (audits.WHOLE, 0)


async def test_a_finding_is_told_once_a_day(deps: Deps) -> None:
    order_id = await break_books(deps)
    for _ in range(3):
        found = await audits.audit_recent(deps)
        assert {finding.subject for finding in found} == {order_id}
    (told,) = await notices(deps, "audit_findings")
    assert told["user_id"] is None
    assert told["facts"]["count"] == len(found)
    assert {one["subject"] for one in told["facts"]["findings"]} == {order_id}
    assert f"hamyon_audit_findings {len(found)}.0" in deps.metrics.render().decode()
    await mend_books(deps)
    assert await audits.audit_recent(deps) == []
    assert b"hamyon_audit_findings 0.0" in deps.metrics.render()


async def test_the_recent_audit_looks_only_at_what_changed(deps: Deps) -> None:
    order_id = await break_books(deps)
    await deps.pool.execute(
        "UPDATE orders SET settled_at = now() - interval '1 day' WHERE id = $1", order_id
    )
    assert await audits.audit_recent(deps) != [], "the first audit looks at everything"
    assert await audits.audit_recent(deps) == [], "what is old was looked at before"
    assert await audits.audit_whole(deps) != []
    await mend_books(deps)


async def test_it_looks_back_over_long_transactions(deps: Deps) -> None:
    """What began just before the last audit and committed after it is looked at again."""
    await audits.audit_recent(deps)
    order_id = await break_books(deps)
    await deps.pool.execute(
        "UPDATE orders SET settled_at = now() - interval '8 minutes' WHERE id = $1", order_id
    )
    assert await audits.audit_recent(deps) != []
    await mend_books(deps)


async def test_a_refund_beyond_the_charge_is_found(deps: Deps) -> None:
    await person(deps, USER)
    await deposit(deps, USER, 100)
    order_id = await paid_order(deps, USER)
    await audits.audit_recent(deps)
    async with deps.pool.acquire() as connection:
        for key in ("a", "b"):
            await ledger.grant(
                connection, user_id=USER, asset="credit", amount=20, kind=TransferKind.REFUND,
                from_role="revenue:images", key=key, actor="test", reference=str(order_id),
            )  # fmt: skip
        found = await audits.audit_recent(deps)
        assert [finding.check for finding in found] == ["refunded_within_charge"]
        await ledger.grant(
            connection, user_id=USER, asset="credit", amount=-20, kind=TransferKind.REFUND,
            from_role="revenue:images", key="c", actor="test", reference=str(order_id),
        )  # fmt: skip


async def test_the_report_tells_the_day_and_what_is_odd(deps: Deps) -> None:
    await person(deps, USER)
    await deposit(deps, USER, 100)
    await paid_order(deps, USER)
    await order_in_review(deps, USER)
    await audits.audit_recent(deps)
    await report.daily_report(deps, DAY)
    await report.daily_report(deps, DAY)
    (told,) = await notices(deps, "daily_report")
    facts = told["facts"]
    assert (told["key"], facts["day"]) == ("daily_report:2026-11-18", "2026-11-18")
    assert (facts["sold"], facts["spent"], facts["refunded"]) == (100, 27, 0)
    assert facts["users"]["total"] == 1
    assert facts["top_models"] == [{"model": "seedream-v4", "orders": 2}]
    assert facts["odd"] == {"orders_in_review": 1, "uncertain_jobs": 1}


async def test_an_audit_that_never_ran_is_odd(deps: Deps) -> None:
    await report.daily_report(deps, DAY)
    (told,) = await notices(deps, "daily_report")
    assert told["facts"]["odd"] == {"last_audit_at": "never"}


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        (datetime(2026, 11, 18, 3, 59, tzinfo=UTC), "Asia/Tashkent", None),
        (datetime(2026, 11, 18, 4, 0, tzinfo=UTC), "Asia/Tashkent", DAY),
        # Nobody worked at nine; the first worker who comes makes up for it.
        (datetime(2026, 11, 18, 18, 59, tzinfo=UTC), "Asia/Tashkent", DAY),
        (datetime(2026, 11, 18, 20, 0, tzinfo=UTC), "Asia/Tashkent", None),
        # The clocks of Berlin changed on 25 October; nine is 8:00 in UTC then, 7:00 before.
        (datetime(2026, 10, 24, 7, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 24)),
        (datetime(2026, 10, 26, 7, 0, tzinfo=UTC), "Europe/Berlin", None),
        (datetime(2026, 10, 26, 8, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 26)),
    ],
)
async def test_once_a_day_at_its_hour(
    deps: Deps, at: datetime, zone: str, expected: date | None
) -> None:
    settings = deps.settings.model_copy(update={"timezone": zone})
    here = replace(deps, clock=SetClock(at), settings=settings)
    days: list[date] = []

    async def run(day: date) -> None:
        days.append(day)
        await store.keep_run(here.pool, Run("x", day, at, 0, {}))

    look = daily(here, "x", 9, run)
    await look()
    await look()
    assert days == ([expected] if expected else [])


async def test_a_daily_run_that_failed_is_tried_again(deps: Deps) -> None:
    here = replace(deps, clock=SetClock(datetime(2026, 11, 18, 12, tzinfo=UTC)))
    tries: list[date] = []

    async def run(day: date) -> None:
        tries.append(day)
        raise OSError("the provider is away")

    look = daily(here, "x", 9, run)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            await look()
    assert len(tries) == 2


class PricedEngine(OfflineEngine):
    """The offline engine as a vendor who takes money: so much a picture."""

    def __init__(self, micro_usd: int, at_4k: int, left: int) -> None:
        super().__init__()
        self._micro_usd, self._at_4k, self._left = micro_usd, at_4k, left

    @property
    def name(self) -> str:
        return "wavespeed"

    async def price_micro_usd(self, model_path: str, inputs: Mapping[str, object]) -> int | None:
        del model_path
        return self._at_4k if inputs.get("resolution") == "4k" else self._micro_usd

    async def balance_micro_usd(self) -> int | None:
        return self._left


def priced(deps: Deps, *, micro_usd: int, at_4k: int = 0, left: int = 0) -> Deps:
    engine: Engine = PricedEngine(micro_usd, at_4k, left)
    return replace(deps, engines={**deps.engines, "wavespeed": engine})


async def test_thin_margins_are_told_once_a_day(deps: Deps) -> None:
    # 27 credits are 27,000 micro-dollars: 25,000 leave 7 %; 240 credits less 230,000 leave 4 %.
    here = priced(deps, micro_usd=25_000, at_4k=230_000)
    for _ in range(2):
        await report.watch_margins(here, DAY)
    told = {one["facts"]["model"]: one["facts"] for one in await notices(deps, "thin_margin")}
    assert {model: facts["percent"] for model, facts in told.items()} == {
        "seedream-v4": 7, "nano-banana-pro": 4,
    }  # fmt: skip
    assert told["nano-banana-pro"]["options"]["resolution"] == "4k"
    assert await store.ran_on(deps.pool, report.MARGINS, DAY)


async def test_good_margins_and_free_engines_are_no_news(deps: Deps) -> None:
    await report.watch_margins(priced(deps, micro_usd=1_000, at_4k=1_000), DAY)
    await report.watch_margins(deps, DAY)
    assert await notices(deps, "thin_margin") == []


async def test_balances_are_kept(deps: Deps) -> None:
    await report.poll_balances(priced(deps, micro_usd=1, left=12_345_678))
    found = await deps.pool.fetch("SELECT name, balance_micro_usd FROM providers ORDER BY name")
    assert {row["name"]: row["balance_micro_usd"] for row in found} == {
        "offline": None, "wavespeed": 12_345_678,
    }  # fmt: skip


async def test_what_is_old_is_forgotten(deps: Deps) -> None:
    await deps.pool.execute(
        """
        INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)
        SELECT now() - age, 1, 'successful', 0, 'advance'
        FROM unnest(ARRAY[interval '8 days', interval '6 days']) AS age
        """
    )
    await deps.pool.execute(
        """
        INSERT INTO spent_proofs (proof_hash, expires_at)
        VALUES ('\\x01', now() - interval '1 s'), ('\\x02', now() + interval '1 h')
        """
    )
    await deps.pool.execute(
        """
        INSERT INTO operation_runs (name, day, started_at, ended_at, outcome)
        SELECT 'x', now()::date, now(), now() - age, '{}'
        FROM unnest(ARRAY[interval '91 days', interval '1 day']) AS age
        """
    )
    await forget_old(deps)
    for table in ("pgqueuer_log", "spent_proofs", "operation_runs"):
        assert await deps.pool.fetchval(f"SELECT count(*) FROM {table}") == 1, table


async def test_every_schedule_runs(deps: Deps) -> None:
    made = schedules(deps)
    assert len({schedule.name for schedule in made}) == len(made)
    for schedule in made:
        assert isinstance(schedule, Schedule)
        await schedule.run()
    assert await deps.pool.fetchval("SELECT count(*) FROM operation_runs") >= 1
