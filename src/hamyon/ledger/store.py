"""The ledger's statements. Writing goes through the database functions, which alone may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from hamyon.kit.db import Connection, Pool, refusals
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.ledger.errors import (
    AlreadyReversed,
    AmountTooLarge,
    HoldClosed,
    HoldExceeded,
    HoldNotFound,
    InsufficientFunds,
    InvalidAmount,
    InvalidTransfer,
    TransferNotFound,
)
from hamyon.ledger.types import Balance, Finding, LedgerLine, Transfer, WalletEffect

REFUSALS: dict[str, type[HamyonError]] = {
    kind.code: kind
    for kind in (
        AlreadyReversed,
        AmountTooLarge,
        HoldClosed,
        HoldExceeded,
        HoldNotFound,
        IdempotencyMismatch,
        InsufficientFunds,
        InvalidAmount,
        InvalidTransfer,
        TransferNotFound,
    )
}
HAS_AT_LEAST = """EXISTS (SELECT FROM accounts a
    WHERE a.user_id = u.id AND a.asset = {0}::text AND a.role = 'wallet'
      AND a.posted - a.held >= {1}::bigint)"""


async def open_hold(
    connection: Connection, *, user_id: int, asset: str, amount: int, key: str
) -> int:
    """Hold ``amount``; returns what was available afterwards."""
    with refusals(REFUSALS):
        available = await connection.fetchval(
            "SELECT ledger_open_hold($1, $2, $3, $4)", user_id, asset, amount, key
        )
    return cast("int", available)


async def capture(
    connection: Connection,
    *,
    key: str,
    amount: int,
    kind: str,
    to_role: str,
    transfer_key: str,
    reference: str,
) -> bool:
    """End a hold, taking ``amount`` of it. False when it had ended so already."""
    with refusals(REFUSALS):
        ended = await connection.fetchval(
            "SELECT ledger_capture($1, $2, $3, $4, $5, $6)",
            key,
            amount,
            kind,
            to_role,
            transfer_key,
            reference,
        )
    return cast("bool", ended)


async def post(connection: Connection, transfer: Transfer, *, input_hash: bytes) -> bool:
    """Post a transfer. False when its key was posted before with the same input."""
    with refusals(REFUSALS):
        posted = await connection.fetchval(
            "SELECT ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            transfer.kind,
            transfer.key,
            input_hash,
            transfer.actor,
            transfer.reason,
            transfer.reference,
            [line.user_id for line in transfer.lines],
            [line.role for line in transfer.lines],
            [line.asset for line in transfer.lines],
            [line.amount for line in transfer.lines],
        )
    return cast("bool", posted)


async def claw_back(
    connection: Connection,
    *,
    user_id: int,
    asset: str,
    amount: int,
    kind: str,
    to_role: str,
    key: str,
    actor: str,
    reason: str | None,
    reference: str | None,
) -> int:
    """Take back; returns the part that became a debt."""
    with refusals(REFUSALS):
        debt = await connection.fetchval(
            "SELECT ledger_claw_back($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            user_id,
            asset,
            amount,
            kind,
            to_role,
            key,
            actor,
            reason,
            reference,
        )
    return cast("int", debt)


async def reverse(
    connection: Connection, *, of_key: str, key: str, kind: str, actor: str, reason: str
) -> bool:
    """Undo a transfer whole. False when this key undid it before."""
    with refusals(REFUSALS):
        reversed_now = await connection.fetchval(
            "SELECT ledger_reverse($1, $2, $3, $4, $5)", of_key, key, kind, actor, reason
        )
    return cast("bool", reversed_now)


async def balances(
    connection: Connection | Pool, *, user_id: int, role: str = "wallet"
) -> Sequence[Balance]:
    """A person's accounts of one role, an asset each."""
    rows = await connection.fetch(
        "SELECT asset, posted, held FROM accounts WHERE user_id = $1 AND role = $2 ORDER BY asset",
        user_id,
        role,
    )
    return [Balance(row["asset"], row["posted"], row["held"]) for row in rows]


async def wallet(connection: Connection | Pool, *, user_id: int, asset: str) -> Balance | None:
    """One wallet; None when it was never used."""
    row = await connection.fetchrow(
        "SELECT posted, held FROM accounts WHERE user_id = $1 AND asset = $2 AND role = 'wallet'",
        user_id,
        asset,
    )
    return Balance(asset, row["posted"], row["held"]) if row else None


async def standing_and_wallet(
    connection: Connection | Pool, *, user_id: int, asset: str
) -> tuple[str | None, Balance]:
    """How a person stands, and his wallet, empty when it was never used, in one round trip."""
    row = await connection.fetchrow(
        """
        SELECT user_standing($1) AS standing, coalesce(a.posted, 0) AS posted,
               coalesce(a.held, 0) AS held
        FROM (VALUES (1)) AS one
        LEFT JOIN accounts a ON a.user_id = $1 AND a.asset = $2 AND a.role = 'wallet'
        """,
        user_id,
        asset,
    )
    assert row is not None
    return row["standing"], Balance(asset, row["posted"], row["held"])


