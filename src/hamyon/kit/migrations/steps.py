"""Bring a database to a revision; see where it is."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from hamyon.kit.db import Connection, connect
from hamyon.kit.migrations import store
from hamyon.kit.migrations.errors import MigrationError, MigrationProblem, denied, unreachable

FOLDER: Final = Path(__file__).resolve().parents[4] / "migrations"
CONNECT_TIMEOUT_S: Final = 10.0
RUN_TIMEOUT_S: Final = 3600.0


def head(folder: Path = FOLDER) -> str:
    """The newest revision: the highest file name in ``versions``. Raises MigrationError: none."""
    revisions = sorted(path.stem for path in (folder / "versions").glob("[0-9]*_*.py"))
    if not revisions:
        raise MigrationError(
            MigrationProblem.NO_FOLDER,
            f"There are no migrations in {folder}. Start Hamyon from a whole checkout.",
        )
    return revisions[-1]


async def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first migration."""
    return await store.revision(connection)


async def migrate(dsn: str, *, folder: Path = FOLDER) -> list[str]:
    """Bring the database to the newest revision; the revisions that this call applied, in order.

    Of many processes that start together one migrates and the others wait for it. Each step is a
    transaction of its own. ``dsn`` is the owner's. Raises MigrationError.
    """
    newest = head(folder)
    if await _revision(dsn) == newest:
        return []
    return await _run(dsn, newest, folder)


async def downgrade(dsn: str, revision: str, *, folder: Path = FOLDER) -> list[str]:
    """Go back to a revision or to ``base``; the revisions that were undone. For tests.

    Raises MigrationError.
    """
    return await _run(dsn, f"-{revision}", folder)


async def _revision(dsn: str) -> str | None:
    try:
        connection = await asyncio.wait_for(connect(dsn, role=None), CONNECT_TIMEOUT_S)
        try:
            return await store.revision(connection)
        finally:
            await connection.close()
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        raise denied(str(error)) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise unreachable(str(error) or type(error).__name__) from error
    except ValueError as error:
        raise unreachable("the address is malformed") from error


async def _run(dsn: str, target: str, folder: Path) -> list[str]:
    """Run Alembic in a process of its own. The URL goes through a pipe: arguments are public."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hamyon.kit.migrations.runner"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    order = orjson.dumps({"dsn": dsn, "target": target, "folder": str(folder)})
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            answer, complaints = await process.communicate(order)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise MigrationError(
            MigrationProblem.FAILED,
            f"The migration ended with status {process.returncode}: "
            f"{complaints.decode(errors='replace').strip()[-2000:]}",
        )
    report = orjson.loads(answer)
    if "problem" in report:
        raise MigrationError(MigrationProblem(report["problem"]), report["sentence"])
    return list(report["revisions"])
