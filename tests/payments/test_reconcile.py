"""A vendor's books against ours: every difference is found, what is missing is credited, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hamyon.cli.failure import Failure
from hamyon.cli.reconcile import reconcile_books
from hamyon.kit.clock import MovedClock
from hamyon.kit.db import in_transaction
from hamyon.payments.service import reconcile
from hamyon.payments.service.events import VendorUnclear
from hamyon.payments.service.settle import desk_of, settle_charge
from hamyon.payments.store import reconcile as store
from hamyon.payments.types import Charge, ChargeState, PaymentId, Run, RunId
from hamyon.wiring import Deps
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually
from tests.payments.conftest import Open
from tests.payments.planting import GRANTED, Shelf, long_ago, plant_ours, plant_theirs
from tests.payments.till import Till

GATEWAYS = ("stars", "yookassa")
STEP = timedelta(seconds=20)

Quiet = Callable[..., Awaitable[Service]]


@pytest.fixture
def quiet(launch: Launch, sandbox: Sandbox) -> Quiet:
    """A service without a worker: what happens, a test does."""

    async def start(**options: Any) -> Service:
        return await launch(sandbox, worker=False, **options)

    return start


def shelf_of(gateway: str, count: int = 500, each: int = 2) -> Shelf:
    return Shelf(gateway, count, each, long_ago(), STEP)


async def planted(service: Service, shelf: Shelf) -> Shelf:
    await plant_ours(service.database.superuser_dsn, service.deps, shelf)
    assert service.deps.gateways[shelf.gateway].is_connected
    await plant_theirs(service.settings.telegram_api_base_url, shelf)
    return shelf


async def started(
    deps: Deps,
    gateway: str,
    since: datetime,
    until: datetime,
    *,
    heal: bool = True,
) -> RunId:
    return await in_transaction(
        deps.pool,
        reconcile.start,
        deps,
        gateway=gateway,
        since=since,
        until=until,
        heal=heal,
        started_by="test",
    )


async def run_over(service: Service, shelf: Shelf, *, heal: bool = True) -> Run:
    """A whole run over a shelf, and what became of it."""
    run_id = await started(service.deps, shelf.gateway, shelf.begin, shelf.end, heal=heal)
    await reconcile.advance(service.deps, run_id)
    return await ended(service, run_id)


async def run_now(service: Service, gateway: str, *, heal: bool = True) -> Run:
    """A whole run over the last hours."""
    now = service.deps.clock.now()
    run_id = await started(service.deps, gateway, now - timedelta(hours=26), now, heal=heal)
    await reconcile.advance(service.deps, run_id)
    return await ended(service, run_id)


async def ended(service: Service, run_id: RunId) -> Run:
    run = await reconcile.show(service.deps, run_id)
    assert (run.state, run.error) == ("done", None)
    assert run.ended_at is not None
    assert await reconcile.left_to_heal(service.deps, run_id) == 0, "nothing stays staged"
    return run


async def differences(service: Service, state: str = "open") -> set[tuple[str, str, str]]:
    rows = await service.pool.fetch(
        "SELECT gateway, kind, subject FROM payment_mismatches WHERE state = $1", state
    )
    return {tuple(row) for row in rows}


async def total_posted(service: Service) -> int:
    total = await service.pool.fetchval(
        "SELECT coalesce(sum(posted), 0) FROM accounts WHERE role IN ('wallet', 'debt')"
    )
    return int(total)


async def notices(service: Service, kind: str) -> list[dict[str, Any]]:
    rows = await service.pool.fetch("SELECT facts FROM notices WHERE kind = $1 ORDER BY id", kind)
    return [row["facts"] for row in rows]


# --- finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_planted_differences_are_found_exactly(quiet: Quiet, gateway: str) -> None:
    """1,000 payments, 10 differences of 5 kinds: all are found, nothing else, nothing is moved."""
    service = await quiet()
    shelf = await planted(service, shelf_of(gateway, 1000))
    before = await total_posted(service)
    run = await run_over(service, shelf, heal=False)
    assert await differences(service) == shelf.differences()
    assert (run.differences, run.healed) == (10, 0)
    refunds = sum(map(shelf.is_refunded, range(shelf.count)))
    assert run.listed == 1000 - 2 + 2 + refunds + 2, "theirs, their own two, refunds, their own two"
    assert run.compared == 1000 - 2 + refunds
    assert await total_posted(service) == before


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_what_only_the_vendor_has_is_settled(quiet: Quiet, gateway: str) -> None:
    """Refunds of payments that we know are taken back; strangers' charges wait for operators."""
    service = await quiet()
    shelf = await planted(service, shelf_of(gateway))
    await run_over(service, shelf, heal=False)
    before = await total_posted(service)
    run = await run_over(service, shelf)
    healed = {one for one in shelf.differences() if one[1] == "refund_only_theirs"}
    assert await differences(service, "healed") == healed
    assert await differences(service) == shelf.differences() - healed
    assert (run.differences, run.healed) == (10, 2)
    assert await total_posted(service) == before - 2 * GRANTED
    assert {
        row["run_id"] for row in await service.pool.fetch("SELECT run_id FROM payment_mismatches")
    } == {run.id}, "each difference has one row, under the newest run"
    again = await run_over(service, shelf)
    assert (again.differences, again.healed) == (8, 0)
    assert await total_posted(service) == before - 2 * GRANTED


