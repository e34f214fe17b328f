"""Statements about how providers stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from hamyon.catalog.types import ProviderStatus
from hamyon.kit.db import Connection, Pool

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
