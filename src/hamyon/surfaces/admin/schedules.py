"""What runs by the clock for operators, on one worker of the fleet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.db import in_transaction
from hamyon.kit.queue import Schedule
from hamyon.media import service as media
from hamyon.surfaces.admin import audits, report, store
from hamyon.surfaces.admin.statistics import statistics_namespace
from hamyon.surfaces.admin.types import Needs
from hamyon.users.service import sessions

__all__ = ["daily", "schedules", "statistics_namespace"]

AUDIT_HOUR: Final = 4
"""When the whole audit may begin, in TIMEZONE: people sleep."""
QUEUE_LOG_KEPT: Final = timedelta(days=7)
RUNS_KEPT: Final = timedelta(days=90)


def schedules(needs: Needs) -> list[Schedule]:
    """Crons are in UTC. What has an hour in TIMEZONE is looked at often and done once a day."""
    hour = needs.settings.report_hour

    async def audit_recent() -> None:
        await audits.audit_recent(needs)

    async def audit_whole(_: date) -> None:
        await audits.audit_whole(needs)

    async def tell_report(day: date) -> None:
        await report.daily_report(needs, day)

    async def watch_margins(day: date) -> None:
        await report.watch_margins(needs, day)

    async def poll_balances() -> None:
        await report.poll_balances(needs)

    async def sweep_uploads() -> None:
        await media.delete_expired(needs.pool, needs.storage, now=needs.clock.now())

    async def forget() -> None:
        await forget_old(needs)

    return [
        Schedule("audit_recent", "*/5 * * * *", audit_recent),
        Schedule(
            "audit_whole", "*/10 * * * *", daily(needs, audits.WHOLE, AUDIT_HOUR, audit_whole)
        ),
        Schedule("daily_report", "*/10 * * * *", daily(needs, report.REPORT, hour, tell_report)),
        Schedule("margins", "*/10 * * * *", daily(needs, report.MARGINS, hour, watch_margins)),
        Schedule("provider_balances", "*/10 * * * *", poll_balances),
        Schedule("expired_uploads", "17 * * * *", sweep_uploads),
        Schedule("forget_old", "37 * * * *", forget),
    ]


def daily(
    needs: Needs, name: str, hour: int, run: Callable[[date], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    """``run`` once a day, at ``hour`` in TIMEZONE or as soon after it as a worker is up.

    A cron in UTC could not follow a change of clocks, and would skip a day on which no worker
    ran at that very minute. ``run`` writes its own run down under ``name``; one that failed is
    tried again at the next look.
    """

    async def look() -> None:
        local = needs.clock.now().astimezone(needs.settings.zone)
        day = local.date()
        if local.hour >= hour and not await store.ran_on(needs.pool, name, day):
            await run(day)

    return look


async def forget_old(needs: Needs) -> None:
    """Delete what nobody can need any more. Keys of idempotency are kept for ever."""
    now = needs.clock.now()
    await in_transaction(needs.pool, lambda c: sessions.forget_expired(c, now=now))
    await in_transaction(needs.pool, kit_store.prune_queue_log, older_than=QUEUE_LOG_KEPT)
    await store.forget_runs(needs.pool, older_than=RUNS_KEPT)
