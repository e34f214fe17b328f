"""Statements about packages for sale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hamyon.catalog.types import Package
from hamyon.kit.db import Connection, Pool, Record
from hamyon.kit.money import Asset

_COLUMNS: Final = "key, titles, asset, amount, bonus, prices, active, sort"


async def package(connection: Connection | Pool, key: str) -> Package | None:
    """A package, for sale or not."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM packages WHERE key = $1",  # noqa: S608 -- the columns are ours
        key,
    )
    return _package(row) if row is not None else None


async def package_of_price(
    connection: Connection | Pool, gateway: str, asset: str, amount_minor: int
) -> Package | None:
    """The first active package of an asset that costs this there."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM packages
        WHERE active AND asset = $2 AND (prices ->> $1)::bigint = $3
        ORDER BY sort, key LIMIT 1
        """,  # noqa: S608
        gateway,
        asset,
        amount_minor,
    )
    return _package(row) if row is not None else None


async def packages(
    connection: Connection | Pool,
    *,
    asset: str | None,
    gateway: str | None,
    include_inactive: bool,
) -> Sequence[Package]:
    """Packages in the order in which they are shown; None asks for any asset or gateway."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM packages
        WHERE (active OR $3) AND ($1::text IS NULL OR asset = $1)
          AND ($2::text IS NULL OR prices ? $2)
        ORDER BY sort, key
        """,  # noqa: S608
        asset,
        gateway,
        include_inactive,
    )
    return [_package(row) for row in rows]


async def insert_package(connection: Connection, package: Package) -> bool:
    """A new package; False when its key is taken."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO packages ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (key) DO NOTHING RETURNING true
        """,  # noqa: S608
        *_values(package),
    )
    return row is not None


async def lock_package(connection: Connection, key: str) -> Package | None:
    """A package that nobody else changes until this transaction ends. It can still be bought."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM packages WHERE key = $1 FOR NO KEY UPDATE",  # noqa: S608
        key,
    )
    return _package(row) if row is not None else None


async def update_package(connection: Connection, package: Package) -> None:
    """Write a package that exists as it shall be."""
    await connection.execute(
        """
        UPDATE packages SET titles = $2, asset = $3, amount = $4, bonus = $5, prices = $6,
                            active = $7, sort = $8
        WHERE key = $1
        """,
        *_values(package),
    )


def _values(package: Package) -> tuple[object, ...]:
    return (
        package.key,
        dict(package.titles),
        package.asset,
        package.amount,
        package.bonus,
        dict(package.prices),
        package.active,
        package.sort,
    )


def _package(row: Record) -> Package:
    return Package(**{**dict(row), "asset": Asset(row["asset"])})
