"""The statements around migrations; the migrations themselves lie in ``migrations/sql``."""

from __future__ import annotations

from typing import Final, LiteralString, cast

import asyncpg

from hamyon.kit.db import APPLICATION_ROLE, Connection

LOCK_KEY: Final = 7_240_391_860_151
"""The advisory lock that one migrating process holds; a number that nobody else uses."""


async def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first migration.

    Raises asyncpg.InsufficientPrivilegeError for a login that may not see it.
    """
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return cast("str | None", found)


def lock_timeout(timeout_s: float) -> LiteralString:
    """How long later statements of the session wait for a lock."""
    return f"SET lock_timeout = {int(timeout_s * 1000)}"


TAKE_LOCK: Final = f"SELECT pg_advisory_lock({LOCK_KEY})"

LET_APPLICATION_READ_REVISION: Final = f"""
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
        GRANT SELECT ON alembic_version TO {APPLICATION_ROLE};
    END IF;
END
$$
"""
