"""Holding a vendor's books against ours, and settling what only the vendor has.

A run is a row that says how far it is. Whoever brings it further does one step, in a transaction of
its own; so it goes on wherever it was cut, and two who do the same step do it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.errors import HamyonError, InvalidInput
from hamyon.kit.ids import new_id
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.payments.errors import GatewayUnavailable, ReconcileRunNotFound
from hamyon.payments.service.events import VendorUnclear, leave_open
from hamyon.payments.service.refund import settle_refund
from hamyon.payments.service.settle import Desk, Settled, desk_of, settle_charge
from hamyon.payments.store import comparing, mismatches
from hamyon.payments.store import reconcile as store
from hamyon.payments.store import refunds as refunds_store
from hamyon.payments.types import (
    Charge,
    Fact,
    Gateway,
    Listed,
    MismatchKind,
    Needs,
    RefundState,
    Run,
    RunId,
    Unclear,
)

ENTRYPOINT: Final = "payments.reconcile"
EARLIEST: Final = datetime(2010, 1, 1, tzinfo=UTC)
"""Before any vendor of ours."""
EARLIER: Final = timedelta(days=1)
"""How far before the window the vendor's books are read: what was reported to us late stands there
under the time at which it was paid."""
GRACE: Final = timedelta(minutes=10)
"""How much clocks may differ, and how long a vendor may take to list what it told us of."""
GIVE_UP_AFTER: Final = timedelta(hours=6)
"""When a run fails whose vendor cannot be read. The next one looks at the same hours."""
HEALED_AT_ONCE: Final = 50
ENDED: Final = frozenset({"done", "failed"})

log = structlog.get_logger(__name__)


# --- starting -------------------------------------------------------------------------------------


def window(now: datetime, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The time to compare: nothing later than now stands in any books. Raises InvalidInput."""
    until = min(until, now)
    if not EARLIEST <= since < until:
        problem = f"must lie before `to` and now, and after {EARLIEST.year}"
        raise InvalidInput(errors=[{"field": "from", "message": problem}])
    return since, until


async def start(
    connection: Connection,
    needs: Needs,
    *,
    gateway: str,
    since: datetime,
    until: datetime,
    heal: bool = True,
    started_by: str,
    delay: timedelta = timedelta(0),
) -> RunId:
    """Keep a run over [since, until) and queue it. What ``window`` has let through.

    ``delay`` lets a caller who goes on by himself be the first. Raises GatewayUnavailable.
    """
    _connected(needs, gateway)
    run = Run(
        id=RunId(new_id()),
        gateway=gateway,
        since=since,
        until=until,
        state="listing",
        heal=heal,
        cursor=None,
        listed=0,
        compared=0,
        differences=0,
        healed=0,
        error=None,
        started_by=started_by,
        created_at=needs.clock.now(),
        ended_at=None,
    )
    await store.insert(connection, run)
    await _queue(connection, run.id, delay)
    return run.id


async def hourly(needs: Needs) -> None:
    """Look through the last hours of every gateway. A run that has not ended goes on instead, so
    that one whose process is gone is finished."""
    until = needs.clock.now()
    since = until - timedelta(hours=needs.settings.reconcile_hours)

    async def start_or_go_on(connection: Connection, gateway: str) -> None:
        going_on = await store.unfinished(connection, gateway)
        for run_id in going_on:
            await _queue(connection, run_id)
        if not going_on:
            await start(
                connection,
                needs,
                gateway=gateway,
                since=since,
                until=until,
                started_by="schedule",
            )

    for name, gateway in needs.gateways.items():
        if gateway.is_connected:
            await in_transaction(needs.pool, start_or_go_on, name)
    needs.waker.wake()


async def _queue(connection: Connection, run_id: RunId, delay: timedelta = timedelta(0)) -> None:
    key = f"{ENTRYPOINT}:{run_id}"
    await kit_store.add_job(connection, ENTRYPOINT, str(run_id), delay=delay, dedupe_key=key)


