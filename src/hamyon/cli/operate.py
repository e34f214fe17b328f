"""Commands for whoever runs the service."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from hamyon.cli import parts
from hamyon.kit.migrations import migrate as bring_up
from hamyon.kit.settings import Settings


async def migrate(settings: Settings) -> None:
    """Apply what is missing and say what it was, whatever ``RUN_MIGRATIONS`` says."""
    async with parts.logins(settings, beside=True) as found:
        applied = await bring_up(found.owner)
    console = Console()
    for revision in applied:
        console.print(f"applied {revision}")
    console.print("The database is at the newest version.")


async def audit(settings: Settings) -> None:
    """Print every finding; exit with 1 when there is one."""
    async with (
        parts.database(settings, beside=True) as found,
        parts.deps(settings, found.application) as deps,
    ):
        findings = await deps.audit(deps.pool)
    console = Console()
    if not findings:
        console.print("The money is sound: no finding.")
        return
    table = Table("check", "subject", "detail", title=f"{len(findings)} findings")
    for finding in findings:
        table.add_row(finding.check, finding.subject, finding.detail)
    console.print(table)
    sys.exit(1)
