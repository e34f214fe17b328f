"""Packages for sale: what buyers find, and what owners make of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

from hamyon.catalog import store
from hamyon.catalog.errors import InvalidPackage, PackageKeyTaken, PackageNotFound
from hamyon.catalog.service.operators import PRICE_MAX
from hamyon.catalog.types import Package, PackagePatch
from hamyon.kit.db import Connection, Pool
from hamyon.kit.money import Asset
from hamyon.kit.texts import LANGUAGES
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

AMOUNT_MAX: Final = 1_000_000_000_000
"""Minor units of an asset. A hundred such packages with their bonus still fit into the ledger,
which takes amounts up to 2^53 - 1."""
TITLE_MAX: Final = 32
"""What Telegram takes as the title of an invoice."""

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_GATEWAY: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


# --- what buyers find -----------------------------------------------------------------------------


async def for_sale(connection: Connection | Pool, key: str) -> Package:
    """A package that can be bought now. Raises PackageNotFound."""
    package = await get(connection, key)
    if not package.active:
        raise PackageNotFound(package=key)
    return package


async def get(connection: Connection | Pool, key: str) -> Package:
    """A package, also one that is not for sale. Raises PackageNotFound."""
    package = await store.package(connection, key)
    if package is None:
        raise PackageNotFound(package=key)
    return package


async def of_price(
    connection: Connection | Pool, gateway: str, asset: Asset, amount_minor: int
) -> Package:
    """The package of an asset that costs exactly this there; of several the one shown first.

    Raises PackageNotFound.
    """
    package = await store.package_of_price(connection, gateway, asset, amount_minor)
    if package is None:
        raise PackageNotFound(gateway=gateway, asset=asset, amount_minor=amount_minor)
    return package


async def listed(
    connection: Connection | Pool,
    *,
    asset: Asset | None = None,
    gateway: str | None = None,
    include_inactive: bool = False,
) -> Sequence[Package]:
    """Packages in the order in which they are shown, of one asset and for one gateway if named."""
    return await store.packages(
        connection, asset=asset, gateway=gateway, include_inactive=include_inactive
    )


# --- what owners do -------------------------------------------------------------------------------


async def create(
    connection: Connection, package: Package, *, acting: Acting, reason: str | None = None
) -> Package:
    """Put a new package up. Raises InvalidPackage, PackageKeyTaken."""
    _check(package)
    if not await store.insert_package(connection, package):
        raise PackageKeyTaken(package=package.key)
    act = acting.act(
        "package_created", f"package:{package.key}", after=asdict(package), reason=reason
    )
    await record_act(connection, act)
    return package


async def change(
    connection: Connection,
    key: str,
    patch: PackagePatch,
    *,
    acting: Acting,
    reason: str | None = None,
) -> Package:
    """Change a package; purchases that exist keep the numbers they were made with.

    Raises PackageNotFound, InvalidPackage.
    """
    before = await store.lock_package(connection, key)
    if before is None:
        raise PackageNotFound(package=key)
    named = {name: value for name, value in asdict(patch).items() if value is not None}
    after = replace(before, **named)
    _check(after)
    await store.update_package(connection, after)
    act = acting.act(
        "package_changed",
        f"package:{key}",
        before=asdict(before),
        after=asdict(after),
        reason=reason,
    )
    await record_act(connection, act)
    return after


def _check(package: Package) -> None:
    """Refuses what could not be shown, sold or granted. Raises InvalidPackage."""
    if not _KEY.fullmatch(package.key):
        raise InvalidPackage(problem="a key is up to 63 small letters, digits, - and _")
    if set(package.titles) != set(LANGUAGES):
        raise InvalidPackage(problem=f"the title is needed in {', '.join(LANGUAGES)}")
    for title in package.titles.values():
        if not title.strip() or len(title) > TITLE_MAX or "\x00" in title:
            raise InvalidPackage(problem=f"a title has 1 to {TITLE_MAX} characters")
    if package.asset is Asset.USD:
        raise InvalidPackage(problem="dollars are earned here, not sold")
    if not (0 < package.amount <= AMOUNT_MAX and 0 <= package.bonus <= AMOUNT_MAX):
        raise InvalidPackage(problem=f"an amount lies between 1 and {AMOUNT_MAX}")
    if not -(2**31) <= package.sort < 2**31:
        raise InvalidPackage(problem="sort is a 32-bit number")
    if not package.prices:
        raise InvalidPackage(problem="at least one gateway has a price")
    for gateway, price in package.prices.items():
        if not _GATEWAY.fullmatch(gateway):
            raise InvalidPackage(problem="a gateway is up to 32 small letters, digits and _")
        if not 0 < price <= PRICE_MAX:
            raise InvalidPackage(problem=f"a price lies between 1 and {PRICE_MAX}")