def _connected(needs: Needs, name: str) -> Gateway:
    gateway = needs.gateways.get(name)
    if gateway is None or not gateway.is_connected:
        raise GatewayUnavailable(gateway=name)
    return gateway


# --- going on -------------------------------------------------------------------------------------


async def advance(needs: Needs, run_id: RunId) -> None:
    """Bring a run to its end, wherever it stands. Raises VendorUnclear to be called again."""
    while (await step(needs, run_id)).state not in ENDED:
        pass


async def step(needs: Needs, run_id: RunId) -> Run:
    """Bring a run one step further: a page of the books, the comparison, a few items to heal.

    Returns how it stands now. Raises ReconcileRunNotFound, and VendorUnclear when the vendor cannot
    be read at this moment.
    """
    run = await store.run(needs.pool, run_id)
    if run is None:
        raise ReconcileRunNotFound
    if run.state not in ENDED:
        try:
            await _go_on(needs, _connected(needs, run.gateway), run)
        except GatewayUnavailable:
            await _end(needs, run, error="the gateway is not connected")
        except Exception as error:
            # Whatever keeps it from going on, the hours behind it must be looked at one day.
            if needs.clock.now() - run.created_at < GIVE_UP_AFTER:
                raise
            await _end(needs, run, error=repr(error)[:500])
        after = await store.run(needs.pool, run_id)
        assert after is not None
        return after
    return run


async def _go_on(needs: Needs, gateway: Gateway, run: Run) -> None:
    match run.state:
        case "listing":
            await _list_page(needs, gateway, run)
        case "comparing":
            await _compare(needs, run)
        case "healing":
            await _heal(needs, gateway, run)
        case "done" | "failed":
            pass
        case _ as never:
            assert_never(never)


async def _end(needs: Needs, run: Run, *, error: str | None = None) -> None:
    async def last(connection: Connection) -> None:
        await store.forget(connection, run.id)
        if await store.end(connection, run.id, at=needs.clock.now(), error=error):
            await _tell(connection, run)

    await in_transaction(needs.pool, last)
    if error is not None:
        log.error("reconcile failed", run_id=str(run.id), gateway=run.gateway, error=error)


async def _tell(connection: Connection, run: Run) -> None:
    """One notice for all that is open, and only when there is one that no notice has spoken of."""
    kinds, youngest = await mismatches.open_of_run(connection, run.id)
    if youngest is None:
        return
    facts = {
        "gateway": run.gateway,
        "run_id": str(run.id),
        "open": sum(kinds.values()),
        "kinds": {str(kind): count for kind, count in kinds.items()},
    }
    key = f"payment_mismatches:{run.gateway}:{youngest}"
    await notices.tell(connection, Notice(key, "payment_mismatches", facts))


# --- listing --------------------------------------------------------------------------------------


async def _list_page(needs: Needs, gateway: Gateway, run: Run) -> None:
    """Stage one page. The vendor's books are read up to the moment at which the run began."""
    since, until = run.since - EARLIER, min(run.until + GRACE, run.created_at)
    listed = await gateway.books(since, until, run.cursor)
    if isinstance(listed, Listed) and run.cursor is not None and listed.cursor == run.cursor:
        listed = Unclear("the vendor's books repeat a page without end")
    if isinstance(listed, Unclear):
        raise VendorUnclear(listed.reason)
    await in_transaction(needs.pool, _stage, run, listed)


async def _stage(connection: Connection, run: Run, listed: Listed) -> None:
    await store.need_no_flush(connection)
    if await store.move_cursor(connection, run, listed.cursor) and listed.facts:
        await store.stage(connection, run.id, listed.facts)


# --- comparing ------------------------------------------------------------------------------------


async def _compare(needs: Needs, run: Run) -> None:
    await in_transaction(needs.pool, comparing.learn_times, run)
    await in_transaction(needs.pool, _note, run)


