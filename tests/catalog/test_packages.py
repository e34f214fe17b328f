"""Packages for sale: who finds which, and what owners may make of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from hamyon.catalog.errors import InvalidPackage, PackageKeyTaken, PackageNotFound
from hamyon.catalog.service import packages
from hamyon.catalog.service.operators import PRICE_MAX
from hamyon.catalog.types import Package, PackagePatch
from hamyon.kit.db import Pool, in_transaction, transaction
from hamyon.kit.money import Asset
from hamyon.ledger.types import AMOUNT_LIMIT
from hamyon.users.types import Acting
from tests.fixtures.service import Launch

PACKAGE = Package(
    key="tokens_3",
    titles={"uz": "3 ta token", "ru": "3 жетона", "en": "3 tokens"},
    asset=Asset.TOKEN,
    amount=3,
    bonus=1,
    prices={"yookassa": 9900, "stars": 70},
    active=True,
    sort=5,
)


async def _create(pool: Pool, acting: Acting, package: Package, reason: str | None = None) -> None:
    async with transaction(pool) as connection:
        await packages.create(connection, package, acting=acting, reason=reason)


async def _change(pool: Pool, acting: Acting, key: str, patch: PackagePatch) -> Package:
    async with transaction(pool) as connection:
        return await packages.change(connection, key, patch, acting=acting)


# --- what buyers find -----------------------------------------------------------------------------


async def test_what_is_for_sale_from_the_start(pool: Pool) -> None:
    keys = [package.key for package in await packages.listed(pool)]
    assert keys == [
        "credits_1000",
        "credits_5000",
        "credits_10000",
        "revivals_5",
        "revivals_15",
        "revivals_50",
    ]
    package = await packages.for_sale(pool, "revivals_50")
    assert (package.asset, package.amount, package.bonus, package.granted) == (
        Asset.REVIVAL,
        50,
        5,
        55,
    )
    assert package.prices == {"yookassa": 119900, "stars": 800}
    assert package.title("ru") == "50 оживашек"


async def test_what_is_off_sale_is_found_by_owners_only(pool: Pool, acting: Acting) -> None:
    await _create(pool, acting, PACKAGE)
    assert await packages.for_sale(pool, "tokens_3") == PACKAGE
    off = await _change(pool, acting, "tokens_3", PackagePatch(active=False))
    with pytest.raises(PackageNotFound):
        await packages.for_sale(pool, "tokens_3")
    with pytest.raises(PackageNotFound):
        await packages.of_price(pool, "stars", Asset.TOKEN, 70)
    assert await packages.get(pool, "tokens_3") == off
    assert await packages.listed(pool, asset=Asset.TOKEN) == []
    assert await packages.listed(pool, asset=Asset.TOKEN, include_inactive=True) == [off]


async def test_lists_by_asset_and_gateway(pool: Pool, acting: Acting) -> None:
    await _create(pool, acting, PACKAGE)
    await _create(pool, acting, replace(PACKAGE, key="tokens_0", prices={"yookassa": 1}))
    await _create(pool, acting, replace(PACKAGE, key="tokens_9", sort=-1))

    async def keys(**wanted: Any) -> list[str]:
        return [package.key for package in await packages.listed(pool, **wanted)]

    assert await keys(asset=Asset.TOKEN) == ["tokens_9", "tokens_0", "tokens_3"]
    assert await keys(asset=Asset.TOKEN, gateway="stars") == ["tokens_9", "tokens_3"]
    assert await keys(gateway="stars") == [
        "tokens_9",
        "tokens_3",
        "revivals_5",
        "revivals_15",
        "revivals_50",
    ]
    assert await keys(gateway="none_such") == []


async def test_the_package_of_a_price(pool: Pool, acting: Acting) -> None:
    assert (await packages.of_price(pool, "stars", Asset.REVIVAL, 270)).key == "revivals_15"
    for gateway, asset, amount_minor in (
        ("stars", Asset.REVIVAL, 269),
        ("stars", Asset.CREDIT, 270),
        ("yookassa", Asset.REVIVAL, 270),
        ("none_such", Asset.REVIVAL, 270),
        ("stars", Asset.REVIVAL, 2**62),
    ):
        with pytest.raises(PackageNotFound):
            await packages.of_price(pool, gateway, asset, amount_minor)
    # Of several of one price the one that is shown first.
    await _create(pool, acting, PACKAGE)
    await _create(pool, acting, replace(PACKAGE, key="tokens_9", sort=4))
    assert (await packages.of_price(pool, "stars", Asset.TOKEN, 70)).key == "tokens_9"
    await _change(pool, acting, "tokens_9", PackagePatch(sort=6))
    assert (await packages.of_price(pool, "stars", Asset.TOKEN, 70)).key == "tokens_3"


async def test_what_nobody_made(pool: Pool, acting: Acting) -> None:
    for find in (packages.for_sale, packages.get):
        with pytest.raises(PackageNotFound):
            await find(pool, "none-such")
    with pytest.raises(PackageNotFound):
        await _change(pool, acting, "none-such", PackagePatch(active=True))


# --- what owners do -------------------------------------------------------------------------------


async def test_a_new_package_is_written_down(pool: Pool, acting: Acting) -> None:
    await _create(pool, acting, PACKAGE, "a new product")
    assert await packages.get(pool, "tokens_3") == PACKAGE
    act = await pool.fetchrow("SELECT * FROM audit_log")
    assert act is not None
    assert (act["action"], act["subject"]) == ("package_created", "package:tokens_3")
    assert (act["actor"], act["reason"], act["before"]) == ("user:7", "a new product", None)
    assert act["after"]["prices"] == {"yookassa": 9900, "stars": 70}


async def test_a_patch_changes_only_what_it_names(pool: Pool, acting: Acting) -> None:
    await _create(pool, acting, PACKAGE)
    patch = PackagePatch(bonus=0, prices={"stars": 71}, sort=-2)
    changed = await _change(pool, acting, "tokens_3", patch)
    assert changed == replace(PACKAGE, bonus=0, prices={"stars": 71}, sort=-2)
    assert await packages.get(pool, "tokens_3") == changed
    act = await pool.fetchrow("SELECT * FROM audit_log WHERE action = 'package_changed'")
    assert act is not None
    assert (act["before"]["bonus"], act["after"]["bonus"]) == (1, 0)
    assert act["before"]["prices"] == {"yookassa": 9900, "stars": 70}
    assert (act["before"]["titles"], act["after"]["titles"]) == (PACKAGE.titles, PACKAGE.titles)


async def test_a_key_is_taken_once(pool: Pool, acting: Acting) -> None:
    async def create(amount: int) -> Package | PackageKeyTaken:
        try:
            return await in_transaction(
                pool,
                lambda connection: packages.create(
                    connection, replace(PACKAGE, amount=amount), acting=acting
                ),
            )
        except PackageKeyTaken as taken:
            return taken

    results = await asyncio.gather(*(create(amount) for amount in range(1, 9)))
    made = [result for result in results if isinstance(result, Package)]
    assert len(made) == 1
    assert await packages.get(pool, "tokens_3") == made[0]
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 1


async def test_racing_patches_form_one_chain(pool: Pool, acting: Acting) -> None:
    await _create(pool, acting, PACKAGE)
    await asyncio.gather(
        *(_change(pool, acting, "tokens_3", PackagePatch(amount=n)) for n in range(10, 22)),
        *(_change(pool, acting, "tokens_3", PackagePatch(sort=n)) for n in range(10, 22)),
    )
    acts = await pool.fetch("SELECT before, after FROM audit_log ORDER BY id")
    assert len(acts) == 25
    for earlier, later in pairwise(acts):
        assert later["before"] == earlier["after"]
    package = await packages.get(pool, "tokens_3")
    assert (package.amount, package.sort) == (
        acts[-1]["after"]["amount"],
        acts[-1]["after"]["sort"],
    )
    assert min(package.amount, package.sort) >= 10


BAD: list[dict[str, Any]] = [
    {"titles": {"ru": "3 жетона", "en": "3 tokens"}},
    {"titles": {**PACKAGE.titles, "de": "3 Marken"}},
    {"titles": {**PACKAGE.titles, "uz": "  "}},
    {"titles": {**PACKAGE.titles, "uz": "x" * 33}},
    {"titles": {**PACKAGE.titles, "uz": "a\0b"}},
    {"asset": Asset.USD},
    {"amount": 0},
    {"amount": packages.AMOUNT_MAX + 1},
    {"bonus": -1},
    {"bonus": packages.AMOUNT_MAX + 1},
    {"prices": {}},
    {"prices": {"yookassa": 0}},
    {"prices": {"yookassa": 9900, "stars": -70}},
    {"prices": {"yookassa": PRICE_MAX + 1}},
    {"prices": {"YooKassa": 9900}},
    {"prices": {"yoo-kassa": 9900}},
    {"prices": {"y" * 33: 9900}},
    {"prices": {"": 9900}},
    {"sort": 2**31},
]


@pytest.mark.parametrize("bad", BAD)
async def test_packages_that_could_not_be_sold(
    pool: Pool, acting: Acting, bad: dict[str, Any]
) -> None:
    with pytest.raises(InvalidPackage):
        await _create(pool, acting, replace(PACKAGE, **bad))
    await _create(pool, acting, PACKAGE)
    with pytest.raises(InvalidPackage):
        await _change(pool, acting, "tokens_3", PackagePatch(**bad))
    assert await packages.get(pool, "tokens_3") == PACKAGE
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 1


@pytest.mark.parametrize("key", ["", "-a", "A", "a b", "a" * 64, "кредит", "a\n"])
async def test_keys_of_another_form(pool: Pool, acting: Acting, key: str) -> None:
    with pytest.raises(InvalidPackage):
        await _create(pool, acting, replace(PACKAGE, key=key))


async def test_the_largest_package(pool: Pool, acting: Acting) -> None:
    largest = replace(
        PACKAGE,
        key="a" * 63,
        titles=dict.fromkeys(PACKAGE.titles, "x" * 32),
        amount=packages.AMOUNT_MAX,
        bonus=packages.AMOUNT_MAX,
        prices={"y" * 32: PRICE_MAX},
        sort=2**31 - 1,
    )
    await _create(pool, acting, largest)
    assert await packages.get(pool, "a" * 63) == largest
    # What a caller can buy at once still fits into the ledger.
    assert largest.granted * 100 <= AMOUNT_LIMIT


# --- over HTTP ------------------------------------------------------------------------------------

BODY = {
    "key": "tokens_3",
    "titles": dict(PACKAGE.titles),
    "asset": "token",
    "amount": 3,
    "prices": {"stars": 70},
}


async def test_owners_over_http(launch: Launch) -> None:
    api = (await launch(worker=False)).api
    made = await api.call("POST", "/admin/packages", BODY | {"reason": "new"}, admin=True)
    assert made.status == 201, made.body
    assert made.body == BODY | {"bonus": 0, "active": True, "sort": 0}
    again = await api.call("POST", "/admin/packages", BODY, admin=True)
    assert (again.status, again.code) == (409, "package_key_taken")
    patch = {"bonus": 2, "active": False}
    changed = await api.call("PATCH", "/admin/packages/tokens_3", patch, admin=True)
    assert (changed.status, changed.body) == (200, made.body | patch)
    listed = await api.call("GET", "/admin/packages", admin=True)
    assert listed.status == 200
    assert [item["key"] for item in listed.body["items"]][:2] == ["tokens_3", "credits_1000"]
    assert listed.body["items"][0] == changed.body
    absent = await api.call("PATCH", "/admin/packages/none-such", patch, admin=True)
    assert (absent.status, absent.code) == (404, "package_not_found")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 0}, "invalid_package"),
        ({"asset": "USD"}, "invalid_package"),
        ({"prices": {"stars": 0}}, "invalid_package"),
        ({"titles": {**BODY["titles"], "uz": "   "}}, "invalid_package"),  # type: ignore[dict-item]  # JSON
        ({"amount": 2**63}, "invalid_input"),
        ({"asset": "gold"}, "invalid_input"),
        ({"prices": {}}, "invalid_input"),
        ({"prices": {"STARS": 70}}, "invalid_package"),
        ({"prices": {"a\0b": 70}}, "invalid_package"),
        ({"titles": {"uz": "a", "ru": "b"}}, "invalid_input"),
        ({"titles": {"uz": "a", "ru": "b", "en": "x" * 33}}, "invalid_input"),
        ({"sort": 2**31}, "invalid_input"),
        ({"discount": 5}, "invalid_input"),
    ],
)
async def test_what_http_refuses(launch: Launch, change: dict[str, object], code: str) -> None:
    service = await launch(worker=False)
    for method, path, body in (
        ("POST", "/admin/packages", BODY | change),
        ("PATCH", "/admin/packages/revivals_5", change),
    ):
        answer = await service.api.call(method, path, body, admin=True)
        assert (answer.status, answer.code) == (422, code), method
    assert await service.pool.fetchval("SELECT count(*) FROM audit_log") == 0
    assert len(await packages.listed(service.pool, include_inactive=True)) == 6


async def test_packages_are_for_owners(launch: Launch) -> None:
    service = await launch(worker=False)
    for method, path, body in (
        ("GET", "/admin/packages", None),
        ("POST", "/admin/packages", BODY),
        ("PATCH", "/admin/packages/revivals_5", {"active": False}),
    ):
        assert (await service.api.call(method, path, body)).status == 403
    assert (await packages.get(service.pool, "revivals_5")).active
