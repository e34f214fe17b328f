"""Statements about looking through a vendor's books: the run, and what it has staged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, cast

from hamyon.kit.db import Connection, Pool, Record
from hamyon.payments.types import (
    Charge,
    ChargeState,
    Fact,
    PaymentId,
    RefundId,
    RefundMade,
    RefundState,
    Run,
    RunId,
)

_RUN: Final = """id, gateway, since, until, state, heal, cursor, listed, compared, differences,
    healed, error, started_by, created_at, ended_at"""

WHOLE_S_MAX: Final = 600.0
"""Seconds for a statement over all that was staged: of a million items it takes half a minute."""


class Found(NamedTuple):
    """What one look came to: ``differences`` that nobody has resolved, ``healed`` among them."""

    differences: int
    healed: int


def _run(row: Record | None) -> Run | None:
    return Run(**row) if row is not None else None


# --- the run --------------------------------------------------------------------------------------


async def insert(connection: Connection, run: Run) -> None:
    """Keep a run that is yet to list anything."""
    await connection.execute(
        """
        INSERT INTO reconcile_runs (id, gateway, since, until, heal, started_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        run.id,
        run.gateway,
        run.since,
        run.until,
        run.heal,
        run.started_by,
        run.created_at,
    )


async def run(connection: Connection | Pool, run_id: RunId) -> Run | None:
    """How a run stands."""
    return _run(
        await connection.fetchrow(f"SELECT {_RUN} FROM reconcile_runs WHERE id = $1", run_id)  # noqa: S608 -- the columns are ours
    )


async def unfinished(connection: Connection | Pool, gateway: str) -> Sequence[RunId]:
    """Runs through a gateway's books that have not ended."""
    rows = await connection.fetch(
        """
        SELECT id FROM reconcile_runs WHERE gateway = $1 AND state NOT IN ('done', 'failed')
        ORDER BY created_at
        """,
        gateway,
    )
    return [RunId(row["id"]) for row in rows]


async def lock(connection: Connection, run_id: RunId) -> Run | None:
    """A run that nobody else brings further until this transaction ends."""
    return _run(
        await connection.fetchrow(
            f"SELECT {_RUN} FROM reconcile_runs WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
            run_id,
        )
    )


async def need_no_flush(connection: Connection) -> None:
    """Let this transaction's commit not wait for the disk: a page that a power cut takes with it,
    and its cursor, is read from the vendor again."""
    await connection.execute("SET LOCAL synchronous_commit = off")


async def move_cursor(connection: Connection, run: Run, cursor: str | None) -> bool:
    """Go behind the page at ``run.cursor``; None: it was the last one.

    False: somebody else has staged this page, and nothing of it is to be staged again.
    """
    moved = await connection.fetchval(
        """
        UPDATE reconcile_runs
        SET cursor = $3, state = CASE WHEN $3::text IS NULL THEN 'comparing' ELSE state END
        WHERE id = $1 AND state = 'listing' AND cursor IS NOT DISTINCT FROM $2
        RETURNING true
        """,
        run.id,
        run.cursor,
        cursor,
    )
    return moved is not None


async def set_compared(
    connection: Connection, run_id: RunId, *, compared: int, differences: int
) -> None:
    """The books were held against each other; what can be healed is next."""
    await connection.execute(
        """
        UPDATE reconcile_runs SET state = 'healing', compared = $2, differences = $3 WHERE id = $1
        """,
        run_id,
        compared,
        differences,
    )


async def add_found(connection: Connection, run_id: RunId, found: Found) -> None:
    """Count what came of one staged item."""
    await connection.execute(
        """
        UPDATE reconcile_runs SET differences = differences + $2, healed = healed + $3 WHERE id = $1
        """,
        run_id,
        found.differences,
        found.healed,
    )


async def end(
    connection: Connection, run_id: RunId, *, at: datetime, error: str | None = None
) -> bool:
    """The run is over: done, or failed with ``error``. False: it was over before."""
    ended = await connection.fetchval(
        """
        UPDATE reconcile_runs
        SET state = CASE WHEN $3::text IS NULL THEN 'done' ELSE 'failed' END,
            error = $3, ended_at = $2, cursor = NULL
        WHERE id = $1 AND state NOT IN ('done', 'failed') RETURNING true
        """,
        run_id,
        at,
        error,
    )
    return ended is not None


# --- what was staged ------------------------------------------------------------------------------


async def stage(connection: Connection, run_id: RunId, facts: Sequence[Fact]) -> None:
    """Keep a page of the vendor's books and count it. What is there already stays as it is."""
    status = await connection.execute(
        """
        INSERT INTO reconcile_items (run_id, kind, external_id, charge_id, our_id, state,
            amount_minor, currency, payer_id, vendor_at)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[],
            $7::bigint[], $8::text[], $9::bigint[], $10::timestamptz[])
        ON CONFLICT DO NOTHING
        """,
        run_id,
        [_kind(fact) for fact in facts],
        [fact.external_id for fact in facts],
        [fact.external_id if isinstance(fact, Charge) else fact.charge_id for fact in facts],
        [fact.payment_id if isinstance(fact, Charge) else fact.refund_id for fact in facts],
        [fact.state for fact in facts],
        [fact.amount_minor for fact in facts],
        [fact.currency for fact in facts],
        [fact.payer_id if isinstance(fact, Charge) else None for fact in facts],
        [fact.at for fact in facts],
    )
    await connection.execute(
        "UPDATE reconcile_runs SET listed = listed + $2 WHERE id = $1",
        run_id,
        int(status.rsplit(" ", 1)[1]),
    )


def _kind(fact: Fact) -> str:
    return "charge" if isinstance(fact, Charge) else "refund"


async def staged(connection: Connection | Pool, run_id: RunId, *, limit: int) -> Sequence[Fact]:
    """What of the run is still to be healed: charges first, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT kind, external_id, charge_id, our_id, state, amount_minor, currency, payer_id,
               vendor_at
        FROM reconcile_items WHERE run_id = $1 ORDER BY kind, vendor_at, external_id LIMIT $2
        """,
        run_id,
        limit,
    )
    return [_fact(row) for row in rows]


def _fact(row: Record) -> Fact:
    if row["kind"] == "charge":
        return Charge(
            external_id=row["external_id"],
            state=ChargeState(row["state"]),
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            at=row["vendor_at"],
            payment_id=PaymentId(row["our_id"]) if row["our_id"] else None,
            payer_id=row["payer_id"],
        )
    return RefundMade(
        external_id=row["external_id"],
        charge_id=row["charge_id"],
        state=RefundState(row["state"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        at=row["vendor_at"],
        refund_id=RefundId(row["our_id"]) if row["our_id"] else None,
    )


async def count_staged(connection: Connection | Pool, run_id: RunId) -> int:
    """How many items of the run are still here."""
    return cast(
        "int",
        await connection.fetchval("SELECT count(*) FROM reconcile_items WHERE run_id = $1", run_id),
    )


async def take(connection: Connection, run_id: RunId, fact: Fact) -> bool:
    """Take an item out, in the transaction that heals it. False: somebody else has."""
    taken = await connection.fetchval(
        """
        DELETE FROM reconcile_items WHERE run_id = $1 AND kind = $2 AND external_id = $3
        RETURNING true
        """,
        run_id,
        _kind(fact),
        fact.external_id,
    )
    return taken is not None


async def forget(connection: Connection, run_id: RunId) -> None:
    """Let go of everything that the run has staged."""
    await connection.execute(
        "DELETE FROM reconcile_items WHERE run_id = $1", run_id, timeout=WHOLE_S_MAX
    )