async def _note(connection: Connection, run: Run) -> None:
    """Write all differences down at once; what can be healed stays staged."""
    locked = await store.lock(connection, run.id)
    if locked is None or locked.state != "comparing":
        return
    settled_before = run.created_at - GRACE
    compared = await comparing.count_pairs(connection, run)
    differences = await comparing.note_differences(
        connection, run, until=run.until, settled_before=settled_before
    )
    await comparing.heal_found(connection, run)
    if run.heal:
        await comparing.keep_unsettled(connection, run)
    else:
        await store.forget(connection, run.id)
    await store.set_compared(connection, run.id, compared=compared, differences=differences)


# --- healing --------------------------------------------------------------------------------------


async def _heal(needs: Needs, gateway: Gateway, run: Run) -> None:
    """Settle some of what only the vendor has, as its events would; at last, end the run."""
    facts = await store.staged(needs.pool, run.id, limit=HEALED_AT_ONCE)
    desk = desk_of(needs, gateway, run.id)
    for fact in facts:
        try:
            await in_transaction(needs.pool, _heal_one, desk, run, fact)
        except HamyonError as refusal:
            # The ledger refuses an amount that it cannot hold, for example. Others must not wait.
            log.exception("not healed", run_id=str(run.id), fact=fact.external_id)
            await in_transaction(needs.pool, _leave_open, desk, run, fact, refusal)
    if not facts:
        await _end(needs, run)


async def _heal_one(connection: Connection, desk: Desk, run: Run, fact: Fact) -> None:
    """Settle one fact, in the transaction that takes it out of what is staged."""
    if not await store.take(connection, run.id, fact):
        return
    if isinstance(fact, Charge):
        kind = MismatchKind.ONLY_THEIRS
        outcome = await settle_charge(connection, desk, fact)
        if isinstance(outcome, Settled):
            healed, payment_id = outcome.fresh, outcome.payment.id
        else:
            healed, payment_id = False, None
            if outcome is not kind:
                # It is known now how it differs, which an earlier run may not have said.
                await mismatches.heal(
                    connection, gateway=run.gateway, kind=kind, subject=fact.external_id
                )
    else:
        kind = MismatchKind.REFUND_ONLY_THEIRS
        before = await refunds_store.of_charge(connection, run.gateway, fact.external_id)
        refund = await settle_refund(connection, desk, fact)
        if refund is None or isinstance(refund, MismatchKind):
            healed, payment_id = False, None
        else:
            was_done = before is not None and before.state is RefundState.DONE
            healed, payment_id = not was_done, refund.payment_id
    if healed:
        await mismatches.note(
            connection,
            gateway=run.gateway,
            kind=kind,
            subject=fact.external_id,
            payment_id=payment_id,
            ours=None,
            theirs=asdict(fact),
            run_id=run.id,
            state="healed",
        )
    await _count(connection, run, fact)


async def _leave_open(
    connection: Connection, desk: Desk, run: Run, fact: Fact, refusal: HamyonError
) -> None:
    if await store.take(connection, run.id, fact):
        await leave_open(connection, desk, fact, refusal)
        await _count(connection, run, fact)


async def _count(connection: Connection, run: Run, fact: Fact) -> None:
    found = await mismatches.seen_by(
        connection,
        run.id,
        gateway=run.gateway,
        subject=fact.external_id,
        is_refund=not isinstance(fact, Charge),
    )
    if any(found):
        await store.add_found(connection, run.id, store.Found(*found))


# --- looking --------------------------------------------------------------------------------------


async def show(needs: Needs, run_id: RunId) -> Run:
    """How a run stands. Raises ReconcileRunNotFound."""
    run = await store.run(needs.pool, run_id)
    if run is None:
        raise ReconcileRunNotFound
    return run


async def left_to_heal(needs: Needs, run_id: RunId) -> int:
    """How many items of a run are still to be settled."""
    return await store.count_staged(needs.pool, run_id)


async def seen(needs: Needs, run_ids: Sequence[RunId]) -> Sequence[tuple[MismatchKind, int, int]]:
    """What runs saw, by kind: how many differences are open, and how many healed."""
    return await mismatches.count_by_kind(needs.pool, run_ids)
