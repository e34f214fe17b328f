"""Statements about what runs by the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import cast

from hamyon.kit.db import Connection, Pool
from hamyon.surfaces.admin.types import Run


async def last_run(connection: Connection | Pool, names: Sequence[str]) -> Run | None:
    """The newest finished run of any of these names."""
    row = await connection.fetchrow(
        """
        SELECT name, day, started_at, findings, outcome FROM operation_runs
        WHERE name = ANY ($1) ORDER BY id DESC LIMIT 1
        """,
        list(names),
    )
    return Run(**dict(row)) if row else None


async def ran_on(connection: Connection | Pool, name: str, day: date) -> bool:
    """Whether a run of that day is written down."""
    return cast(
        "bool",
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM operation_runs WHERE name = $1 AND day = $2)", name, day
        ),
    )


async def keep_run(connection: Connection | Pool, run: Run) -> None:
    """Write a finished run down."""
    await connection.execute(
        """
        INSERT INTO operation_runs (name, day, started_at, findings, outcome)
        VALUES ($1, $2, $3, $4, $5)
        """,
        run.name,
        run.day,
        run.started_at,
        run.findings,
        dict(run.outcome),
    )


async def forget_runs(connection: Connection | Pool, *, older_than: timedelta) -> int:
    """Delete old runs. Returns how many."""
    status = await connection.execute(
        "DELETE FROM operation_runs WHERE ended_at < now() - $1::interval", older_than
    )
    return int(status.rsplit(" ", 1)[1])
