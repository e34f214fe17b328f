"""The statements that make an empty server ours: two logins, the application's role, a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from hamyon.kit.db import APPLICATION_ROLE

SUPERUSER: Final = "postgres"
OWNER: Final = "hamyon_owner"
APPLICATION: Final = "hamyon"
DATABASE: Final = "hamyon"


async def provision(dsn: str, passwords: Mapping[str, str], made_now: Collection[str]) -> None:
    """Make what is missing; what a start that was killed half-way left behind is completed.

    ``dsn`` is the superuser's on the database ``postgres``. ``passwords`` are by login and hold no
    quote; logins in ``made_now`` have a new one, because the file of the old one was lost.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        roles = {r["rolname"] for r in await connection.fetch("SELECT rolname FROM pg_roles")}
        if APPLICATION_ROLE not in roles:
            await connection.execute(f"CREATE ROLE {APPLICATION_ROLE} NOLOGIN")
        for login, options in ((OWNER, "LOGIN CREATEROLE"), (APPLICATION, "LOGIN")):
            if login not in roles or login in made_now:
                verb = "ALTER" if login in roles else "CREATE"
                await connection.execute(
                    f"{verb} ROLE {login} {options} PASSWORD '{passwords[login]}'"
                )
        # The database comes last: where it stands, everything before it was done.
        if not await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", DATABASE
        ):
            await connection.execute(
                f"GRANT {APPLICATION_ROLE} TO {OWNER} WITH ADMIN OPTION;"
                f"GRANT {APPLICATION_ROLE} TO {APPLICATION}"
            )
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    finally:
        await connection.close()