async def test_another_gateways_books_are_not_touched(quiet: Quiet) -> None:
    service = await quiet()
    stars = await planted(service, shelf_of("stars", 60))
    rubles = shelf_of("yookassa", 60)
    await plant_ours(service.database.superuser_dsn, service.deps, rubles)
    await run_over(service, stars, heal=False)
    assert await differences(service) == stars.differences()


async def test_only_the_window_is_asked_for(quiet: Quiet) -> None:
    """What of ours lies outside the window is not missed in books that were not read for it."""
    service = await quiet()
    shelf = shelf_of("yookassa", 60)
    await plant_ours(service.database.superuser_dsn, service.deps, shelf)
    run_id = await started(service.deps, "yookassa", shelf.at(10), shelf.at(20), heal=False)
    await reconcile.advance(service.deps, run_id)
    assert (await ended(service, run_id)).listed == 0
    found = {subject for _, kind, subject in await differences(service) if kind == "only_ours"}
    assert found == {shelf.charge_id(number) for number in range(10, 20)}


async def test_operators_are_told_once_of_all(quiet: Quiet) -> None:
    service = await quiet()
    shelf = await planted(service, shelf_of("yookassa", 60))
    run = await run_over(service, shelf)
    (facts,) = await notices(service, "payment_mismatches")
    assert facts == {
        "gateway": "yookassa",
        "run_id": str(run.id),
        "open": 8,
        "kinds": {"amount_differs": 2, "only_ours": 2, "only_theirs": 2, "refund_only_ours": 2},
    }
    await run_over(service, shelf)
    assert len(await notices(service, "payment_mismatches")) == 1, "the same news is no news"
    assert await notices(service, "payment_mismatch") == []


async def test_what_an_operator_resolved_stays_resolved(quiet: Quiet) -> None:
    service = await quiet()
    shelf = await planted(service, shelf_of("yookassa", 60))
    await run_over(service, shelf, heal=False)
    await service.pool.execute(
        "UPDATE payment_mismatches SET state = 'resolved', decision = 'dismiss'"
    )
    before = await total_posted(service)
    run = await run_over(service, shelf)
    assert (run.differences, run.healed) == (0, 0)
    assert await differences(service) == set()
    assert await total_posted(service) == before, "not even what could be settled"


async def test_what_is_found_later_differs_no_more(quiet: Quiet) -> None:
    """Only ours, until the vendor lists it."""
    service = await quiet()
    shelf = replace(shelf_of("yookassa", 40), each=0)
    await plant_ours(service.database.superuser_dsn, service.deps, shelf)
    assert (await run_over(service, shelf)).differences == 40 + 1, "with the one that was refunded"
    await plant_theirs(service.settings.yookassa_api_base_url, shelf)
    assert (await run_over(service, shelf)).differences == 0
    assert len(await differences(service, "healed")) == 41
    assert await differences(service) == set()


