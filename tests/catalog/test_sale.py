"""What is for sale, which options it takes, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hamyon.catalog import service
from hamyon.catalog.errors import ModelNotFound, OptionNotSupported, TooManyReferences
from hamyon.catalog.types import (
    CatalogCache,
    Model,
    ModelForSale,
    NewPrice,
    Option,
    Price,
    PriceId,
    PriceRule,
    PriceUnit,
)
from hamyon.kit.db import Pool, transaction
from hamyon.kit.ids import new_id
from hamyon.kit.money import Asset
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.users.types import Acting

USER_ID = 10_000_000_001

MODEL = Model(
    key="painter",
    product="images",
    engine="offline",
    name="Painter",
    path_text="painter/text",
    path_edit="painter/edit",
    max_references=3,
    options={
        "size": Option(("1024*1024", "2048*2048"), "2048*2048"),
        "resolution": Option(("1k", "2k", "4k"), "1k"),
    },
    quality_stars=4,
    duration_min_s=1,
    duration_max_s=2,
    deadline_s=60,
    active=True,
    sort=1,
)


def sale_of(
    amount: int, *rules: PriceRule, unit: PriceUnit = PriceUnit.PICTURE, model: Model = MODEL
) -> ModelForSale:
    valid_from = datetime(2026, 1, 1, tzinfo=UTC)
    return ModelForSale(
        model, Price(PriceId(9), Asset.CREDIT, unit, amount, rules, "test", valid_from, None)
    )


async def test_what_the_migration_sells(pool: Pool, cache: CatalogCache) -> None:
    sales = await service.models(pool, cache)
    priced = {sale.model.key: service.quote(sale, {}, 0).amount for sale in sales}
    assert list(priced.items()) == [
        ("seedream-v4", 27),
        ("nano-banana", 38),
        ("nano-banana-pro", 140),
    ]
    pro = await service.get_model(pool, cache, "nano-banana-pro")
    four_k = service.choose_options(pro.model, {"resolution": "4k"})
    assert service.quote(pro, four_k, 14).amount == 240
    assert pro.model.max_references == 14
    assert pro.model.path(0).endswith("text-to-image")
    assert pro.model.path(1).endswith("edit")
    seedream = await service.get_model(pool, cache, "seedream-v4")
    assert seedream.model.options["size"].default == "2048*2048"
    assert "4096*4096" in seedream.model.options["size"].values


async def test_unknown_inactive_and_unpriced_are_not_for_sale(
    pool: Pool, cache: CatalogCache
) -> None:
    await pool.execute("UPDATE models SET active = false WHERE key = 'nano-banana'")
    await pool.execute("UPDATE prices SET ended_at = now() WHERE model_key = 'seedream-v4'")
    for key in ("nano-banana", "seedream-v4", "none-such"):
        with pytest.raises(ModelNotFound) as refused:
            await service.get_model(pool, cache, key)
        assert refused.value.facts == {"model": key}
    entries = {entry.model.key: entry for entry in await service.entries(pool)}
    assert entries["nano-banana"].model.active is False
    assert entries["seedream-v4"].price is None


async def test_models_are_read_once_until_somebody_forgets(pool: Pool, cache: CatalogCache) -> None:
    await service.models(pool, cache)
    await pool.execute("UPDATE models SET name = 'Behind the back' WHERE key = 'seedream-v4'")
    assert (await service.get_model(pool, cache, "seedream-v4")).model.name == "Seedream v4"
    service.forget_models(cache)
    assert (await service.get_model(pool, cache, "seedream-v4")).model.name == "Behind the back"


def test_models_survive_the_way_through_redis() -> None:
    codec = service.models_namespace(1).codec
    assert codec is not None
    sales = (sale_of(5, PriceRule({"size": "1024*1024"}, 3)), sale_of(7, unit=PriceUnit.ORDER))
    assert codec.decode(codec.encode(sales)) == sales


# --- options --------------------------------------------------------------------------------------


def test_defaults_fill_in() -> None:
    assert service.choose_options(MODEL, {}) == {"size": "2048*2048", "resolution": "1k"}
    given_some = {"resolution": "4k", "size": None, "aspect_ratio": None}
    assert service.choose_options(MODEL, given_some) == {"size": "2048*2048", "resolution": "4k"}


@pytest.mark.parametrize("size", ["1024*1024", "1024x1024", "1024×1024", "1024X1024"])
def test_sizes_may_be_written_with_a_cross(size: str) -> None:
    assert service.choose_options(MODEL, {"size": size})["size"] == "1024*1024"


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("size", "512x512", ["1024*1024", "2048*2048"]),
        ("size", "", ["1024*1024", "2048*2048"]),
        ("resolution", "8k", ["1k", "2k", "4k"]),
        ("resolution", "4K", ["1k", "2k", "4k"]),
        ("aspect_ratio", "1:1", []),
        ("output_format", "png", []),
        ("anything", "", []),
    ],
)
def test_what_a_model_does_not_take(option: str, value: str, allowed: list[str]) -> None:
    with pytest.raises(OptionNotSupported) as refused:
        service.choose_options(MODEL, {option: value})
    assert refused.value.facts == {"option": option, "value": value, "allowed": allowed}
    assert (refused.value.status, refused.value.code) == (400, "option_not_supported")


# --- quotes ---------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_counts() -> None:
    sale = sale_of(
        100,
        PriceRule({"resolution": "4k", "size": "1024*1024"}, 1),
        PriceRule({"resolution": "4k"}, 2),
        PriceRule({"resolution": "4k", "size": "2048*2048"}, 3),
        PriceRule({"size": "1024*1024"}, 4),
    )
    amounts = {
        (resolution, size): service.quote(sale, {"resolution": resolution, "size": size}, 0).amount
        for resolution, size in itertools.product(("1k", "4k"), MODEL.options["size"].values)
    }
    assert amounts == {
        ("1k", "1024*1024"): 4,
        ("1k", "2048*2048"): 100,
        ("4k", "1024*1024"): 1,
        ("4k", "2048*2048"): 2,
    }


def test_an_order_costs_the_same_and_pictures_add_up() -> None:
    assert service.quote(sale_of(9), {}, 0, pictures=4).amount == 36
    by_order = service.quote(sale_of(9, unit=PriceUnit.ORDER), {}, 0, pictures=4)
    assert (by_order.amount, by_order.unit) == (9, PriceUnit.ORDER)
    with pytest.raises(ValueError, match="0 pictures"):
        service.quote(sale_of(9), {}, 0, pictures=0)


def test_too_many_references() -> None:
    service.quote(sale_of(9), {}, 3)
    with pytest.raises(TooManyReferences) as refused:
        service.quote(sale_of(9), {}, 4)
    assert refused.value.facts == {"limit": 3, "given": 4}
    assert refused.value.status == 422


def expected_amount(price: NewPrice, options: Mapping[str, str], pictures: int) -> int:
    """The rule in plain words: the first whose every condition holds, times the pictures."""
    amount = price.amount
    for rule in price.by_option:
        unmet = [name for name in rule.when if options[name] != rule.when[name]]
        if not unmet:
            amount = rule.amount
            break
    return amount * pictures if price.unit is PriceUnit.PICTURE else amount


PRO_OPTIONS = {
    "aspect_ratio": st.sampled_from(["1:1", "3:2", "16:9"]),
    "resolution": st.sampled_from(["1k", "2k", "4k"]),
    "output_format": st.sampled_from(["png", "jpeg"]),
}
RULES = st.builds(
    PriceRule,
    when=st.fixed_dictionaries({}, optional=PRO_OPTIONS).filter(bool),
    amount=st.integers(1, 500),
)
PRICES = st.builds(
    NewPrice,
    asset=st.just(Asset.CREDIT),
    unit=st.sampled_from(PriceUnit),
    amount=st.integers(1, 500),
    by_option=st.lists(RULES, max_size=5).map(tuple),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    price=PRICES,
    asked=st.fixed_dictionaries({}, optional=PRO_OPTIONS),
    references=st.integers(0, 14),
    pictures=st.integers(1, 6),
)
async def test_a_quote_is_what_is_held(
    pool: Pool,
    cache: CatalogCache,
    acting: Acting,
    price: NewPrice,
    asked: dict[str, str],
    references: int,
    pictures: int,
) -> None:
    """A price goes through the database and the cache; what comes out is held to the credit."""
    async with transaction(pool) as connection:
        version = await service.set_price(connection, "nano-banana-pro", price, acting=acting)
        await connection.execute(
            "INSERT INTO users (id) VALUES ($1) ON CONFLICT DO NOTHING", USER_ID
        )
        await ledger.grant(
            connection,
            user_id=USER_ID,
            asset="credit",
            amount=10_000,
            kind=TransferKind.ADMIN_ADJUSTMENT,
            from_role="adjustments",
            key=f"test:{version.id}",
            actor="test",
        )
    service.forget_models(cache)
    sale = await service.get_model(pool, cache, "nano-banana-pro")
    options = service.choose_options(sale.model, asked)
    quote = service.quote(sale, options, references, pictures)
    assert quote.amount == expected_amount(price, options, pictures)
    assert quote.price_id == version.id

    before = await ledger.balance(pool, USER_ID, "credit")
    order_id = await open_order(pool, sale, quote.amount, quote.price_id)
    after = await ledger.balance(pool, USER_ID, "credit")
    assert before is not None
    assert after is not None
    assert after.held - before.held == quote.amount
    row = await pool.fetchrow("SELECT price, price_id, asset FROM orders WHERE id = $1", order_id)
    assert row is not None
    assert dict(row.items()) == {
        "price": quote.amount,
        "price_id": version.id,
        "asset": quote.asset,
    }
    assert list(await ledger.audit(pool)) == []


async def open_order(pool: Pool, sale: ModelForSale, amount: int, price_id: int) -> UUID:
    order_id = new_id()
    await pool.fetchval(
        """
        SELECT order_open($1, $2, 'images', $3, 'offline', ARRAY['x'], ARRAY[$4::uuid], '{}',
            'credit', $5, $6, false, NULL, 'test', 60, 1000000)
        """,
        order_id,
        USER_ID,
        sale.model.key,
        new_id(),
        amount,
        price_id,
    )
    return order_id


async def test_an_order_keeps_its_price(pool: Pool, cache: CatalogCache, acting: Acting) -> None:
    old = await service.get_model(pool, cache, "seedream-v4")
    async with transaction(pool) as connection:
        new = await service.set_price(
            connection,
            "seedream-v4",
            NewPrice(Asset.CREDIT, PriceUnit.ORDER, 99),
            acting=acting,
        )
    kept = {price.id: price for price in await service.price_versions(pool, "seedream-v4")}
    assert kept[old.price.id] == replace(old.price, ended_at=new.valid_from)
    assert kept[new.id].amount == 99
