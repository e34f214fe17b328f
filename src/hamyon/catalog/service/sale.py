"""What is for sale, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from pydantic import TypeAdapter

from hamyon.catalog import store
from hamyon.catalog.errors import ModelNotFound, OptionNotSupported, TooManyReferences
from hamyon.catalog.types import (
    SIZE,
    CatalogCache,
    Model,
    ModelForSale,
    PriceUnit,
    Quote,
)
from hamyon.kit.cache import Codec, Namespace, invalidate
from hamyon.kit.db import Connection, Pool

_ALL: Final = "all"
_SALE: Final = TypeAdapter(tuple[ModelForSale, ...])
_SIZE_SIGN: Final = re.compile("[xX×]")


def models_namespace(ttl_s: float) -> Namespace[Sequence[ModelForSale]]:
    """The list of models in the process's cache, as long as ``CATALOG_CACHE_S`` says."""
    codec: Codec[Sequence[ModelForSale]] = Codec(
        1, lambda sales: _SALE.dump_json(tuple(sales)), _SALE.validate_json
    )
    return Namespace("catalog_models", ttl_s, codec)


_MODELS: Final = models_namespace(600.0)


async def drop_models(connection: Connection) -> None:
    """Have every process read the models anew once this transaction commits."""
    await invalidate(connection, _MODELS, _ALL)


async def models(pool: Pool, cache: CatalogCache) -> Sequence[ModelForSale]:
    """Active models with their current prices, in the order in which they are shown."""
    return await cache.cache.get(cache.models, _ALL, lambda: store.models_for_sale(pool))


def forget_models(cache: CatalogCache) -> None:
    """Drop this process's copy of what is for sale: it proved to be old."""
    cache.cache.drop(cache.models, _ALL)


async def get_model(pool: Pool, cache: CatalogCache, key: str) -> ModelForSale:
    """A model that can be bought now. Raises ModelNotFound, also for one that is not active."""
    for sale in await models(pool, cache):
        if sale.model.key == key:
            return sale
    raise ModelNotFound(model=key)


def choose_options(model: Model, given: Mapping[str, str | None]) -> dict[str, str]:
    """The model's options with what was asked for, and defaults where nothing was (None).

    A size may be written with ``x`` or ``×``. Raises OptionNotSupported.
    """
    for name, value in given.items():
        if value is not None and name not in model.options:
            raise OptionNotSupported(option=name, value=value, allowed=[])
    chosen: dict[str, str] = {}
    for name, option in model.options.items():
        value = given.get(name)
        if value is None:
            chosen[name] = option.default
            continue
        meant = _SIZE_SIGN.sub("*", value) if name == SIZE else value
        if meant not in option.values:
            raise OptionNotSupported(option=name, value=value, allowed=list(option.values))
        chosen[name] = meant
    return chosen


def quote(
    sale: ModelForSale, options: Mapping[str, str], references_count: int, pictures: int = 1
) -> Quote:
    """What an order with ``options`` from ``choose_options`` costs.

    Showing a price and charging it both come here, so that they cannot differ.
    Raises TooManyReferences.
    """
    if pictures < 1:
        raise ValueError(f"an order of {pictures} pictures")
    limit = sale.model.max_references
    if references_count > limit:
        raise TooManyReferences(limit=limit, given=references_count)
    price = sale.price
    matching = (
        rule.amount
        for rule in price.by_option
        if all(options.get(name) == value for name, value in rule.when.items())
    )
    amount = next(matching, price.amount)
    match price.unit:
        case PriceUnit.ORDER:
            total = amount
        case PriceUnit.PICTURE:
            total = amount * pictures
        case _ as never:
            assert_never(never)
    return Quote(price.asset, total, price.id, price.unit)
