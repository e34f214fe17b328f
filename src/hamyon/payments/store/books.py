"""Whether payments, refunds and the ledger tell one story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding

# Payments that something happened to since $1; all of them for null.
_TOUCHED: Final = """
    SELECT * FROM payments p
    WHERE p.state = 'paid' AND ($1::timestamptz IS NULL OR p.paid_at >= $1 OR EXISTS (
        SELECT FROM refunds r
        WHERE r.payment_id = p.id AND (r.created_at >= $1 OR r.ended_at >= $1)))
"""

_CHECKS: Final = (
    # A charge brought what its payment says, to its person, in one transfer.
    f"""
    SELECT 'payment_credited_once' AS check, p.id::text AS subject,
           format('granted %s, posted %s in %s', p.granted, posted.total, posted.n) AS detail
    FROM ({_TOUCHED}) p, LATERAL (
        SELECT coalesce(sum(t.amount), 0) AS total, count(*) AS n FROM transfer_totals t
        WHERE t.reference = p.id::text AND t.kind = 'deposit' AND t.role = 'wallet'
          AND t.user_id = p.user_id AND t.asset = p.asset
          AND t.key = p.gateway || ':' || p.external_id
    ) posted
    WHERE posted.total <> p.granted OR posted.n <> (p.granted > 0)::integer
    """,  # noqa: S608 -- the parts are ours
    # No deposit names a payment that is not there, or was never paid.
    """
    SELECT 'deposit_has_payment' AS check, t.key AS subject,
           format('%s for %s', t.amount, t.reference) AS detail
    FROM transfer_totals t
    WHERE t.kind = 'deposit' AND t.role = 'wallet'
      AND ($1::timestamptz IS NULL OR t.created_at >= $1)
      AND t.reference ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7'
      AND NOT EXISTS (
        SELECT FROM payments p
        WHERE p.id = t.reference::uuid AND p.state = 'paid'
          AND t.key = p.gateway || ':' || p.external_id)
    """,
    # The refunds of a payment add up to what it says; all of the money takes all of the credits.
    f"""
    SELECT 'refunds_add_up' AS check, p.id::text AS subject,
           format('refunded %s of %s, taken %s of %s; rows: %s, %s', p.refunded_minor, p.paid_minor,
                  p.taken_back, p.granted, made.minor, made.taken) AS detail
    FROM ({_TOUCHED}) p, LATERAL (
        SELECT coalesce(sum(r.amount_minor), 0) AS minor, coalesce(sum(r.taken), 0) AS taken
        FROM refunds r WHERE r.payment_id = p.id AND r.state <> 'failed'
    ) made
    WHERE made.minor <> p.refunded_minor OR made.taken <> p.taken_back
       OR (p.refunded_minor = p.paid_minor AND p.taken_back <> p.granted)
    """,  # noqa: S608
    # Each refund took from its person what it says, and one that failed took nothing.
    """
    SELECT 'refund_taken_once' AS check, r.id::text AS subject,
           format('%s: taken %s, posted %s', r.state, r.taken, -posted.total) AS detail
    FROM refunds r
    JOIN payments p ON p.id = r.payment_id, LATERAL (
        SELECT coalesce(sum(t.amount), 0) AS total FROM transfer_totals t
        WHERE t.key IN ('refund:' || r.gateway || ':' || r.id,
                        'refund:' || r.gateway || ':' || r.id || ':undone')
          AND t.user_id = p.user_id AND t.asset = p.asset
    ) posted
    WHERE ($1::timestamptz IS NULL OR r.created_at >= $1 OR r.ended_at >= $1)
      AND -posted.total <> CASE r.state WHEN 'failed' THEN 0 ELSE r.taken END
    """,
)


async def audit(connection: Connection | Pool, *, since: datetime | None) -> Sequence[Finding]:
    """Every broken invariant of payments and refunds."""
    return [
        Finding(row["check"], row["subject"], row["detail"])
        for check in _CHECKS
        for row in await connection.fetch(check, since)
    ]
