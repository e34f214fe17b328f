"""Statements about promo codes and the guard against guessing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool, Record
from hamyon.rewards.types import PromoCode, PromoGuard, PromoTerms

_TERMS: Final = tuple(field.name for field in fields(PromoTerms))
_CODE: Final = f"code, shown, uses, created_by, created_at, {', '.join(_TERMS)}"


def _code(row: Record | None) -> PromoCode | None:
    if row is None:
        return None
    terms = PromoTerms(**{name: row[name] for name in _TERMS})
    return PromoCode(
        row["code"], row["shown"], terms, row["uses"], row["created_by"], row["created_at"]
    )


def _values(terms: PromoTerms) -> list[object]:
    products = list(terms.products) if terms.products is not None else None
    return [products if name == "products" else getattr(terms, name) for name in _TERMS]


async def insert_code(
    connection: Connection,
    code: str,
    shown: str,
    terms: PromoTerms,
    *,
    created_by: str,
    now: datetime,
) -> PromoCode | None:
    """Make a code; None when there is one of this normalised form."""
    places = ", ".join(f"${number}" for number in range(5, 5 + len(_TERMS)))
    return _code(
        await connection.fetchrow(
            f"""
            INSERT INTO promo_codes (code, shown, created_by, created_at, {", ".join(_TERMS)})
            VALUES ($1, $2, $3, $4, {places})
            ON CONFLICT (code) DO NOTHING RETURNING {_CODE}
            """,  # noqa: S608 -- the columns are ours
            code,
            shown,
            created_by,
            now,
            *_values(terms),
        )
    )


async def lock_code(connection: Connection, code: str) -> PromoCode | None:
    """A code that nobody else uses or changes until this transaction ends."""
    return _code(
        await connection.fetchrow(
            f"SELECT {_CODE} FROM promo_codes WHERE code = $1 FOR NO KEY UPDATE",  # noqa: S608
            code,
        )
    )


async def update_terms(connection: Connection, code: str, terms: PromoTerms) -> PromoCode:
    """Write what a locked code gives from now on."""
    changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(_TERMS, start=2))
    found = _code(
        await connection.fetchrow(
            f"UPDATE promo_codes SET {changes} WHERE code = $1 RETURNING {_CODE}",  # noqa: S608
            code,
            *_values(terms),
        )
    )
    assert found is not None
    return found


async def count_use(connection: Connection, code: str) -> None:
    """Count one use of a locked code; more than its limit breaks a constraint."""
    await connection.execute("UPDATE promo_codes SET uses = uses + 1 WHERE code = $1", code)


async def codes_page(
    connection: Connection | Pool, *, before: tuple[datetime, str] | None, limit: int
) -> Sequence[PromoCode]:
    """Every code, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_CODE} FROM promo_codes
        WHERE $1::timestamptz IS NULL OR (created_at, code) < ($1, $2)
        ORDER BY created_at DESC, code DESC LIMIT $3
        """,  # noqa: S608
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )
    return [code for row in rows if (code := _code(row)) is not None]


async def code_exists(connection: Connection | Pool, code: str) -> bool:
    """Whether there is a code of this normalised form."""
    return await connection.fetchval("SELECT true FROM promo_codes WHERE code = $1", code) is True


# --- the guard -----------------------------------------------------------------------------------


async def lock_guard(connection: Connection, user_id: int) -> PromoGuard:
    """A person's wrong tries, locked: his tries are judged one after another."""
    await connection.execute(
        "INSERT INTO promo_guards (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING", user_id
    )
    row = await connection.fetchrow(
        "SELECT wrong_at, blocked_until FROM promo_guards WHERE user_id = $1 FOR UPDATE", user_id
    )
    assert row is not None
    return PromoGuard(row["wrong_at"], row["blocked_until"])


async def update_guard(connection: Connection, user_id: int, guard: PromoGuard) -> None:
    """Write when a person was wrong."""
    await connection.execute(
        """
        UPDATE promo_guards SET wrong_at = $2, blocked_until = $3 WHERE user_id = $1
        """,
        user_id,
        list(guard.wrong_at),
        guard.blocked_until,
    )
