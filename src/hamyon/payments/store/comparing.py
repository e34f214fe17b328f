"""Statements that hold what a run has staged of a vendor's books against ours, all at once."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast

from hamyon.kit.db import Connection
from hamyon.payments.store.reconcile import WHOLE_S_MAX
from hamyon.payments.types import Run


async def learn_times(connection: Connection, run: Run) -> None:
    """Take over the vendor's times: who reports a charge to us may not know when it was paid."""
    await connection.execute(
        """
        UPDATE payments p SET vendor_at = i.vendor_at FROM reconcile_items i
        WHERE i.run_id = $1 AND i.kind = 'charge' AND p.gateway = $2
          AND p.external_id = i.external_id AND p.state = 'paid' AND p.vendor_at <> i.vendor_at
        """,
        run.id,
        run.gateway,
        timeout=WHOLE_S_MAX,
    )
    await connection.execute(
        """
        UPDATE refunds r SET vendor_at = i.vendor_at FROM reconcile_items i
        WHERE i.run_id = $1 AND i.kind = 'refund' AND r.gateway = $2
          AND r.external_id = i.external_id AND r.state = 'done' AND r.vendor_at <> i.vendor_at
        """,
        run.id,
        run.gateway,
        timeout=WHOLE_S_MAX,
    )


async def count_pairs(connection: Connection, run: Run) -> int:
    """How many charges and refunds stand in both books."""
    return cast(
        "int",
        await connection.fetchval(
            """
            SELECT
                (SELECT count(*) FROM reconcile_items i
                 JOIN payments p ON p.gateway = $2 AND p.external_id = i.external_id
                 WHERE i.run_id = $1 AND i.kind = 'charge' AND p.state = 'paid')
              + (SELECT count(*) FROM reconcile_items i
                 JOIN refunds r ON r.gateway = $2 AND r.external_id = i.external_id
                 WHERE i.run_id = $1 AND i.kind = 'refund' AND r.state = 'done')
            """,
            run.id,
            run.gateway,
            timeout=WHOLE_S_MAX,
        ),
    )


# The two sides of a difference, as ``service.differ`` writes them.
_OUR_CHARGE: Final = """jsonb_build_object('state', 'paid', 'amount_minor', p.paid_minor,
    'currency', p.currency, 'granted', p.granted, 'external_id', p.external_id,
    'refunded_minor', p.refunded_minor)"""
_OUR_REFUND: Final = """jsonb_build_object('refund_id', r.id, 'state', r.state,
    'amount_minor', r.amount_minor)"""
_THEIR_CHARGE: Final = """jsonb_build_object('external_id', i.external_id, 'state', i.state,
    'amount_minor', i.amount_minor, 'currency', i.currency, 'at', i.vendor_at,
    'payment_id', i.our_id, 'payer_id', i.payer_id, 'cancel_reason', NULL)"""
_THEIR_REFUND: Final = """jsonb_build_object('external_id', i.external_id, 'charge_id', i.charge_id,
    'state', i.state, 'amount_minor', i.amount_minor, 'currency', i.currency, 'at', i.vendor_at,
    'refund_id', i.our_id, 'reason', NULL)"""

# $1 run, $2 gateway.
_BOTH_PAID: Final = f"""
    SELECT CASE WHEN i.currency <> p.currency THEN 'currency_differs' ELSE 'amount_differs' END
               AS kind,
           i.external_id AS subject, p.id AS payment_id, {_OUR_CHARGE} AS ours,
           {_THEIR_CHARGE} AS theirs
    FROM reconcile_items i
    JOIN payments p ON p.gateway = $2 AND p.external_id = i.external_id AND p.state = 'paid'
    WHERE i.run_id = $1 AND i.kind = 'charge'
      AND (i.currency, i.amount_minor) <> (p.currency, p.paid_minor)
"""  # noqa: S608 -- the parts of all of these are ours
_BOTH_REFUNDED: Final = f"""
    SELECT 'refund_differs', i.external_id, p.id, {_OUR_REFUND}, {_THEIR_REFUND}
    FROM reconcile_items i
    JOIN refunds r ON r.gateway = $2 AND r.external_id = i.external_id AND r.state = 'done'
    JOIN payments p ON p.id = r.payment_id
    WHERE i.run_id = $1 AND i.kind = 'refund'
      AND (i.currency, i.amount_minor) <> (p.currency, r.amount_minor)
"""  # noqa: S608

# $3 since, $4 until, $5 settled before: what we learned of later may have become true behind the
# page on which it would stand. A vendor may list a charge under the time at which it was opened.
_ONLY_OURS: Final = f"""
    SELECT 'only_ours', p.external_id, p.id, {_OUR_CHARGE}, NULL::jsonb
    FROM payments p
    WHERE p.gateway = $2 AND p.state = 'paid' AND p.vendor_at >= $3 AND p.vendor_at < $4
      AND p.paid_at < $5
      AND NOT EXISTS (SELECT FROM reconcile_items i
          WHERE i.run_id = $1 AND i.kind = 'charge' AND i.external_id = p.external_id)
"""  # noqa: S608
_REFUND_ONLY_OURS: Final = f"""
    SELECT 'refund_only_ours', coalesce(r.external_id, r.id::text), r.payment_id, {_OUR_REFUND},
           NULL::jsonb
    FROM refunds r
    WHERE r.gateway = $2 AND r.state = 'done' AND r.vendor_at >= $3 AND r.vendor_at < $4
      AND r.ended_at < $5
      AND NOT EXISTS (SELECT FROM reconcile_items i
          WHERE i.run_id = $1 AND i.kind = 'refund' AND i.external_id = r.external_id)
"""  # noqa: S608

