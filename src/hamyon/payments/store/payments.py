"""Statements about payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from hamyon.kit.db import Connection, Pool, Record
from hamyon.payments.types import Payment, PaymentId, PaymentState, Revenue

# How a paid one is shown says what became of it since.
_PAYMENT: Final = """p.id, p.user_id, p.gateway,
    CASE
        WHEN p.state <> 'paid' THEN p.state
        WHEN EXISTS (
            SELECT FROM refunds r WHERE r.payment_id = p.id AND r.state IN ('sending', 'pending')
        ) THEN 'refunding'
        WHEN p.refunded_minor = p.paid_minor THEN 'refunded'
        WHEN p.refunded_minor > 0 THEN 'partially_refunded'
        ELSE 'paid'
    END AS state,
    p.currency, p.amount_minor, p.asset, p.amount, p.rate_numerator, p.rate_denominator,
    p.package_key, p.quantity, p.title, p.discount_id, p.invoice_id, p.vendor_key, p.vendor_key_at,
    p.external_id, p.url, p.vendor_at, p.check_at, p.checks, p.cancel_reason, p.payer_id,
    p.paid_minor, p.granted, p.paid_at, p.refunded_minor, p.taken_back, p.created_at"""


def _payment(row: Record | None) -> Payment | None:
    if row is None:
        return None
    values = dict(row)
    values["state"] = PaymentState(values["state"])
    return Payment(**values)


def _payments(rows: Sequence[Record]) -> list[Payment]:
    return [cast("Payment", _payment(row)) for row in rows]


async def insert(connection: Connection, payment: Payment) -> None:
    """Keep a purchase whose charge is yet to come."""
    await connection.execute(
        """
        INSERT INTO payments (id, user_id, gateway, currency, amount_minor, asset, amount,
            rate_numerator, rate_denominator, package_key, quantity, title, discount_id,
            invoice_id, vendor_key, vendor_key_at, check_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        payment.id,
        payment.user_id,
        payment.gateway,
        payment.currency,
        payment.amount_minor,
        payment.asset,
        payment.amount,
        payment.rate_numerator,
        payment.rate_denominator,
        payment.package_key,
        payment.quantity,
        payment.title,
        payment.discount_id,
        payment.invoice_id,
        payment.vendor_key,
        payment.vendor_key_at,
        payment.check_at,
        payment.created_at,
    )


async def payment(connection: Connection | Pool, payment_id: PaymentId) -> Payment | None:
    """A payment by its id."""
    return _payment(
        await connection.fetchrow(f"SELECT {_PAYMENT} FROM payments p WHERE p.id = $1", payment_id)  # noqa: S608 -- the columns are ours
    )


async def price_for_active(
    connection: Connection | Pool, payment_id: PaymentId, *, gateway: str
) -> int | None:
    """What a payment of somebody who is not blocked costs; None for any other."""
    return cast(
        "int | None",
        await connection.fetchval(
            """
            SELECT amount_minor FROM payments
            WHERE id = $1 AND gateway = $2 AND user_standing(user_id) = 'active'
            """,
            payment_id,
            gateway,
        ),
    )


async def lock(connection: Connection, payment_id: PaymentId) -> Payment | None:
    """A payment that nobody else changes until this transaction ends."""
    # The columns are read by a statement of its own: one that waited for the lock would still see
    # the refunds of before.
    locked = await connection.fetchval(
        "SELECT true FROM payments WHERE id = $1 FOR NO KEY UPDATE", payment_id
    )
    return await payment(connection, payment_id) if locked else None


