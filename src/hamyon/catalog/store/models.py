"""Statements about models and their prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from hamyon.catalog.types import (
    CatalogueEntry,
    Model,
    ModelForSale,
    ModelPatch,
    NewPrice,
    Option,
    Price,
    PriceId,
    PriceRule,
    PriceUnit,
)
from hamyon.kit.db import Connection, Pool, Record
from hamyon.kit.money import Asset

_ENTRY: Final = """
    SELECT m.key, m.product, m.engine, m.name, m.path_text, m.path_edit, m.max_references,
           m.options, m.quality_stars, m.duration_min_s, m.duration_max_s, m.deadline_s, m.active,
           m.sort, p.id, p.asset, p.unit, p.amount, p.by_option, p.set_by, p.valid_from, p.ended_at
    FROM models m LEFT JOIN prices p ON p.model_key = m.key AND p.ended_at IS NULL
"""


async def models_for_sale(connection: Connection | Pool) -> Sequence[ModelForSale]:
    """Active models that have a price, in the order in which they are shown."""
    rows = await connection.fetch(
        f"{_ENTRY} WHERE m.active AND p.id IS NOT NULL ORDER BY m.sort, m.key"
    )
    return tuple(ModelForSale(_model(row), _price(row)) for row in rows)


async def entries(connection: Connection | Pool) -> Sequence[CatalogueEntry]:
    """Every model, with its current price if it has one."""
    rows = await connection.fetch(f"{_ENTRY} ORDER BY m.sort, m.key")
    return [_entry(row) for row in rows]


async def entry(connection: Connection | Pool, key: str) -> CatalogueEntry | None:
    """One model, with its current price if it has one."""
    row = await connection.fetchrow(f"{_ENTRY} WHERE m.key = $1", key)
    return _entry(row) if row else None


async def lock_model(connection: Connection, key: str) -> datetime | None:
    """Let one writer a model pass until this transaction ends; the moment at which he passed.

    None when there is no such model. A lock that does not stop orders and prices from naming it.
    """
    at = await connection.fetchval(
        "SELECT clock_timestamp() FROM (SELECT FROM models WHERE key = $1 FOR NO KEY UPDATE) m", key
    )
    return cast("datetime | None", at)


async def update_model(connection: Connection, key: str, patch: ModelPatch) -> None:
    """Change what the patch names."""
    options = None if patch.options is None else _options_json(patch.options)
    await connection.execute(
        """
        UPDATE models
        SET active = coalesce($2, active), name = coalesce($3, name),
            options = coalesce($4, options), sort = coalesce($5, sort),
            deadline_s = coalesce($6, deadline_s), path_text = coalesce($7, path_text),
            path_edit = coalesce($8, path_edit)
        WHERE key = $1
        """,
        key,
        patch.active,
        patch.name,
        options,
        patch.sort,
        patch.deadline_s,
        patch.path_text,
        patch.path_edit,
    )


async def end_price(connection: Connection, key: str, *, at: datetime) -> None:
    """End the current version, if there is one."""
    await connection.execute(
        "UPDATE prices SET ended_at = $2 WHERE model_key = $1 AND ended_at IS NULL", key, at
    )


async def insert_price(
    connection: Connection, key: str, price: NewPrice, *, set_by: str, at: datetime
) -> Price:
    """The next version; the one before it must have ended."""
    row = await connection.fetchrow(
        """
        INSERT INTO prices (model_key, asset, unit, amount, by_option, set_by, valid_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING id, asset, unit, amount, by_option, set_by, valid_from, ended_at
        """,
        key,
        price.asset,
        price.unit,
        price.amount,
        [{"when": dict(rule.when), "amount": rule.amount} for rule in price.by_option],
        set_by,
        at,
    )
    assert row is not None
    return _price(row)


async def price_versions(connection: Connection | Pool, key: str) -> Sequence[Price]:
    """Every version of a model's price, newest first."""
    rows = await connection.fetch(
        """
        SELECT id, asset, unit, amount, by_option, set_by, valid_from, ended_at
        FROM prices WHERE model_key = $1 ORDER BY id DESC
        """,
        key,
    )
    return [_price(row) for row in rows]


def _entry(row: Record) -> CatalogueEntry:
    return CatalogueEntry(_model(row), None if row["id"] is None else _price(row))


def _model(row: Record) -> Model:
    return Model(
        key=row["key"],
        product=row["product"],
        engine=row["engine"],
        name=row["name"],
        path_text=row["path_text"],
        path_edit=row["path_edit"],
        max_references=row["max_references"],
        options={
            name: Option(tuple(option["values"]), option["default"])
            for name, option in row["options"].items()
        },
        quality_stars=row["quality_stars"],
        duration_min_s=row["duration_min_s"],
        duration_max_s=row["duration_max_s"],
        deadline_s=row["deadline_s"],
        active=row["active"],
        sort=row["sort"],
    )


def _price(row: Record) -> Price:
    return Price(
        id=PriceId(row["id"]),
        asset=Asset(row["asset"]),
        unit=PriceUnit(row["unit"]),
        amount=row["amount"],
        by_option=tuple(PriceRule(rule["when"], rule["amount"]) for rule in row["by_option"]),
        set_by=row["set_by"],
        valid_from=row["valid_from"],
        ended_at=row["ended_at"],
    )


def _options_json(options: Mapping[str, Option]) -> dict[str, object]:
    return {
        name: {"values": list(option.values), "default": option.default}
        for name, option in options.items()
    }
