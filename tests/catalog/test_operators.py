"""Operators change models and prices: versions, the audit log, races, other processes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import orjson
import pytest

from hamyon.catalog import service
from hamyon.catalog.errors import InvalidModel, InvalidPrice, ModelNotFound
from hamyon.catalog.types import (
    CatalogCache,
    ModelPatch,
    NewPrice,
    Option,
    Price,
    PriceRule,
    PriceUnit,
)
from hamyon.kit.db import Pool, in_transaction, transaction
from hamyon.kit.money import Asset
from hamyon.users.types import Acting
from tests.catalog.conftest import OpenCache
from tests.catalog.waiting import until


def price(amount: int, *rules: PriceRule) -> NewPrice:
    return NewPrice(Asset.CREDIT, PriceUnit.PICTURE, amount, rules)


async def test_a_new_price_ends_the_old_one_and_is_written_down(pool: Pool, acting: Acting) -> None:
    async with transaction(pool) as connection:
        version = await service.set_price(
            connection,
            "nano-banana-pro",
            price(150, PriceRule({"resolution": "4k"}, 260)),
            acting=acting,
            reason="the provider charges more",
        )
    now, before = await service.price_versions(pool, "nano-banana-pro")
    assert now == version
    assert (now.amount, now.set_by, now.ended_at) == (150, "user:7", None)
    assert (before.amount, before.set_by, before.ended_at) == (140, "migration", now.valid_from)
    act = await pool.fetchrow("SELECT * FROM audit_log WHERE action = 'price_set'")
    assert act is not None
    assert (act["actor"], act["subject"]) == ("user:7", "model:nano-banana-pro")
    assert (act["before"]["amount"], act["after"]["amount"]) == (140, 150)
    assert act["after"]["by_option"] == [{"when": {"resolution": "4k"}, "amount": 260}]
    assert (act["reason"], act["address"]) == ("the provider charges more", "192.0.2.7")


async def test_every_process_hears_of_a_price(
    pool: Pool, open_cache: OpenCache, acting: Acting
) -> None:
    here, there = await open_cache(), await open_cache()
    for cache in (here, there):
        assert (await service.get_model(pool, cache, "seedream-v4")).price.amount == 27
    async with transaction(pool) as connection:
        await service.set_price(connection, "seedream-v4", price(31), acting=acting)
    for cache in (here, there):

        async def knows(cache: CatalogCache = cache) -> bool:
            return (await service.get_model(pool, cache, "seedream-v4")).price.amount == 31

        await until(knows)


async def test_a_price_that_was_rolled_back_never_was(
    pool: Pool, cache: CatalogCache, acting: Acting
) -> None:
    with pytest.raises(RuntimeError, match="the operator's route broke"):
        async with transaction(pool) as connection:
            await service.set_price(connection, "seedream-v4", price(1), acting=acting)
            raise RuntimeError("the operator's route broke")
    assert (await service.get_model(pool, cache, "seedream-v4")).price.amount == 27
    assert len(await service.price_versions(pool, "seedream-v4")) == 1
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 0


async def test_racing_prices_form_one_chain(pool: Pool, acting: Acting) -> None:
    async def set_one(amount: int) -> Price:
        return await in_transaction(
            pool,
            lambda connection: service.set_price(
                connection, "nano-banana", price(amount), acting=acting
            ),
        )

    made = await asyncio.gather(*(set_one(amount) for amount in range(100, 124)))
    versions = list(reversed(await service.price_versions(pool, "nano-banana")))
    assert {version.id for version in versions[1:]} == {version.id for version in made}
    for before, after in pairwise(versions):
        assert before.ended_at == after.valid_from
        assert before.valid_from < after.valid_from
    assert [version.ended_at for version in versions].count(None) == 1
    assert versions[-1].ended_at is None
    acts = await pool.fetch("SELECT before, after FROM audit_log ORDER BY id")
    told = [(act["before"]["id"], act["after"]["id"]) for act in acts]
    assert told == [(a.id, b.id) for a, b in pairwise(versions)]


@pytest.mark.parametrize(
    "bad",
    [
        price(0),
        price(-5),
        price(10**12),
        price(5, PriceRule({"resolution": "4k"}, 0)),
        price(5, PriceRule({}, 4)),
        price(5, PriceRule({"resolution": "8k"}, 4)),
        price(5, PriceRule({"size": "1024*1024"}, 4)),
        price(5, *(PriceRule({"resolution": "4k"}, 4) for _ in range(101))),
    ],
)
async def test_prices_that_could_not_be_charged(pool: Pool, acting: Acting, bad: NewPrice) -> None:
    with pytest.raises(InvalidPrice):
        async with transaction(pool) as connection:
            await service.set_price(connection, "nano-banana-pro", bad, acting=acting)
    assert len(await service.price_versions(pool, "nano-banana-pro")) == 1


async def test_unknown_models_cannot_be_changed(pool: Pool, acting: Acting) -> None:
    async with transaction(pool) as connection:
        with pytest.raises(ModelNotFound):
            await service.set_price(connection, "none-such", price(5), acting=acting)
        with pytest.raises(ModelNotFound):
            await service.patch_model(
                connection, "none-such", ModelPatch(active=False), acting=acting
            )
        with pytest.raises(ModelNotFound):
            await service.get_entry(connection, "none-such")


async def test_a_patch_changes_only_what_it_names(
    pool: Pool, cache: CatalogCache, acting: Acting
) -> None:
    before = await service.get_entry(pool, "seedream-v4")
    options = {"size": Option(("1024*1024", "4096*4096"), "1024*1024")}
    patch = ModelPatch(name="Seedream 4", options=options, sort=-3, deadline_s=120)
    async with transaction(pool) as connection:
        after = await service.patch_model(
            connection, "seedream-v4", patch, acting=acting, reason="shorter"
        )
    assert after.price == before.price
    assert (after.model.name, after.model.options) == ("Seedream 4", options)
    assert (after.model.sort, after.model.deadline_s) == (-3, 120)
    assert (after.model.path_text, after.model.active) == (before.model.path_text, True)
    act = await pool.fetchrow("SELECT action, before, after, reason FROM audit_log")
    assert act is not None
    assert (act["action"], act["reason"]) == ("model_changed", "shorter")
    assert act["before"]["deadline_s"] == 300
    assert orjson.loads(orjson.dumps(act["after"]["options"])) == {
        "size": {"values": ["1024*1024", "4096*4096"], "default": "1024*1024"}
    }
    assert (await service.models(pool, cache))[0].model == after.model


async def test_a_model_taken_off_is_gone_everywhere(
    pool: Pool, cache: CatalogCache, acting: Acting
) -> None:
    await service.get_model(pool, cache, "nano-banana")
    async with transaction(pool) as connection:
        await service.patch_model(
            connection, "nano-banana", ModelPatch(active=False), acting=acting
        )

    async def gone() -> bool:
        return all(sale.model.key != "nano-banana" for sale in await service.models(pool, cache))

    await until(gone)


@pytest.mark.parametrize(
    "bad",
    [
        ModelPatch(name="  "),
        ModelPatch(name="x" * 101),
        ModelPatch(deadline_s=0),
        ModelPatch(deadline_s=100_000),
        ModelPatch(sort=2**31),
        ModelPatch(path_text="../secret"),
        ModelPatch(path_edit="a//b"),
        ModelPatch(path_text="a/b?c=d"),
        ModelPatch(options={"size": Option((), "1024*1024")}),
        ModelPatch(options={"size": Option(("1024*1024",), "2048*2048")}),
        ModelPatch(options={"size": Option(("1024*1024", "1024*1024"), "1024*1024")}),
        ModelPatch(options={"size": Option(("1024x1024",), "1024x1024")}),
        ModelPatch(options={"speed": Option(("fast",), "fast")}),
        ModelPatch(options={"resolution": Option(("",), "")}),
    ],
)
async def test_models_that_could_not_be_sold(pool: Pool, acting: Acting, bad: ModelPatch) -> None:
    before = await service.get_entry(pool, "seedream-v4")
    with pytest.raises(InvalidModel):
        async with transaction(pool) as connection:
            await service.patch_model(connection, "seedream-v4", bad, acting=acting)
    assert await service.get_entry(pool, "seedream-v4") == before