async def test_the_vendors_time_is_taken_over(quiet: Quiet) -> None:
    """A service may report a charge late; in the books it stands under the time of paying."""
    service = await quiet()
    shelf = replace(shelf_of("stars", 40), each=0)
    await planted(service, shelf)
    number, late = 7, shelf.at(7) + timedelta(hours=3)
    await service.as_owner(
        "UPDATE payments SET vendor_at = $2 WHERE id = $1", shelf.payment_id(number), late
    )
    run = await run_over(service, shelf)
    assert run.differences == 0
    learned = await service.pool.fetchval(
        "SELECT vendor_at FROM payments WHERE id = $1", shelf.payment_id(number)
    )
    assert learned == shelf.at(number)


async def test_a_late_report_is_not_missed_in_the_books(quiet: Quiet) -> None:
    """Ours says three o'clock, theirs noon, and only the afternoon is compared."""
    service = await quiet()
    shelf = replace(shelf_of("stars", 40), each=0)
    await planted(service, shelf)
    late = shelf.end + timedelta(hours=3)
    await service.as_owner(
        "UPDATE payments SET vendor_at = $2 WHERE id = $1", shelf.payment_id(7), late
    )
    run_id = await started(service.deps, "stars", shelf.end, late + timedelta(hours=1))
    await reconcile.advance(service.deps, run_id)
    assert (await ended(service, run_id)).differences == 0


# --- races ----------------------------------------------------------------------------------------


async def test_what_is_paid_behind_its_page_is_no_difference(quiet: Quiet) -> None:
    """YooKassa lists a payment under the time of opening: it may be paid once its page was read."""
    service = await quiet()
    shelf = await planted(service, shelf_of("yookassa", 40))
    run_id = await started(service.deps, "yookassa", shelf.begin, shelf.end, heal=False)
    while (await reconcile.show(service.deps, run_id)).state == "listing":
        await reconcile.step(service.deps, run_id)
    opened_at = shelf.at(20)
    await service.as_owner(
        """
        INSERT INTO payments (id, user_id, gateway, state, currency, amount_minor, asset, amount,
            title, vendor_key, vendor_key_at, external_id, vendor_at, created_at)
        VALUES ($1, 1, 'yookassa', 'pending', 'RUB', 14900, 'credit', 1000, 't', 'k', $3, $2, $3,
            $3)
        """,
        shelf.payment_id(5000),
        shelf.charge_id(5000),
        opened_at,
    )
    paid = Charge(
        shelf.charge_id(5000),
        ChargeState.PAID,
        14_900,
        "RUB",
        opened_at,
        PaymentId(shelf.payment_id(5000)),
    )
    desk = desk_of(service.deps, service.deps.gateways["yookassa"])
    await in_transaction(service.pool, settle_charge, desk, paid)
    await reconcile.advance(service.deps, run_id)
    assert await differences(service) == shelf.differences()


async def test_what_is_credited_before_its_turn_is_no_difference(till: Open) -> None:
    """Its own event was quicker than healing."""
    shop = await till(worker=False)
    await shop.service.person(1)
    opened = await shop.checkout(1)
    await shop.sandbox.pay(opened["payment_url"])
    now = shop.service.deps.clock.now()
    run_id = await started(shop.service.deps, "yookassa", now - timedelta(hours=1), now)
    while (run := await reconcile.step(shop.service.deps, run_id)).state != "healing":
        assert run.state in {"listing", "comparing"}
    assert await reconcile.left_to_heal(shop.service.deps, run_id) == 1
    answer = await shop.service.api.call(
        "POST", f"/admin/payments/{opened['payment_id']}/recheck", admin=True
    )
    assert (answer.status, answer.body["state"]) == (200, "paid"), answer.body
    await reconcile.advance(shop.service.deps, run_id)
    run = await ended(shop.service, run_id)
    assert (run.differences, run.healed) == (0, 0)
    assert await differences(shop.service) | await differences(shop.service, "healed") == set()
    assert await shop.available(1) == 1000


async def test_several_who_go_on_with_one_run_do_each_step_once(quiet: Quiet) -> None:
    service = await quiet()
    shelf = await planted(service, shelf_of("yookassa"))
    run_id = await started(service.deps, "yookassa", shelf.begin, shelf.end)
    await asyncio.gather(*(reconcile.advance(service.deps, run_id) for _ in range(4)))
    run = await ended(service, run_id)
    refunds = sum(map(shelf.is_refunded, range(shelf.count)))
    assert run.listed == 500 + refunds + 2
    assert (run.compared, run.differences, run.healed) == (498 + refunds, 10, 2)


