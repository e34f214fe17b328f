"""Statements about people as drawings know them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.products.drawings.types import PRODUCT, Person
from hamyon.users.types import Condition


async def insert_person(
    connection: Connection, user_id: int, *, advertising_source: str | None, now: datetime
) -> bool:
    """Let drawings know somebody; False when they do. Of several callers one hears True."""
    row = await connection.fetchrow(
        """
        INSERT INTO drawings_people (user_id, advertising_source, registered_at, last_activity_at)
        VALUES ($1, $2, $3, $3) ON CONFLICT (user_id) DO NOTHING RETURNING true
        """,
        user_id,
        advertising_source,
        now,
    )
    return row is not None


async def touch(connection: Connection, user_id: int, *, now: datetime) -> None:
    """Remember that somebody was active."""
    await connection.execute(
        """
        UPDATE drawings_people SET last_activity_at = greatest(last_activity_at, $2)
        WHERE user_id = $1
        """,
        user_id,
        now,
    )


async def person(connection: Connection | Pool, user_id: int) -> Person | None:
    """Somebody whom drawings know."""
    row = await connection.fetchrow(
        """
        SELECT user_id, advertising_source, generation_count, first_generation_at,
               last_generation_at, registered_at, last_activity_at
        FROM drawings_people WHERE user_id = $1
        """,
        user_id,
    )
    return Person(**dict(row)) if row is not None else None


@dataclass(frozen=True, slots=True)
class DrawingsSegments:
    """Whom drawings know, whether he ordered one or not, for choosing whom to write to."""

    @property
    def criteria(self) -> frozenset[str]:
        return frozenset({"product"})

    def condition(self, criterion: str, value: object) -> Condition:
        assert criterion == "product"
        known = "EXISTS (SELECT FROM drawings_people d WHERE d.user_id = u.id)"
        return Condition(known if value == PRODUCT else "false")
