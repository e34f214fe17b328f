"""Statements about what stands behind a payment: the inbox, and the ledger's public face."""

from __future__ import annotations

from collections.abc import Sequence

from hamyon.kit.db import Connection, Pool
from hamyon.payments.types import PaymentId
from hamyon.payments.types.details import InboxEvent, LedgerEntry


async def events(
    connection: Connection | Pool, gateway: str, subject: str, *, limit: int, characters: int
) -> Sequence[InboxEvent]:
    """What was told about a charge, oldest first; of each body its first ``characters``."""
    rows = await connection.fetch(
        """
        SELECT event_key, received_at, handled_at, substr(body, 1, 4 * $4::integer) AS body
        FROM inbox WHERE source = $1 AND subject = $2 ORDER BY id LIMIT $3
        """,
        gateway,
        subject,
        limit,
        characters,
    )
    return [
        InboxEvent(
            source=gateway,
            key=row["event_key"],
            received_at=row["received_at"],
            handled_at=row["handled_at"],
            body=row["body"].decode("utf-8", "replace")[:characters],
        )
        for row in rows
    ]


async def ledger_entries(
    connection: Connection | Pool, payment_id: PaymentId, *, limit: int
) -> Sequence[LedgerEntry]:
    """What was booked for a payment, oldest first: every side of every transfer."""
    rows = await connection.fetch(
        """
        SELECT key, kind, user_id, role, asset, amount, created_at FROM transfer_totals
        WHERE reference = $1 ORDER BY created_at, key, user_id NULLS LAST, role LIMIT $2
        """,
        str(payment_id),
        limit,
    )
    return [LedgerEntry(**row) for row in rows]
