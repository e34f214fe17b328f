"""The catalogue's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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
    ProviderStatus,
)
from hamyon.kit.db import Connection, Pool, Record
from hamyon.kit.money import Asset

# --- models and prices ----------------------------------------------------------------------------

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


# --- providers ------------------------------------------------------------------------------------

_STATUS: Final = """
    SELECT name, paused_at, paused_by, pause_reason, failures, open_until, last_error,
           last_error_at, balance_micro_usd, balance_at,
           paused_at IS NOT NULL OR coalesce(open_until > clock_timestamp(), false) AS closed,
           paused_at IS NULL AND coalesce(open_until <= clock_timestamp(), false) AS probing,
           coalesce(ceil(greatest(extract(epoch FROM open_until - clock_timestamp()), 0)), 0)::int
               AS retry_after_s
    FROM providers
"""


async def provider(connection: Connection | Pool, name: str) -> ProviderStatus | None:
    """How one provider stands."""
    row = await connection.fetchrow(f"{_STATUS} WHERE name = $1", name)
    return ProviderStatus(**dict(row.items())) if row else None


async def providers(connection: Connection | Pool) -> Sequence[ProviderStatus]:
    """How every provider stands."""
    rows = await connection.fetch(f"{_STATUS} ORDER BY name")
    return [ProviderStatus(**dict(row.items())) for row in rows]


async def lock_provider(connection: Connection, name: str) -> bool:
    """Let one writer pass until this transaction ends. False when there is no such provider."""
    found = await connection.fetchval(
        "SELECT true FROM providers WHERE name = $1 FOR NO KEY UPDATE", name
    )
    return found is not None


async def pause(connection: Connection, name: str, *, by: str, reason: str) -> None:
    """Keep new work away until somebody resumes it."""
    await connection.execute(
        """
        UPDATE providers SET paused_at = clock_timestamp(), paused_by = $2, pause_reason = $3
        WHERE name = $1
        """,
        name,
        by,
        reason,
    )


async def resume(connection: Connection, name: str) -> None:
    """Let work in again, whatever the breaker had counted."""
    await connection.execute(
        """
        UPDATE providers
        SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, failures = 0, open_until = NULL
        WHERE name = $1
        """,
        name,
    )


async def count_outage(
    connection: Connection, name: str, *, error: str, threshold: int, open_for: timedelta
) -> tuple[int, bool] | None:
    """One more outage in a row: how many, and whether the breaker is open; None: no such name.

    An outage at or past the threshold opens it, or keeps it open, for ``open_for`` from now.
    """
    row = await connection.fetchrow(
        """
        UPDATE providers
        SET failures = failures + 1, last_error = $2, last_error_at = clock_timestamp(),
            open_until = CASE WHEN failures + 1 >= $3 THEN clock_timestamp() + $4::interval
                              ELSE open_until END
        WHERE name = $1
        RETURNING failures, coalesce(open_until > clock_timestamp(), false) AS is_open
        """,
        name,
        error,
        threshold,
        open_for,
    )
    return (row["failures"], row["is_open"]) if row else None


async def reset_outages(connection: Connection | Pool, name: str) -> bool:
    """Close the breaker's books. False when there was nothing in them, and nothing was written."""
    changed = await connection.fetchval(
        """
        UPDATE providers SET failures = 0, open_until = NULL
        WHERE name = $1 AND (failures > 0 OR open_until IS NOT NULL) RETURNING true
        """,
        name,
    )
    return changed is not None


async def claim_probe(connection: Connection, name: str, *, open_for: timedelta) -> bool:
    """Take the one probe of this half-open moment, and close the door behind it for ``open_for``.

    Of racing claims the row's lock lets one through first; the others then see a later moment.
    """
    claimed = await connection.fetchval(
        """
        UPDATE providers SET open_until = clock_timestamp() + $2::interval
        WHERE name = $1 AND paused_at IS NULL AND open_until <= clock_timestamp() RETURNING true
        """,
        name,
        open_for,
    )
    return claimed is not None


async def set_balance(connection: Connection | Pool, name: str, *, balance_micro_usd: int) -> None:
    """What is left of our money there."""
    await connection.execute(
        """
        UPDATE providers SET balance_micro_usd = $2, balance_at = clock_timestamp() WHERE name = $1
        """,
        name,
        balance_micro_usd,
    )


# --- rows to types --------------------------------------------------------------------------------


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
