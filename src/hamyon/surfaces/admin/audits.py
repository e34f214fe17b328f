"""Audits by the clock: what changed, every few minutes; everything, every night."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from hamyon.kit.db import Connection, in_transaction
from hamyon.ledger.types import Finding
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.surfaces.admin import store
from hamyon.surfaces.admin.types import Needs, Run

RECENT: Final = "audit_recent"
WHOLE: Final = "audit_whole"
OVERLAP: Final = timedelta(minutes=10)
"""Rows carry the time at which their transaction began, and it may have committed much later."""
TOLD_MAX: Final = 20

log = structlog.get_logger(__name__)


async def audit_recent(needs: Needs) -> Sequence[Finding]:
    """Look at what changed since the audit before this one; at everything when there was none."""
    last = await store.last_run(needs.pool, [RECENT, WHOLE])
    return await _run(needs, RECENT, since=last.started_at - OVERLAP if last else None)


async def audit_whole(needs: Needs) -> Sequence[Finding]:
    """Look at everything."""
    return await _run(needs, WHOLE, since=None)


async def _run(needs: Needs, name: str, *, since: datetime | None) -> Sequence[Finding]:
    started_at = needs.clock.now()
    found = await needs.audit(needs.pool, since)
    needs.metrics.audit(len(found))
    for finding in found[:TOLD_MAX]:
        log.error(
            "audit finding", check=finding.check, subject=finding.subject, detail=finding.detail
        )
    day = started_at.astimezone(needs.settings.zone).date()
    outcome = {"since": since, "by_check": dict(Counter(finding.check for finding in found))}
    await in_transaction(needs.pool, _keep, Run(name, day, started_at, len(found), outcome), found)
    return found


async def _keep(connection: Connection, run: Run, found: Sequence[Finding]) -> None:
    await store.keep_run(connection, run)
    if found:
        await notices.tell(connection, _notice(found, run.day))


def _notice(found: Sequence[Finding], day: date) -> Notice:
    """Told once a day as long as it is the same: the audits of five minutes see it again."""
    told = "\n".join(sorted(f"{finding.check} {finding.subject}" for finding in found))
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Notice(
        key=f"audit:{day}:{digest}",
        kind="audit_findings",
        facts={
            "count": len(found),
            "findings": [
                {"check": one.check, "subject": one.subject, "detail": one.detail}
                for one in found[:TOLD_MAX]
            ],
        },
    )
