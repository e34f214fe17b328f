"""The database's rows about payments, under the names that the model has for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from hamyon.kit.db import Pool, Record
from hamyon.payments.types import MismatchKind
from tests.payments.life.books import HOUSES, View


async def view(
    pool: Pool, people: Sequence[int], subjects: Collection[str]
) -> tuple[View, dict[str, UUID]]:
    """What the model should show, and the payments' ids by its names."""
    first = people[0]
    payments = await pool.fetch("SELECT * FROM payments WHERE user_id = ANY ($1)", people)
    names = {row["id"]: _payment_name(row) for row in payments}
    seen: View = {
        "purses": await _purses(pool, people),
        "payments": {names[row["id"]]: _payment(row, first) for row in payments},
        "refunds": await _refunds(pool, names),
        "bonuses": await _bonuses(pool, people, names),
        "discounts": await _discounts(pool, people, names),
        "differences": await _differences(pool, subjects),
    }
    return seen, {name: payment_id for payment_id, name in names.items()}


def _payment_name(row: Record) -> str:
    """A charge for an invoice that was paid before is named after both."""
    invoice_id = row["invoice_id"]
    return str(row["id"]) if invoice_id is None else f"{invoice_id}/{row['external_id']}"


def _payment(row: Record, first: int) -> tuple[object, ...]:
    return (
        *(row["user_id"] - first, row["gateway"], row["state"], row["amount_minor"]),
        *(row["asset"], row["amount"], row["external_id"]),
        *(row["url"] is not None, row["check_at"] is not None),
        *(row["paid_minor"], row["granted"], row["refunded_minor"], row["taken_back"]),
    )


async def _purses(pool: Pool, people: Sequence[int]) -> dict[tuple[int, str], tuple[int, int, int]]:
    rows = await pool.fetch(
        """
        SELECT user_id, asset, coalesce(sum(posted) FILTER (WHERE role = 'wallet'), 0) AS posted,
               sum(held) AS held, -coalesce(sum(posted) FILTER (WHERE role = 'debt'), 0) AS debt
        FROM accounts WHERE user_id = ANY ($1) GROUP BY user_id, asset
        """,
        people,
    )
    return {
        (row["user_id"] - people[0], row["asset"]): (row["posted"], row["held"], row["debt"])
        for row in rows
        if row["posted"] or row["debt"]
    }


async def _refunds(pool: Pool, names: dict[UUID, str]) -> dict[str, tuple[object, ...]]:
    rows = await pool.fetch("SELECT * FROM refunds WHERE payment_id = ANY ($1)", list(names))
    return {
        str(row["id"]) if row["origin"] == "operator" else row["external_id"]: (
            *(names[row["payment_id"]], row["origin"], row["state"], row["amount_minor"]),
            *(row["taken"], row["debt"], row["external_id"]),
        )
        for row in rows
    }


async def _bonuses(
    pool: Pool, people: Sequence[int], names: dict[UUID, str]
) -> dict[str, tuple[object, ...]]:
    rows = await pool.fetch("SELECT * FROM bonuses WHERE user_id = ANY ($1)", people)
    first = people[0]
    seen: dict[str, tuple[object, ...]] = {}
    for row in rows:
        payer = row["from_user_id"] - first if row["from_user_id"] is not None else None
        payment_id = row["payment_id"]
        name = f"join:{payer}" if payment_id is None else f"{names[payment_id]}:{row['kind']}"
        seen[name] = (
            *(row["user_id"] - first, payer, row["asset"], row["amount"], row["taken_back"]),
            row["state"],
        )
    return seen


async def _discounts(
    pool: Pool, people: Sequence[int], names: dict[UUID, str]
) -> dict[int, str | None]:
    rows = await pool.fetch(
        "SELECT user_id, used_by FROM discounts WHERE user_id = ANY ($1)", people
    )
    return {
        row["user_id"] - people[0]: names[row["used_by"]] if row["used_by"] is not None else None
        for row in rows
    }


async def _differences(pool: Pool, subjects: Collection[str]) -> dict[tuple[str, str, str], str]:
    rows = await pool.fetch(
        """
        SELECT gateway, kind, subject, state FROM payment_mismatches
        WHERE gateway = ANY ($1) AND kind = ANY ($2) AND subject = ANY ($3)
        """,
        list(HOUSES),
        list(MismatchKind),
        list(subjects),
    )
    return {(row["gateway"], row["kind"], row["subject"]): row["state"] for row in rows}


async def age(pool: Pool, people: Sequence[int], since: datetime) -> None:
    """What a life did ahead of time lies before ``since``: audits of later lives pass it by."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            UPDATE payments SET paid_at = paid_at - interval '100 days'
            WHERE user_id = ANY ($1) AND paid_at >= $2
            """,
            people,
            since,
        )
        await connection.execute(
            """
            UPDATE refunds r SET created_at = r.created_at - interval '100 days',
                ended_at = r.ended_at - interval '100 days'
            FROM payments p WHERE p.id = r.payment_id AND p.user_id = ANY ($1)
            """,
            people,
        )