async def test_who_is_late_with_a_page_does_not_turn_the_run_back(quiet: Quiet) -> None:
    service = await quiet()
    now = service.deps.clock.now()
    run_id = await started(service.deps, "stars", now - timedelta(hours=1), now)
    seen = await reconcile.show(service.deps, run_id)
    moves = [("100", True), ("100", False), (None, False)]
    for cursor, moved in moves:
        assert await in_transaction(service.pool, store.move_cursor, seen, cursor) is moved
    after = await reconcile.show(service.deps, run_id)
    assert (after.state, after.cursor) == ("listing", "100")


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_run_that_is_cut_anywhere_goes_on(quiet: Quiet, gateway: str) -> None:
    """Its process dies again and again: between pages, while comparing, while healing."""
    service = await quiet()
    shelf = await planted(service, shelf_of(gateway))
    run_id = await started(service.deps, gateway, shelf.begin, shelf.end)
    cuts = 0
    while (await reconcile.show(service.deps, run_id)).state not in reconcile.ENDED:
        task = asyncio.create_task(reconcile.advance(service.deps, run_id))
        await asyncio.sleep(0.002 * cuts)  # Each time a little further, so that it ends.
        cuts += task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert cuts > 3, "it was cut"
    run = await ended(service, run_id)
    refunds = sum(map(shelf.is_refunded, range(shelf.count)))
    assert run.listed == 500 + refunds + 2
    assert (run.compared, run.differences, run.healed) == (498 + refunds, 10, 2)
    found = await differences(service) | await differences(service, "healed")
    assert found == shelf.differences()


# --- lost news ------------------------------------------------------------------------------------


async def paid_without_a_word(shop: Till, people: range) -> None:
    """Each person buys 1000 credits through each gateway, and nobody tells us."""
    await shop.sandbox.vendor_settings("telegram", updates={"lost": True})
    for user_id in people:
        await shop.service.person(user_id)
        invoice = await shop.invoice(user_id, 70)
        await pay_silently(shop, invoice["invoice_link"], user_id)
        opened = await shop.checkout(user_id)
        await shop.sandbox.pay(opened["payment_url"])
    assert await total_posted(shop.service) == 0


async def pay_silently(shop: Till, link: str, user_id: int) -> str:
    """Pay an invoice whose update is lost; the charge's id."""
    headers = {"Accept": "application/json"}
    form = {"user": str(user_id), "skip_pre_checkout": "1"}
    session = shop.service.api.session
    async with session.post(link, data=form, headers=headers) as answer:
        paid = await answer.json()
    assert paid["ok"], paid
    return str(paid["charge_id"])


async def test_no_payment_is_lost(till: Open) -> None:
    """All updates dropped for 100 payments, then two reconciliations at once, and one more."""
    shop = await till(worker=False)
    await paid_without_a_word(shop, range(1, 51))
    runs = await asyncio.gather(
        *(run_now(shop.service, gateway) for gateway in GATEWAYS for _ in range(2))
    )
    assert sum(run.healed for run in runs) == 100, "each by one of two"
    for user_id in range(1, 51):
        assert await shop.available(user_id) == 2000
    assert len(await differences(shop.service, "healed")) == 100
    for gateway in GATEWAYS:
        again = await run_now(shop.service, gateway)
        assert (again.differences, again.healed, again.compared) == (0, 0, 50)
    assert await total_posted(shop.service) == 100 * 1000
    assert await differences(shop.service) == set()


