"""Statements about refunds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from hamyon.kit.db import Connection, Pool, Record
from hamyon.payments.types import PaymentId, Refund, RefundId, RefundState

_REFUND: Final = """id, payment_id, gateway, origin, state, amount_minor, taken, debt,
    external_id, vendor_key, vendor_key_at, check_at, checks, actor, reason, error, vendor_at,
    created_at, ended_at"""


def _refund(row: Record | None) -> Refund | None:
    if row is None:
        return None
    values = dict(row)
    values["state"] = RefundState(values["state"])
    return Refund(**values)


def _refunds(rows: Sequence[Record]) -> list[Refund]:
    return [cast("Refund", _refund(row)) for row in rows]


async def insert(connection: Connection, refund: Refund) -> None:
    """Keep a refund, in the transaction that takes the credits back."""
    await connection.execute(
        f"""
        INSERT INTO refunds ({_REFUND})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19)
        """,  # noqa: S608 -- the columns are ours
        refund.id,
        refund.payment_id,
        refund.gateway,
        refund.origin,
        refund.state,
        refund.amount_minor,
        refund.taken,
        refund.debt,
        refund.external_id,
        refund.vendor_key,
        refund.vendor_key_at,
        refund.check_at,
        refund.checks,
        refund.actor,
        refund.reason,
        refund.error,
        refund.vendor_at,
        refund.created_at,
        refund.ended_at,
    )


async def refund(connection: Connection | Pool, refund_id: RefundId) -> Refund | None:
    """A refund by its id."""
    return _refund(
        await connection.fetchrow(f"SELECT {_REFUND} FROM refunds WHERE id = $1", refund_id)  # noqa: S608
    )


async def of_charge(connection: Connection, gateway: str, external_id: str) -> Refund | None:
    """A refund by the vendor's id of it."""
    return _refund(
        await connection.fetchrow(
            f"SELECT {_REFUND} FROM refunds WHERE gateway = $1 AND external_id = $2",  # noqa: S608
            gateway,
            external_id,
        )
    )


async def of_payment(connection: Connection | Pool, payment_id: PaymentId) -> Sequence[Refund]:
    """A payment's refunds, oldest first."""
    return _refunds(
        await connection.fetch(
            f"SELECT {_REFUND} FROM refunds WHERE payment_id = $1 ORDER BY created_at, id",  # noqa: S608
            payment_id,
        )
    )


async def set_sent(
    connection: Connection,
    refund_id: RefundId,
    *,
    state: RefundState,
    external_id: str,
    vendor_at: datetime,
    ended_at: datetime | None,
) -> None:
    """What the vendor says of a refund that it made or is making."""
    await connection.execute(
        """
        UPDATE refunds SET state = $2, external_id = $3, vendor_at = $4, ended_at = $5,
            check_at = CASE WHEN $5::timestamptz IS NULL THEN check_at END
        WHERE id = $1 AND ended_at IS NULL
        """,
        refund_id,
        state,
        external_id,
        vendor_at,
        ended_at,
    )


async def adopt(
    connection: Connection, refund_id: RefundId, *, external_id: str, vendor_at: datetime
) -> None:
    """A refund whose credits an operator took is the vendor's now, too."""
    await connection.execute(
        """
        UPDATE refunds SET external_id = $2, vendor_at = $3
        WHERE id = $1 AND external_id IS NULL
        """,
        refund_id,
        external_id,
        vendor_at,
    )


async def ask_no_more(connection: Connection, refund_id: RefundId) -> None:
    """An operator decides about this refund now; its vendor has said what it had to say."""
    await connection.execute("UPDATE refunds SET check_at = NULL WHERE id = $1", refund_id)


async def set_failed(
    connection: Connection, refund_id: RefundId, *, error: str, ended_at: datetime
) -> None:
    """The vendor surely did not give the money back."""
    await connection.execute(
        """
        UPDATE refunds SET state = 'failed', error = $2, ended_at = $3, check_at = NULL
        WHERE id = $1
        """,
        refund_id,
        error,
        ended_at,
    )


async def renew_key(
    connection: Connection | Pool, refund_id: RefundId, *, old: str, key: str, at: datetime
) -> bool:
    """A vendor forgets keys: what it surely did not do is asked for under a new one.

    False: somebody else took one meanwhile, and two keys would be two refunds.
    """
    renewed = await connection.fetchval(
        """
        UPDATE refunds SET vendor_key = $3, vendor_key_at = $4
        WHERE id = $1 AND vendor_key = $2 AND ended_at IS NULL RETURNING true
        """,
        refund_id,
        old,
        key,
        at,
    )
    return renewed is not None


async def due(connection: Connection | Pool, *, now: datetime, limit: int) -> Sequence[Refund]:
    """Refunds whose vendor should be told or asked, the longest due first."""
    return _refunds(
        await connection.fetch(
            f"SELECT {_REFUND} FROM refunds WHERE check_at <= $1 ORDER BY check_at LIMIT $2",  # noqa: S608
            now,
            limit,
        )
    )


async def check_again(
    connection: Connection | Pool, refund_id: RefundId, *, check_at: datetime
) -> None:
    """When to tell or ask the vendor next, unless the story has ended meanwhile."""
    await connection.execute(
        """
        UPDATE refunds SET check_at = $2, checks = checks + 1
        WHERE id = $1 AND check_at IS NOT NULL
        """,
        refund_id,
        check_at,
    )
