"""What operators do to models and prices. Every act is written down in its own transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from hamyon.catalog import store
from hamyon.catalog.errors import InvalidModel, InvalidPrice, ModelNotFound
from hamyon.catalog.service.sale import drop_models
from hamyon.catalog.types import (
    OPTION_NAMES,
    SIZE,
    CatalogueEntry,
    Model,
    ModelPatch,
    NewPrice,
    Option,
    Price,
)
from hamyon.kit.db import Connection, Pool
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

PRICE_MAX: Final = 1_000_000_000
"""Minor units. Far above any sane price, and far enough from 64 bits to be multiplied."""
PRICE_RULES_MAX: Final = 100
OPTION_VALUES_MAX: Final = 100
DEADLINE_S_MAX: Final = 24 * 3600

_SIZE_VALUE: Final = re.compile(r"[1-9][0-9]{1,4}\*[1-9][0-9]{1,4}", re.ASCII)
_OPTION_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,31}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)


async def entries(connection: Connection | Pool) -> Sequence[CatalogueEntry]:
    """Every model, also those that are not for sale."""
    return await store.entries(connection)


async def get_entry(connection: Connection | Pool, key: str) -> CatalogueEntry:
    """A model, also one that is not for sale. Raises ModelNotFound."""
    entry = await store.entry(connection, key)
    if entry is None:
        raise ModelNotFound(model=key)
    return entry


async def price_versions(connection: Connection | Pool, key: str) -> Sequence[Price]:
    """What a model cost and costs, newest first."""
    return await store.price_versions(connection, key)


async def set_price(
    connection: Connection,
    key: str,
    price: NewPrice,
    *,
    acting: Acting,
    reason: str | None = None,
) -> Price:
    """End a model's price and begin the next; orders that exist keep theirs.

    Raises ModelNotFound, InvalidPrice.
    """
    at = await store.lock_model(connection, key)
    if at is None:
        raise ModelNotFound(model=key)
    before = await get_entry(connection, key)
    _check_price(before.model, price)
    await store.end_price(connection, key, at=at)
    after = await store.insert_price(connection, key, price, set_by=acting.actor, at=at)
    act = acting.act(
        "price_set",
        f"model:{key}",
        before=asdict(before.price) if before.price else None,
        after=asdict(after),
        reason=reason,
    )
    await record_act(connection, act)
    await drop_models(connection)
    return after


async def patch_model(
    connection: Connection,
    key: str,
    patch: ModelPatch,
    *,
    acting: Acting,
    reason: str | None = None,
) -> CatalogueEntry:
    """Change a model; orders that exist keep what they were opened with.

    Raises ModelNotFound, InvalidModel.
    """
    _check_patch(patch)
    if await store.lock_model(connection, key) is None:
        raise ModelNotFound(model=key)
    before = await get_entry(connection, key)
    await store.update_model(connection, key, patch)
    after = await get_entry(connection, key)
    act = acting.act(
        "model_changed",
        f"model:{key}",
        before=asdict(before.model),
        after=asdict(after.model),
        reason=reason,
    )
    await record_act(connection, act)
    await drop_models(connection)
    return after


def _check_price(model: Model, price: NewPrice) -> None:
    """Refuses what could not be charged, and rules that could never match. Raises InvalidPrice."""
    amounts = [price.amount, *(rule.amount for rule in price.by_option)]
    if not all(0 < amount <= PRICE_MAX for amount in amounts):
        raise InvalidPrice(problem=f"an amount must lie between 1 and {PRICE_MAX}")
    if len(price.by_option) > PRICE_RULES_MAX:
        raise InvalidPrice(problem=f"more than {PRICE_RULES_MAX} rules")
    for rule in price.by_option:
        if not rule.when:
            raise InvalidPrice(problem="a rule without a condition would hide all after it")
        for name, value in rule.when.items():
            option = model.options.get(name)
            if option is None or value not in option.values:
                raise InvalidPrice(problem=f"the model cannot be asked for {name} {value}")


def _check_patch(patch: ModelPatch) -> None:
    if patch.name is not None and not 0 < len(patch.name.strip()) <= 100:
        raise InvalidModel(problem="a name has 1 to 100 characters")
    if patch.sort is not None and not -(2**31) <= patch.sort < 2**31:
        raise InvalidModel(problem="sort is a 32-bit number")
    if patch.deadline_s is not None and not 0 < patch.deadline_s <= DEADLINE_S_MAX:
        raise InvalidModel(problem=f"a deadline lies between 1 and {DEADLINE_S_MAX} seconds")
    for path in (patch.path_text, patch.path_edit):
        if path is not None and (len(path) > 200 or not _PATH.fullmatch(path)):
            raise InvalidModel(problem="a provider path is words between slashes")
    if patch.options is not None:
        _check_options(patch.options)


def _check_options(options: Mapping[str, Option]) -> None:
    for name, option in options.items():
        if name not in OPTION_NAMES:
            raise InvalidModel(problem=f"no request can name the option {name}")
        if not 0 < len(option.values) <= OPTION_VALUES_MAX:
            raise InvalidModel(problem=f"{name} has 1 to {OPTION_VALUES_MAX} values")
        if len(set(option.values)) != len(option.values) or option.default not in option.values:
            raise InvalidModel(problem=f"{name} names a value twice or its default not at all")
        form = _SIZE_VALUE if name == SIZE else _OPTION_VALUE
        if not all(form.fullmatch(value) for value in option.values):
            raise InvalidModel(problem=f"{name} has a value of another form")