async def test_a_charge_and_its_refund_are_settled_in_their_order(till: Open) -> None:
    """We heard of neither: first the credits come, then they go."""
    shop = await till(worker=False)
    await shop.service.person(1)
    await shop.sandbox.vendor_settings("telegram", updates={"lost": True})
    invoice = await shop.invoice(1, 70)
    charge_id = await pay_silently(shop, invoice["invoice_link"], 1)
    async with shop.service.api.session.post(
        f"{shop.sandbox.url}/telegram/refund", json={"charge_id": charge_id}
    ) as answer:
        assert answer.status == 200, await answer.text()
    opened = await shop.checkout(1)
    await shop.sandbox.pay(opened["payment_url"])
    await shop.sandbox.refund_by_hand(await shop.external_id(opened["payment_id"]), "74.50")
    for gateway in GATEWAYS:
        run = await run_now(shop.service, gateway)
        assert (run.differences, run.healed) == (2, 2)
    assert await shop.available(1) == 500, "half of the second payment"
    kinds = {kind for _, kind, _ in await differences(shop.service, "healed")}
    assert kinds == {"only_theirs", "refund_only_theirs"}
    assert (await shop.payment(invoice["payment_id"]))["refunded_minor"] == 70
    assert (await shop.payment(opened["payment_id"]))["refunded_minor"] == 7450


async def test_report_only_moves_nothing(till: Open) -> None:
    shop = await till(worker=False)
    await paid_without_a_word(shop, range(1, 4))
    for gateway in GATEWAYS:
        run = await run_now(shop.service, gateway, heal=False)
        assert (run.differences, run.healed) == (3, 0)
    assert await total_posted(shop.service) == 0
    for gateway in GATEWAYS:
        assert (await run_now(shop.service, gateway)).healed == 3
    assert await differences(shop.service) == set()
    assert await total_posted(shop.service) == 6000


async def test_other_stars_than_asked_are_credited_and_flagged(till: Open) -> None:
    """Healing decides as an event would: what was paid counts, and operators look at it."""
    shop = await till(worker=False)
    await shop.service.person(1)
    invoice = await shop.invoice(1, 70)
    await shop.sandbox.vendor_settings("telegram", updates={"lost": True})
    await pay_silently(shop, invoice["invoice_link"], 1)
    await shop.service.as_owner(
        "UPDATE payments SET amount_minor = 140, amount = 2000 WHERE id = $1",
        UUID(invoice["payment_id"]),
    )
    run = await run_now(shop.service, "stars")
    assert (run.differences, run.healed) == (2, 1)
    assert await shop.available(1) == 1000
    assert {kind for _, kind, _ in await differences(shop.service)} == {"amount_differs"}


async def test_what_does_not_fit_is_named_as_an_event_would_name_it(till: Open) -> None:
    """YooKassa took another amount than the purchase's: nothing is credited, under one name."""
    shop = await till(worker=False)
    await shop.service.person(1)
    opened = await shop.checkout(1)
    await shop.sandbox.pay(opened["payment_url"])
    await shop.service.as_owner(
        "UPDATE payments SET amount_minor = 20000 WHERE id = $1", UUID(opened["payment_id"])
    )
    run = await run_now(shop.service, "yookassa", heal=False)
    assert {kind for _, kind, _ in await differences(shop.service)} == {"only_theirs"}
    run = await run_now(shop.service, "yookassa")
    assert (run.differences, run.healed) == (1, 0)
    assert {kind for _, kind, _ in await differences(shop.service)} == {"amount_differs"}
    assert await shop.available(1) == 0


# --- outages --------------------------------------------------------------------------------------


async def test_a_vendor_that_cannot_be_read_is_asked_again(quiet: Quiet, sandbox: Sandbox) -> None:
    service = await quiet(yookassa_timeout_s=1.0)
    shelf = await planted(service, shelf_of("yookassa", 250))
    run_id = await started(service.deps, "yookassa", shelf.begin, shelf.end)
    await reconcile.step(service.deps, run_id)
    before = await reconcile.show(service.deps, run_id)
    assert 0 < before.listed < 200
    await sandbox.fault("status", {"vendor": "yookassa"}, status=500)
    with pytest.raises(VendorUnclear):
        await reconcile.advance(service.deps, run_id)
    assert await reconcile.show(service.deps, run_id) == before
    await sandbox.clear_faults()
    await reconcile.advance(service.deps, run_id)
    assert (await ended(service, run_id)).differences == 10