async def history(
    connection: Connection | Pool, *, user_id: int, asset: str, before_id: int | None, limit: int
) -> Sequence[LedgerLine]:
    """A wallet's lines, newest first, older than ``before_id``."""
    rows = await connection.fetch(
        """
        SELECT e.id, t.kind, e.amount, e.balance_after, t.reference, t.reason, t.created_at
        FROM ledger_entries e JOIN transfers t ON t.id = e.transfer_id
        WHERE e.account_id = (
                SELECT id FROM accounts WHERE user_id = $1 AND asset = $2 AND role = 'wallet')
          AND e.id < coalesce($3::bigint, 9223372036854775807)
        ORDER BY e.id DESC LIMIT $4
        """,
        user_id,
        asset,
        before_id,
        limit,
    )
    return [
        LedgerLine(
            row["id"],
            row["kind"],
            row["amount"],
            row["balance_after"],
            row["reference"],
            row["reason"],
            row["created_at"],
        )
        for row in rows
    ]


async def transferred(connection: Connection | Pool, *, reference: str, kind: str) -> int:
    """What transfers of one kind brought into wallets for ``reference``, in minor units."""
    total = await connection.fetchval(
        """
        SELECT coalesce(sum(amount), 0) FROM transfer_totals
        WHERE reference = $1 AND kind = $2 AND role = 'wallet'
        """,
        reference,
        kind,
    )
    # A sum is numeric: many large amounts together may pass 64 bits.
    return int(total)


async def moved_since(
    connection: Connection | Pool, *, since: datetime
) -> Sequence[tuple[str, str, int, int]]:
    """What wallets gained and lost by kind and asset: ``(kind, asset, gained, lost)``."""
    rows = await connection.fetch(
        """
        SELECT t.kind, a.asset,
               coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0) AS gained,
               coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0) AS lost
        FROM transfers t
        JOIN ledger_entries e ON e.transfer_id = t.id
        JOIN accounts a ON a.id = e.account_id AND a.role = 'wallet'
        WHERE t.created_at >= $1
        GROUP BY t.kind, a.asset ORDER BY t.kind, a.asset
        """,
        since,
    )
    return [(row["kind"], row["asset"], int(row["gained"]), int(row["lost"])) for row in rows]


async def recent(
    connection: Connection | Pool, *, user_id: int, limit: int
) -> Sequence[tuple[str, LedgerLine]]:
    """The newest lines of all wallets of a person, each with its asset."""
    rows = await connection.fetch(
        """
        SELECT a.asset, e.id, t.kind, e.amount, e.balance_after, t.reference, t.reason,
               t.created_at
        FROM accounts a
        CROSS JOIN LATERAL (
            SELECT id, transfer_id, amount, balance_after FROM ledger_entries
            WHERE account_id = a.id ORDER BY id DESC LIMIT $2
        ) e
        JOIN transfers t ON t.id = e.transfer_id
        WHERE a.user_id = $1 AND a.role = 'wallet'
        ORDER BY e.id DESC LIMIT $2
        """,
        user_id,
        limit,
    )
    return [(row["asset"], LedgerLine(*list(row.values())[1:])) for row in rows]


async def wallet_effect(
    connection: Connection, *, user_id: int, asset: str, key: str
) -> WalletEffect:
    """What the transfer ``key``, posted by this very transaction, did to a wallet.

    Posting locked the wallet, so what is read here is what this transaction left behind. The debt
    that the transfer paid off is a transfer of its own, named after it.
    """
    row = await connection.fetchrow(
        """
        SELECT t.id, w.posted - w.held AS available, (
            SELECT coalesce(sum(e.amount), 0)
            FROM transfers x JOIN ledger_entries e ON e.transfer_id = x.id
            WHERE x.key IN ($3, 'debt:' || $3 || ':' || w.user_id || ':' || w.asset)
              AND e.account_id = w.id
        ) AS moved
        FROM transfers t, accounts w
        WHERE t.key = $3 AND w.user_id = $1 AND w.asset = $2 AND w.role = 'wallet'
        """,
        user_id,
        asset,
        key,
    )
    assert row is not None, "the transfer was just posted to this wallet"
    return WalletEffect(row["id"], row["available"] - int(row["moved"]), row["available"])


async def audit(connection: Connection | Pool, *, since: datetime | None) -> Sequence[Finding]:
    """The ledger's broken invariants; ``since`` looks only at what changed from then on."""
    rows = await connection.fetch(AUDIT, since)
    return [Finding(row["check"], row["subject"], row["detail"]) for row in rows]