async def lock_charge(connection: Connection, gateway: str, external_id: str) -> None:
    """Let nobody else settle this charge until this transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"charge:{gateway}:{external_id}"
    )


async def ask_no_more(connection: Connection, payment_id: PaymentId) -> None:
    """Nobody needs to ask the vendor about this payment again."""
    await connection.execute("UPDATE payments SET check_at = NULL WHERE id = $1", payment_id)


async def id_of_charge(
    connection: Connection | Pool, gateway: str, external_id: str
) -> PaymentId | None:
    """The payment that a vendor's charge belongs to."""
    return cast(
        "PaymentId | None",
        await connection.fetchval(
            "SELECT id FROM payments WHERE gateway = $1 AND external_id = $2", gateway, external_id
        ),
    )


async def set_opened(
    connection: Connection | Pool,
    payment_id: PaymentId,
    *,
    url: str,
    external_id: str | None,
    vendor_at: datetime | None,
    check_at: datetime | None,
) -> None:
    """Keep where to pay. A charge that came first is left as it is."""
    await connection.execute(
        """
        UPDATE payments SET url = $2, check_at = CASE WHEN paid_at IS NULL THEN $5::timestamptz END,
            external_id = coalesce(external_id, $3), vendor_at = coalesce(vendor_at, $4),
            state = CASE
                WHEN state = 'created' AND coalesce(external_id, $3) IS NOT NULL THEN 'pending'
                ELSE state
            END
        WHERE id = $1 AND state <> 'canceled'
        """,
        payment_id,
        url,
        external_id,
        vendor_at,
        check_at,
    )


async def set_pending(
    connection: Connection, payment_id: PaymentId, *, external_id: str, vendor_at: datetime
) -> None:
    """A charge of the vendor's is ours, and not paid yet."""
    await connection.execute(
        """
        UPDATE payments SET state = 'pending', external_id = $2, vendor_at = $3
        WHERE id = $1 AND state IN ('created', 'pending')
        """,
        payment_id,
        external_id,
        vendor_at,
    )


async def set_canceled(
    connection: Connection, payment_id: PaymentId, *, external_id: str | None, reason: str
) -> None:
    """The vendor says that this charge will not come."""
    await connection.execute(
        """
        UPDATE payments SET state = 'canceled', cancel_reason = $3, check_at = NULL,
            external_id = coalesce(external_id, $2)
        WHERE id = $1 AND state <> 'paid'
        """,
        payment_id,
        external_id,
        reason,
    )


async def set_paid(
    connection: Connection,
    payment_id: PaymentId,
    *,
    external_id: str,
    payer_id: int | None,
    paid_minor: int,
    granted: int,
    vendor_at: datetime,
    paid_at: datetime,
) -> None:
    """The charge succeeded, and this is what it brought."""
    await connection.execute(
        """
        UPDATE payments SET state = 'paid', external_id = $2, payer_id = $3, paid_minor = $4,
            granted = $5, vendor_at = $6, paid_at = $7, check_at = NULL, cancel_reason = NULL
        WHERE id = $1
        """,
        payment_id,
        external_id,
        payer_id,
        paid_minor,
        granted,
        vendor_at,
        paid_at,
    )


async def add_refunded(
    connection: Connection, payment_id: PaymentId, *, amount_minor: int, taken: int
) -> None:
    """Count a refund; negative numbers uncount one that the vendor did not make."""
    await connection.execute(
        """
        UPDATE payments SET refunded_minor = refunded_minor + $2, taken_back = taken_back + $3
        WHERE id = $1
        """,
        payment_id,
        amount_minor,
        taken,
    )


async def due(connection: Connection | Pool, *, now: datetime, limit: int) -> Sequence[Payment]:
    """Payments about which the vendor should be asked, the longest due first."""
    return _payments(
        await connection.fetch(
            f"""
            SELECT {_PAYMENT} FROM payments p WHERE p.check_at <= $1 ORDER BY p.check_at LIMIT $2
            """,  # noqa: S608
            now,
            limit,
        )
    )


async def check_again(
    connection: Connection | Pool, payment_id: PaymentId, *, check_at: datetime | None
) -> None:
    """When to ask about a payment next, unless its story has ended meanwhile."""
    await connection.execute(
        """
        UPDATE payments SET check_at = $2, checks = checks + 1
        WHERE id = $1 AND check_at IS NOT NULL
        """,
        payment_id,
        check_at,
    )


