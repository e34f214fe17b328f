"""Statements about differences between vendors' books and ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool, Record
from hamyon.payments.types import (
    Decision,
    Mismatch,
    MismatchId,
    MismatchKind,
    MismatchState,
    PaymentId,
    RunId,
)

_MISMATCH: Final = """id, gateway, kind, subject, payment_id, ours, theirs, run_id, state, decision,
    note, resolved_by, resolved_at, created_at"""

REFUND_KINDS: Final = frozenset(
    {
        MismatchKind.REFUND_ONLY_OURS,
        MismatchKind.REFUND_ONLY_THEIRS,
        MismatchKind.REFUND_DIFFERS,
    }
)


def _mismatch(row: Record | None) -> Mismatch | None:
    if row is None:
        return None
    values = dict(row)
    values["kind"] = MismatchKind(values["kind"])
    return Mismatch(**values)


async def note(
    connection: Connection,
    *,
    gateway: str,
    kind: MismatchKind,
    subject: str,
    payment_id: PaymentId | None,
    ours: Mapping[str, object] | None,
    theirs: Mapping[str, object] | None,
    run_id: RunId | None,
    state: MismatchState,
) -> MismatchId | None:
    """Keep a difference once, however often it is seen. Its id for the first, else None.

    One that was healed and is there again is open again; what an operator resolved stays resolved.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO payment_mismatches AS m (gateway, kind, subject, payment_id, ours, theirs,
            run_id, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (gateway, kind, subject) DO UPDATE
            SET run_id = coalesce(excluded.run_id, m.run_id), ours = excluded.ours,
                theirs = excluded.theirs,
                state = CASE m.state WHEN 'resolved' THEN 'resolved' ELSE excluded.state END
        RETURNING id, xmax = 0 AS is_new
        """,
        gateway,
        kind,
        subject,
        payment_id,
        dict(ours) if ours is not None else None,
        dict(theirs) if theirs is not None else None,
        run_id,
        state,
    )
    assert row is not None
    return MismatchId(row["id"]) if row["is_new"] else None


async def heal(connection: Connection, *, gateway: str, kind: MismatchKind, subject: str) -> None:
    """What nobody knew where to put has found its place."""
    await connection.execute(
        """
        UPDATE payment_mismatches SET state = 'healed'
        WHERE gateway = $1 AND kind = $2 AND subject = $3 AND state = 'open'
        """,
        gateway,
        kind,
        subject,
    )


async def seen_by(
    connection: Connection, run_id: RunId, *, gateway: str, subject: str, is_refund: bool
) -> tuple[int, int]:
    """What a run has noted about one charge or one refund: open or healed, and healed of these.

    A refund can have its charge's id; the kinds tell them apart.
    """
    row = await connection.fetchrow(
        """
        SELECT count(*) AS unresolved, count(*) FILTER (WHERE state = 'healed') AS healed
        FROM payment_mismatches
        WHERE gateway = $1 AND kind = ANY ($2) AND subject = $3 AND run_id = $4
          AND state <> 'resolved'
        """,
        gateway,
        [kind for kind in MismatchKind if (kind in REFUND_KINDS) == is_refund],
        subject,
        run_id,
    )
    assert row is not None
    return row["unresolved"], row["healed"]


async def open_of_run(
    connection: Connection | Pool, run_id: RunId
) -> tuple[Mapping[MismatchKind, int], MismatchId | None]:
    """How many open differences a run saw by kind, and the youngest of them."""
    rows = await connection.fetch(
        """
        SELECT kind, count(*) AS count, max(id) AS youngest FROM payment_mismatches
        WHERE run_id = $1 AND state = 'open' GROUP BY kind ORDER BY kind
        """,
        run_id,
    )
    youngest = max((row["youngest"] for row in rows), default=None)
    return {MismatchKind(row["kind"]): row["count"] for row in rows}, youngest


async def count_by_kind(
    connection: Connection | Pool, run_ids: Sequence[RunId]
) -> Sequence[tuple[MismatchKind, int, int]]:
    """What runs saw, by kind: how many are open, how many healed."""
    rows = await connection.fetch(
        """
        SELECT kind, count(*) FILTER (WHERE state = 'open') AS open,
               count(*) FILTER (WHERE state = 'healed') AS healed
        FROM payment_mismatches WHERE run_id = ANY ($1) AND state <> 'resolved'
        GROUP BY kind ORDER BY kind
        """,
        list(run_ids),
    )
    return [(MismatchKind(row["kind"]), row["open"], row["healed"]) for row in rows]


async def mismatch(connection: Connection | Pool, mismatch_id: MismatchId) -> Mismatch | None:
    """A difference by its id."""
    return _mismatch(
        await connection.fetchrow(
            f"SELECT {_MISMATCH} FROM payment_mismatches WHERE id = $1",  # noqa: S608 -- the columns are ours
            mismatch_id,
        )
    )


async def of_payment(
    connection: Connection | Pool, payment_id: PaymentId, *, limit: int
) -> Sequence[Mismatch]:
    """Differences about a payment, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_MISMATCH} FROM payment_mismatches WHERE payment_id = $1 ORDER BY id DESC LIMIT $2
        """,  # noqa: S608
        payment_id,
        limit,
    )
    return [found for row in rows if (found := _mismatch(row)) is not None]


async def lock(connection: Connection, mismatch_id: MismatchId) -> Mismatch | None:
    """A difference that nobody else resolves until this transaction ends."""
    return _mismatch(
        await connection.fetchrow(
            f"SELECT {_MISMATCH} FROM payment_mismatches WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608 -- the columns are ours
            mismatch_id,
        )
    )


async def resolve(
    connection: Connection,
    mismatch_id: MismatchId,
    *,
    decision: Decision,
    note: str,
    by: str,
    at: datetime,
) -> Mismatch:
    """Write down what an operator decided."""
    found = _mismatch(
        await connection.fetchrow(
            f"""
            UPDATE payment_mismatches
            SET state = 'resolved', decision = $2, note = $3, resolved_by = $4, resolved_at = $5
            WHERE id = $1 RETURNING {_MISMATCH}
            """,  # noqa: S608
            mismatch_id,
            decision,
            note,
            by,
            at,
        )
    )
    assert found is not None
    return found


async def page(
    connection: Connection | Pool,
    *,
    state: MismatchState | None,
    gateway: str | None,
    run_id: RunId | None,
    before_id: int | None,
    limit: int,
) -> Sequence[Mismatch]:
    """Differences, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_MISMATCH} FROM payment_mismatches
        WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR gateway = $2)
          AND ($3::uuid IS NULL OR run_id = $3) AND ($4::bigint IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5
        """,  # noqa: S608
        state,
        gateway,
        run_id,
        before_id,
        limit,
    )
    return [found for row in rows if (found := _mismatch(row)) is not None]
