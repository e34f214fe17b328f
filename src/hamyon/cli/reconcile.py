"""``hamyon reconcile``: a vendor's books beside ours, run here and shown as it goes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hamyon.cli import parts
from hamyon.cli.failure import Failure
from hamyon.kit.db import in_transaction
from hamyon.kit.errors import InvalidInput
from hamyon.kit.settings import Settings
from hamyon.payments.service import read, reconcile
from hamyon.payments.service.events import VendorUnclear
from hamyon.payments.types import Mismatch, MismatchState, Run, RunId
from hamyon.wiring import Deps

SHOWN: Final = 50
TRIES: Final = 8
PAUSE_S_MAX: Final = 30.0
WORKER_AFTER: Final = timedelta(minutes=10)
"""When a worker finishes a run that this process did not."""

console = Console()


@dataclass(frozen=True, slots=True)
class Wish:
    """What to compare; None: every gateway, the last ``RECONCILE_HOURS``, up to now."""

    gateway: str | None
    since: datetime | None
    until: datetime | None
    report_only: bool


async def reconcile_books(
    settings: Settings,
    gateway: str | None,
    since: str | None,
    until: str | None,
    *,
    report_only: bool,
) -> None:
    """Compare, show what differs, and exit with 1 when differences stay open."""
    wish = Wish(gateway, _given("--from", since), _given("--to", until), report_only)
    settings = parts.with_local_keys(settings)
    async with (
        parts.database(settings, beside=True) as found,
        parts.deps(settings, found.application) as deps,
    ):
        runs = [await _run(deps, name, wish) for name in _gateways(deps, wish.gateway)]
        still_open = await _show(deps, [run.id for run in runs])
    failed = [f"{run.gateway}: {run.error}" for run in runs if run.state == "failed"]
    if failed:
        raise Failure("; ".join(failed))
    sys.exit(1 if still_open else 0)


def _gateways(deps: Deps, wanted: str | None) -> list[str]:
    connected = [name for name, gateway in deps.gateways.items() if gateway.is_connected]
    if wanted is not None and wanted not in connected:
        known = ", ".join(connected) or "none; set BOT_TOKEN or YOOKASSA_SHOP_ID"
        raise Failure(f"the gateway {wanted} is not set up here. There is: {known}")
    if not connected:
        raise Failure("no gateway is set up: set BOT_TOKEN, or YOOKASSA_SHOP_ID and its key")
    return [wanted] if wanted is not None else connected


async def _run(deps: Deps, gateway: str, wish: Wish) -> Run:
    now = deps.clock.now()
    try:
        since, until = reconcile.window(
            now,
            wish.since or now - timedelta(hours=deps.settings.reconcile_hours),
            wish.until or now,
        )
    except InvalidInput:
        raise Failure("--from must lie before --to and now") from None
    run_id = await in_transaction(
        deps.pool,
        reconcile.start,
        deps,
        gateway=gateway,
        since=since,
        until=until,
        heal=not wish.report_only,
        started_by="cli",
        delay=WORKER_AFTER,
    )
    console.print(f"[bold]{gateway}[/] from {_moment(since)} to {_moment(until)}")
    return await _followed(deps, run_id)


def _given(option: str, text: str | None) -> datetime | None:
    """A moment as ISO 8601; without a zone it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{option} takes a time such as 2026-11-21T10:00, not {text}") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


async def _followed(deps: Deps, run_id: RunId) -> Run:
    """Step by step to the end, with a bar that says where it is."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    started = listed_at = time.monotonic()
    to_heal = 0
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("listing", total=None)
        run = await reconcile.show(deps, run_id)
        while run.state not in reconcile.ENDED:
            before, run = run.state, await _stepped(deps, run_id)
            if run.state == "listing":
                listed_at = time.monotonic()
                rate = run.listed / max(listed_at - started, 0.001)
                progress.update(bar, description=f"listing: {run.listed:,}, {rate:,.0f}/s")
            elif run.state == "comparing":
                listed_at = time.monotonic()
                progress.update(bar, description=f"comparing {run.listed:,}")
            elif run.state == "healing":
                left = await reconcile.left_to_heal(deps, run_id)
                to_heal = left if before != "healing" else to_heal
                progress.update(
                    bar,
                    description=f"healing: {to_heal - left}/{to_heal}",
                    total=max(to_heal, 1),
                    completed=to_heal - left,
                )
    spent_s = max(listed_at - started, 0.001)
    rate = run.listed / spent_s
    console.print(
        f"listed {run.listed:,} charges and refunds in {spent_s:.1f} s ({rate:,.0f} a second), "
        f"compared {run.compared:,}, {time.monotonic() - started:.1f} s in all"
    )
    return run


async def _stepped(deps: Deps, run_id: RunId) -> Run:
    """One step; a vendor that does not answer is asked again, later each time."""
    pause_s = 1.0
    for left in reversed(range(TRIES)):
        try:
            return await reconcile.step(deps, run_id)
        except VendorUnclear as unclear:
            if not left:
                raise Failure(
                    f"the vendor cannot be read now ({unclear}); a worker goes on with run {run_id}"
                ) from None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)
    raise AssertionError("unreachable")


async def _show(deps: Deps, run_ids: Sequence[RunId]) -> int:
    """What was found, by kind and one by one. Returns how many differences are open."""
    kinds = await reconcile.seen(deps, run_ids)
    if not kinds:
        console.print("No difference: the vendor's books and ours say the same.")
        return 0
    still_open = sum(opened for _, opened, _ in kinds)
    summary = Table("difference", "open", "healed", title="Differences", title_justify="left")
    for kind, opened, healed in kinds:
        summary.add_row(kind, str(opened), str(healed))
    console.print(summary)
    shown: list[Mismatch] = []
    states: tuple[MismatchState, ...] = ("open", "healed")
    for state in states:
        for run_id in run_ids:
            found, _ = await read.mismatches(deps.pool, state=state, run_id=run_id, limit=SHOWN)
            shown += found
    _print_list(shown[:SHOWN])
    whole = still_open + sum(healed for _, _, healed in kinds)
    if whole > SHOWN:
        console.print(f"{SHOWN} of {whole} are shown; /api/v1/admin/payments/mismatches has all.")
    return still_open


def _print_list(found: Sequence[Mismatch]) -> None:
    """Lines and no table, so that the vendor's ids can be copied and searched for whole."""
    console.print("One by one, the open ones first:")
    for one in found:
        sides = f"ours {_amount(one.ours)}, theirs {_amount(one.theirs)}"
        line = f"{one.id:>6}  {one.gateway} {one.subject}  {one.kind} ({one.state}): {sides}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _amount(side: object) -> str:
    if not isinstance(side, dict) or "amount_minor" not in side:
        return "-"
    return f"{side['amount_minor']} {side.get('currency', '')}".rstrip()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