# What a shown state means for a row. Refunds are few: where they decide, the search starts at them.
_BEING_REFUNDED: Final = """EXISTS (SELECT FROM refunds r
    WHERE r.payment_id = p.id AND r.state IN ('sending', 'pending'))"""
_GIVEN_BACK: Final = f"""p.id IN (SELECT r.payment_id FROM refunds r WHERE r.state = 'done')
    AND NOT {_BEING_REFUNDED}"""  # noqa: S608 -- the parts are ours
_STATE_IS: Final = {
    PaymentState.CREATED: "p.state = 'created'",
    PaymentState.PENDING: "p.state = 'pending'",
    PaymentState.CANCELED: "p.state = 'canceled'",
    PaymentState.PAID: f"p.state = 'paid' AND p.refunded_minor = 0 AND NOT {_BEING_REFUNDED}",
    PaymentState.REFUNDING: """p.id IN (SELECT r.payment_id FROM refunds r
        WHERE r.check_at IS NOT NULL AND r.state IN ('sending', 'pending'))""",
    PaymentState.PARTIALLY_REFUNDED: f"""{_GIVEN_BACK}
        AND p.refunded_minor BETWEEN 1 AND p.paid_minor - 1""",
    PaymentState.REFUNDED: f"{_GIVEN_BACK} AND p.refunded_minor = p.paid_minor",
}


async def page(
    connection: Connection | Pool,
    *,
    gateway: str | None,
    state: PaymentState | None,
    user_id: int | None,
    charge_id: str | None,
    since: datetime | None,
    until: datetime | None,
    after: tuple[datetime, PaymentId] | None,
    limit: int,
) -> Sequence[Payment]:
    """Payments, newest first. Only what is asked for stands in the statement, so that each
    question finds the index made for it."""
    values: list[object] = [limit]
    asked = [_STATE_IS[state]] if state is not None else []
    for condition, value in (
        ("p.gateway = {}", gateway),
        ("p.user_id = {}", user_id),
        ("p.external_id = {}", charge_id),
        ("p.created_at >= {}", since),
        ("p.created_at < {}", until),
    ):
        if value is not None:
            values.append(value)
            asked.append(condition.format(f"${len(values)}"))
    if after is not None:
        values += after
        asked.append(f"(p.created_at, p.id) < (${len(values) - 1}, ${len(values)})")
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    return _payments(
        await connection.fetch(
            f"""
            SELECT {_PAYMENT} FROM payments p {where}
            ORDER BY p.created_at DESC, p.id DESC LIMIT $1
            """,  # noqa: S608
            *values,
        )
    )


async def of_user(
    connection: Connection | Pool,
    user_id: int,
    *,
    gateway: str | None,
    asset: str | None,
    limit: int,
) -> Sequence[Payment]:
    """A person's payments, newest first."""
    return _payments(
        await connection.fetch(
            f"""
            SELECT {_PAYMENT} FROM payments p
            WHERE p.user_id = $1 AND ($2::text IS NULL OR p.gateway = $2)
              AND ($3::text IS NULL OR p.asset = $3)
            ORDER BY p.created_at DESC, p.id DESC LIMIT $4
            """,  # noqa: S608
            user_id,
            gateway,
            asset,
            limit,
        )
    )


async def revenue_since(connection: Connection | Pool, since: datetime) -> Sequence[Revenue]:
    """What charges brought since then, by currency."""
    rows = await connection.fetch(
        """
        SELECT currency, count(*) AS payments, sum(paid_minor)::bigint AS paid_minor,
               sum(refunded_minor)::bigint AS refunded_minor
        FROM payments WHERE state = 'paid' AND paid_at >= $1 GROUP BY currency ORDER BY currency
        """,
        since,
    )
    return [Revenue(**dict(row)) for row in rows]