async def test_a_run_gives_up_after_hours(quiet: Quiet, sandbox: Sandbox) -> None:
    service = await quiet(yookassa_timeout_s=1.0)
    shelf = await planted(service, shelf_of("yookassa", 250))
    run_id = await started(service.deps, "yookassa", shelf.begin, shelf.end)
    await reconcile.step(service.deps, run_id)
    await sandbox.fault("status", {"vendor": "yookassa"}, status=500)
    later = replace(service.deps, clock=MovedClock(reconcile.GIVE_UP_AFTER))
    await reconcile.advance(later, run_id)
    run = await reconcile.show(service.deps, run_id)
    assert run.state == "failed"
    assert run.error
    assert await reconcile.left_to_heal(service.deps, run_id) == 0
    assert await differences(service) == set()


async def test_every_hour_each_gateway_is_looked_through(quiet: Quiet) -> None:
    """A run that has not ended goes on instead of a second one."""
    service = await quiet()
    await reconcile.hourly(service.deps)
    await reconcile.hourly(service.deps)
    runs = await service.pool.fetch("SELECT id, gateway, started_by FROM reconcile_runs")
    assert sorted(row["gateway"] for row in runs) == ["stars", "yookassa"]
    assert {row["started_by"] for row in runs} == {"schedule"}
    queued = await service.pool.fetch(
        "SELECT convert_from(payload, 'UTF8') AS run FROM pgqueuer WHERE entrypoint = $1",
        reconcile.ENTRYPOINT,
    )
    assert sorted(row["run"] for row in queued) == sorted(str(row["id"]) for row in runs)
    await service.as_owner("DELETE FROM pgqueuer")
    await reconcile.hourly(service.deps)
    count = await service.pool.fetchval("SELECT count(*) FROM pgqueuer")
    assert count == 2, "whoever had them is gone"
    for row in runs:
        await reconcile.advance(service.deps, RunId(row["id"]))
    await reconcile.hourly(service.deps)
    assert await service.pool.fetchval("SELECT count(*) FROM reconcile_runs") == 4


async def test_a_worker_brings_a_run_to_its_end(launch: Launch, sandbox: Sandbox) -> None:
    service = await launch(sandbox)
    shelf = await planted(service, shelf_of("yookassa", 150))
    run_id = await started(service.deps, "yookassa", shelf.begin, shelf.end)
    service.deps.waker.wake()

    async def is_done() -> bool:
        return (await reconcile.show(service.deps, run_id)).state == "done"

    await eventually(is_done)
    assert (await ended(service, run_id)).healed == 2


# --- the command ----------------------------------------------------------------------------------


async def command(service: Service, shelf: Shelf, *, report_only: bool = False) -> int:
    """``hamyon reconcile`` over a shelf; its exit code."""
    with pytest.raises(SystemExit) as ending:
        await reconcile_books(
            service.settings,
            shelf.gateway,
            shelf.begin.isoformat(),
            shelf.end.isoformat(),
            report_only=report_only,
        )
    assert isinstance(ending.value.code, int)
    return ending.value.code


async def test_the_command_shows_what_differs(
    quiet: Quiet, capsys: pytest.CaptureFixture[str]
) -> None:
    service = await quiet()
    shelf = await planted(service, shelf_of("yookassa", 40))
    assert await command(service, shelf, report_only=True) == 1
    said = capsys.readouterr().out
    assert "listed 42 charges and refunds" in said, "38 of ours, 2 strange ones, 2 refunds"
    for _, kind, _ in shelf.differences():
        assert kind in said
    assert await differences(service) == shelf.differences()
    assert await command(service, shelf) == 1, "what cannot be healed stays open"
    assert len(await differences(service)) == 8


async def test_the_command_says_when_nothing_differs(
    quiet: Quiet, capsys: pytest.CaptureFixture[str]
) -> None:
    service = await quiet()
    shelf = await planted(service, replace(shelf_of("stars", 40), each=0))
    assert await command(service, shelf) == 0
    assert "No difference" in capsys.readouterr().out


async def test_the_command_says_what_it_cannot_do(quiet: Quiet) -> None:
    service = await quiet()
    for gateway, since, sentence in (
        ("paypal", None, "stars, yookassa"),
        ("stars", "yesterday", "--from takes a time"),
        ("stars", "2999-01-01", "--from must lie before"),
    ):
        with pytest.raises(Failure, match=sentence):
            await reconcile_books(service.settings, gateway, since, None, report_only=True)


def test_a_window_ends_now() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    since = now - timedelta(hours=1)
    assert reconcile.window(now, since, now + timedelta(days=9)) == (since, now)