_NO_PAYMENT: Final = """NOT EXISTS (SELECT FROM payments p
    WHERE p.gateway = $2 AND p.external_id = i.external_id AND p.state = 'paid')"""
_NO_REFUND: Final = """NOT EXISTS (SELECT FROM refunds r
    WHERE r.gateway = $2 AND r.external_id = i.external_id AND r.state = 'done')"""
_ONLY_THEIRS: Final = f"""
    SELECT 'only_theirs', i.external_id,
           (SELECT p.id FROM payments p WHERE p.gateway = $2
              AND (p.external_id = i.external_id OR p.id = i.our_id)
            ORDER BY p.external_id = i.external_id DESC NULLS LAST LIMIT 1),
           NULL::jsonb, {_THEIR_CHARGE}
    FROM reconcile_items i WHERE i.run_id = $1 AND i.kind = 'charge' AND {_NO_PAYMENT}
"""  # noqa: S608
_REFUND_ONLY_THEIRS: Final = f"""
    SELECT 'refund_only_theirs', i.external_id,
           (SELECT p.id FROM payments p WHERE p.gateway = $2 AND p.external_id = i.charge_id),
           NULL::jsonb, {_THEIR_REFUND}
    FROM reconcile_items i WHERE i.run_id = $1 AND i.kind = 'refund' AND {_NO_REFUND}
"""  # noqa: S608

_NOTE: Final = """
    WITH noted AS (
        INSERT INTO payment_mismatches AS m
            (gateway, kind, subject, payment_id, ours, theirs, run_id, state)
        SELECT $2, kind, subject, payment_id, ours, theirs, $1, 'open' FROM ({found}) found
        ON CONFLICT (gateway, kind, subject) DO UPDATE
            SET run_id = excluded.run_id, ours = excluded.ours, theirs = excluded.theirs,
                payment_id = coalesce(excluded.payment_id, m.payment_id),
                state = CASE m.state WHEN 'resolved' THEN 'resolved' ELSE 'open' END
        RETURNING state
    )
    SELECT count(*) FROM noted WHERE state = 'open'
"""
_SURE: Final = (_BOTH_PAID, _BOTH_REFUNDED, _ONLY_OURS, _REFUND_ONLY_OURS)
_NOTE_SURE: Final = _NOTE.format(found=" UNION ALL ".join(_SURE))
_NOTE_ALL: Final = _NOTE.format(
    found=" UNION ALL ".join((*_SURE, _ONLY_THEIRS, _REFUND_ONLY_THEIRS))
)


async def note_differences(
    connection: Connection, run: Run, *, until: datetime, settled_before: datetime
) -> int:
    """Write down where the books differ. Returns how many differences nobody has resolved.

    What only the vendor has is noted by a run that only reports; one that heals tries to settle it.
    """
    return cast(
        "int",
        await connection.fetchval(
            _NOTE_SURE if run.heal else _NOTE_ALL,
            run.id,
            run.gateway,
            run.since,
            until,
            settled_before,
            timeout=WHOLE_S_MAX,
        ),
    )


async def heal_found(connection: Connection, run: Run) -> None:
    """What an earlier run did not find in the vendor's books, and this one did, differs no more."""
    await connection.execute(
        """
        UPDATE payment_mismatches m SET state = 'healed'
        WHERE m.gateway = $2 AND m.state = 'open' AND m.kind IN ('only_ours', 'refund_only_ours')
          AND EXISTS (SELECT FROM reconcile_items i
              WHERE i.run_id = $1 AND i.external_id = m.subject
                AND i.kind = CASE m.kind WHEN 'only_ours' THEN 'charge' ELSE 'refund' END)
        """,
        run.id,
        run.gateway,
        timeout=WHOLE_S_MAX,
    )


async def keep_unsettled(connection: Connection, run: Run) -> None:
    """Let go of all that is staged but what only the vendor has, and no operator has resolved."""
    await connection.execute(
        f"""
        DELETE FROM reconcile_items i WHERE i.run_id = $1 AND NOT (
            CASE i.kind WHEN 'charge' THEN {_NO_PAYMENT} ELSE {_NO_REFUND} END
            AND NOT EXISTS (SELECT FROM payment_mismatches m
                WHERE m.gateway = $2 AND m.subject = i.external_id AND m.state = 'resolved'
                  AND m.kind = CASE i.kind WHEN 'charge' THEN 'only_theirs'
                                           ELSE 'refund_only_theirs' END))
        """,  # noqa: S608
        run.id,
        run.gateway,
        timeout=WHOLE_S_MAX,
    )