# One statement, so that all of it sees one moment. An open hold may have been made at any time, and
# a closed one is found by when it closed: both ways have an index, the time of making has none.
AUDIT = """
WITH recent AS (
    SELECT id, reverses FROM transfers WHERE $1::timestamptz IS NULL OR created_at >= $1
), touched AS (
    SELECT id, user_id, asset, role, posted, held FROM accounts
    WHERE user_id IS NOT NULL AND ($1::timestamptz IS NULL OR id IN (
        SELECT e.account_id FROM ledger_entries e JOIN recent ON recent.id = e.transfer_id
        UNION
        SELECT account_id FROM holds WHERE state = 'open'
        UNION
        SELECT account_id FROM holds WHERE state <> 'open' AND closed_at >= $1))
)
SELECT 'transfer_balances' AS check, t.id::text AS subject,
       format('%s entries, sums %s', coalesce(e.n, 0), e.sums) AS detail
FROM recent t
LEFT JOIN LATERAL (
    SELECT sum(n) AS n, array_agg(total) AS sums, bool_or(total <> 0) AS uneven
    FROM (
        SELECT count(*) AS n, sum(x.amount) AS total
        FROM ledger_entries x JOIN accounts a ON a.id = x.account_id
        WHERE x.transfer_id = t.id GROUP BY a.asset
    ) per_asset
) e ON true
WHERE coalesce(e.n, 0) < 2 OR e.uneven
UNION ALL
SELECT 'posted_is_sum_of_entries', a.id::text, format('posted %s, sum %s', a.posted, s.total)
FROM touched a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS total FROM ledger_entries WHERE account_id = a.id) s
WHERE a.posted <> s.total
UNION ALL
SELECT 'held_is_sum_of_open_holds', a.id::text, format('held %s, open %s', a.held, s.total)
FROM touched a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS total FROM holds
    WHERE account_id = a.id AND state = 'open') s
WHERE a.held <> s.total
UNION ALL
SELECT 'nothing_overdrawn', a.id::text, format('posted %s, held %s', a.posted, a.held)
FROM touched a
WHERE (a.role = 'wallet' AND a.posted - a.held < 0) OR (a.role = 'debt' AND a.posted > 0)
UNION ALL
SELECT DISTINCT 'debt_is_paid_first', w.id::text,
       format('available %s, debt %s', w.posted - w.held, d.posted)
FROM touched a
JOIN accounts w ON w.user_id = a.user_id AND w.asset = a.asset AND w.role = 'wallet'
JOIN accounts d ON d.user_id = a.user_id AND d.asset = a.asset AND d.role = 'debt'
WHERE w.posted - w.held > 0 AND d.posted < 0
UNION ALL
SELECT 'last_balance_is_posted', a.id::text,
       format('last balance %s, posted %s', l.balance_after, a.posted)
FROM touched a
CROSS JOIN LATERAL (
    SELECT balance_after FROM ledger_entries WHERE account_id = a.id
    ORDER BY id DESC LIMIT 1) l
WHERE l.balance_after IS DISTINCT FROM a.posted
UNION ALL
SELECT 'balance_follows_the_one_before', e.id::text,
       format('before %s, amount %s, after %s', p.balance_after, e.amount, e.balance_after)
FROM recent
JOIN ledger_entries e ON e.transfer_id = recent.id
JOIN accounts a ON a.id = e.account_id
LEFT JOIN LATERAL (
    SELECT x.balance_after FROM ledger_entries x
    WHERE x.account_id = e.account_id AND x.id < e.id ORDER BY x.id DESC LIMIT 1) p
    ON a.user_id IS NOT NULL
WHERE e.balance_after IS DISTINCT FROM
    CASE WHEN a.user_id IS NOT NULL THEN coalesce(p.balance_after, 0) + e.amount END
UNION ALL
SELECT 'entry_has_account', e.id::text, format('account %s', e.account_id)
FROM recent JOIN ledger_entries e ON e.transfer_id = recent.id
WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = e.account_id)
UNION ALL
SELECT 'entry_has_transfer', e.id::text, format('transfer %s', e.transfer_id)
FROM ledger_entries e
WHERE $1::timestamptz IS NULL
  AND NOT EXISTS (SELECT FROM transfers t WHERE t.id = e.transfer_id)
UNION ALL
SELECT 'reversal_mirrors', recent.id::text,
       format('user %s, %s %s: off by %s', s.user_id, s.asset, s.side, s.total)
FROM recent
CROSS JOIN LATERAL (
    SELECT a.user_id, a.asset, CASE WHEN a.user_id IS NULL THEN a.role ELSE 'person' END AS side,
           sum(e.amount) AS total
    FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
    WHERE e.transfer_id IN (recent.id, recent.reverses) GROUP BY 1, 2, 3
) s
WHERE recent.reverses IS NOT NULL AND s.total <> 0
UNION ALL
SELECT 'hold_is_whole', h.id::text,
       format('%s: captured %s of %s', h.state, h.captured, h.amount)
FROM holds h
WHERE ($1::timestamptz IS NULL OR (h.state <> 'open' AND h.closed_at >= $1))
  AND NOT CASE h.state
        WHEN 'captured' THEN h.captured BETWEEN 1 AND h.amount
        ELSE h.captured = 0 END
"""
