"""Commands for whoever runs the service."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from hamyon.cli import parts
from hamyon.kit import postgres
from hamyon.kit.migrations import migrate as bring_up
from hamyon.kit.settings import Settings
from hamyon.wiring import open_deps


async def migrate(settings: Settings) -> None:
    """Apply what is missing and say what it was, whatever ``RUN_MIGRATIONS`` says."""
    if settings.database_url is None:
        server = await postgres.start(settings.hamyon_home)
        try:
            applied = await bring_up(server.owner_dsn)
        finally:
            await server.stop()
    else:
        owner = settings.migrations_database_url or settings.database_url
        applied = await bring_up(owner.get_secret_value())
    console = Console()
    for revision in applied:
        console.print(f"applied {revision}")
    console.print("The database is at the newest version.")


async def audit(settings: Settings) -> None:
    """Print every finding; exit with 1 when there is one."""
    async with parts.database(settings) as dsn, open_deps(settings, dsn) as deps:
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
