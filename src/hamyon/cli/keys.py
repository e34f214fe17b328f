"""``hamyon keys``: what operators do over HTTP, from the terminal."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import asyncpg
from rich.console import Console
from rich.table import Table

from hamyon.cli import parts
from hamyon.cli.failure import Failure
from hamyon.kit.db import Pool, in_transaction, open_pool
from hamyon.kit.settings import Settings
from hamyon.kit.web.permission import Operator, Role, Scope
from hamyon.users.service import service_keys
from hamyon.users.types import SCOPES, Acting, NewServiceKey, ServiceKey

console = Console()
ACTING: Final = Acting(Operator(None, f"terminal:{getpass.getuser()}", Role.OWNER))


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Pool]:
    async with parts.database(settings, beside=True) as found:
        try:
            pool = await open_pool(found.application, min_size=1, max_size=2)
        except (asyncpg.PostgresError, OSError, TimeoutError, ValueError) as error:
            raise Failure(f"DATABASE_URL cannot be used: {str(error) or 'no answer'}") from None
        try:
            yield pool
        finally:
            await pool.close()


async def create(settings: Settings, name: str, scopes: str, days: int) -> None:
    """Make a key and show its secret this once."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    unknown = sorted(set(wanted) - set(SCOPES))
    if unknown or not wanted:
        raise Failure(f"unknown scopes: {', '.join(unknown)}; there are: {', '.join(SCOPES)}")
    async with _pool(settings) as pool:
        made = await in_transaction(
            pool,
            service_keys.create_key,
            name,
            cast("list[Scope]", wanted),
            life=timedelta(days=days),
            acting=ACTING,
            now=datetime.now(UTC),
        )
    _show_secret(made)


async def rotate(settings: Settings, name: str, overlap_h: int) -> None:
    """Make the key's successor; both are valid for the overlap."""
    now = datetime.now(UTC)
    async with _pool(settings) as pool:
        newest = (await _valid(pool, name, now))[0]
        made = await in_transaction(
            pool,
            service_keys.rotate_key,
            newest.id,
            overlap=timedelta(hours=overlap_h),
            acting=ACTING,
            now=now,
        )
    _show_secret(made)
    console.print(f"The old one ends in {overlap_h} hours.")


async def revoke(settings: Settings, name: str) -> None:
    """End every valid key of the name."""
    now = datetime.now(UTC)
    async with _pool(settings) as pool:
        keys = await _valid(pool, name, now)
        for key in keys:
            await in_transaction(pool, service_keys.revoke_key, key.id, acting=ACTING, now=now)
    console.print(f"Revoked {len(keys)} of the name {name}.")


async def show(settings: Settings) -> None:
    """A table of all keys."""
    now = datetime.now(UTC)
    async with _pool(settings) as pool:
        keys = await service_keys.service_keys(pool)
    table = Table("name", "scopes", "made", "ends", "state")
    for key in keys:
        state = "valid" if key.is_valid(now) else "revoked" if key.revoked_at else "expired"
        ends = f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never"
        scopes = " ".join(sorted(key.scopes))
        table.add_row(key.name, scopes, f"{key.created_at:%Y-%m-%d}", ends, state)
    console.print(table)


async def _valid(pool: Pool, name: str, now: datetime) -> list[ServiceKey]:
    keys = await service_keys.service_keys(pool)
    found = [key for key in keys if key.name == name and key.is_valid(now)]
    if not found:
        raise Failure(f"there is no valid key named {name}; see `hamyon keys list`")
    return found


def _show_secret(made: NewServiceKey) -> None:
    console.print(f"[bold]{made.key.name}[/], valid until {made.key.expires_at:%Y-%m-%d}")
    console.print(made.secret, highlight=False, soft_wrap=True)
    console.print("This is the only time that it is shown.")
