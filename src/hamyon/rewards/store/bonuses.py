"""Statements about bonuses and what refunds took of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.rewards.types import Bonus, BonusId, BonusKind, BonusState, NewBonus, Taking

_BONUS: Final = """b.id, b.key, b.kind, b.user_id, b.from_user_id, b.payment_id, b.asset,
    b.amount, b.taken_back, b.state"""


def _bonus(row: Record) -> Bonus:
    return Bonus(
        id=BonusId(row["id"]),
        key=row["key"],
        kind=BonusKind(row["kind"]),
        user_id=row["user_id"],
        from_user_id=row["from_user_id"],
        payment_id=row["payment_id"],
        asset=row["asset"],
        amount=row["amount"],
        taken_back=row["taken_back"],
        state=row["state"],
    )


async def lock_inviter(connection: Connection, user_id: int) -> None:
    """Let nobody else count or write this inviter's bonuses until this transaction ends.

    The sums that a cap needs must be read by a later statement, which sees what others committed.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('referral', $1))", user_id
    )


async def insert_bonus(connection: Connection, bonus: NewBonus) -> Bonus | None:
    """Write a bonus; None when its key is there already."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO bonuses AS b (key, kind, user_id, from_user_id, payment_id, asset, amount,
                                  state, day, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (key) DO NOTHING RETURNING {_BONUS}
        """,  # noqa: S608 -- the columns are ours
        bonus.key,
        bonus.kind,
        bonus.user_id,
        bonus.from_user_id,
        bonus.payment_id,
        bonus.asset,
        bonus.amount,
        "granted" if bonus.due_at is None else "held",
        bonus.day,
        bonus.due_at or bonus.at,
    )
    return _bonus(row) if row is not None else None


async def bonus(connection: Connection | Pool, key: str) -> Bonus | None:
    """A bonus by its key."""
    row = await connection.fetchrow(
        f"SELECT {_BONUS} FROM bonuses b WHERE key = $1",  # noqa: S608
        key,
    )
    return _bonus(row) if row is not None else None


async def has_bonus_from(connection: Connection, from_user_id: int, kind: BonusKind) -> bool:
    """Whether somebody's act ever brought a bonus of this kind, be it nothing."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM bonuses WHERE from_user_id = $1 AND kind = $2)",
        from_user_id,
        kind,
    )
    return cast("bool", found)


async def capped_sum(connection: Connection, bonus: NewBonus) -> int:
    """What counts towards the cap of a bonus's inviter, asset and day: payments and joins.

    What a refund took still counts: nobody earns more by being refunded in between.
    """
    total = await connection.fetchval(
        """
        SELECT coalesce(sum(amount), 0) FROM bonuses
        WHERE user_id = $1 AND day = $2 AND asset = $3 AND kind IN ('referral', 'referral_join')
        """,
        bonus.user_id,
        bonus.day,
        bonus.asset,
    )
    return int(total)


async def lock_payment_bonuses(connection: Connection, payment_id: UUID) -> Sequence[Bonus]:
    """What a payment brought to anybody, locked in one order."""
    rows = await connection.fetch(
        f"""
        SELECT {_BONUS} FROM bonuses b WHERE payment_id = $1 ORDER BY id FOR NO KEY UPDATE
        """,  # noqa: S608
        payment_id,
    )
    return [_bonus(row) for row in rows]


async def lock_bonus(connection: Connection, key: str) -> Bonus | None:
    """A bonus that nobody else changes until this transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_BONUS} FROM bonuses b WHERE key = $1 FOR NO KEY UPDATE",  # noqa: S608
        key,
    )
    return _bonus(row) if row is not None else None


async def update_bonus(
    connection: Connection, bonus_id: BonusId, *, taken_back: int, state: BonusState
) -> None:
    """Write how a locked bonus stands now."""
    await connection.execute(
        "UPDATE bonuses SET taken_back = $2, state = $3 WHERE id = $1", bonus_id, taken_back, state
    )


# --- what refunds took ---------------------------------------------------------------------------


async def took(connection: Connection, refund_id: UUID) -> frozenset[BonusId]:
    """Of which bonuses a refund took something, whether or not it was undone since."""
    rows = await connection.fetch(
        "SELECT bonus_id FROM bonus_takings WHERE refund_id = $1", refund_id
    )
    return frozenset(BonusId(row["bonus_id"]) for row in rows)


async def insert_taking(
    connection: Connection, refund_id: UUID, bonus_id: BonusId, *, amount: int, posted: bool
) -> None:
    """Write down what a refund took of a locked bonus."""
    await connection.execute(
        "INSERT INTO bonus_takings (refund_id, bonus_id, amount, posted) VALUES ($1, $2, $3, $4)",
        refund_id,
        bonus_id,
        amount,
        posted,
    )


async def lock_taken_bonuses(connection: Connection, refund_id: UUID) -> None:
    """Lock every bonus of which a refund took something, in one order."""
    await connection.execute(
        """
        SELECT FROM bonuses WHERE id IN (
            SELECT bonus_id FROM bonus_takings WHERE refund_id = $1)
        ORDER BY id FOR NO KEY UPDATE
        """,
        refund_id,
    )


async def takings(connection: Connection, refund_id: UUID) -> Sequence[Taking]:
    """What a refund took and did not give back, with the bonuses as they stand."""
    rows = await connection.fetch(
        f"""
        SELECT {_BONUS}, t.amount AS taken, t.posted
        FROM bonus_takings t JOIN bonuses b ON b.id = t.bonus_id
        WHERE t.refund_id = $1 AND NOT t.undone ORDER BY b.id
        """,  # noqa: S608
        refund_id,
    )
    return [Taking(_bonus(row), row["taken"], row["posted"]) for row in rows]


async def mark_undone(connection: Connection, refund_id: UUID, bonus_id: BonusId) -> None:
    """Say that what a refund took was given back."""
    await connection.execute(
        "UPDATE bonus_takings SET undone = true WHERE refund_id = $1 AND bonus_id = $2",
        refund_id,
        bonus_id,
    )


# --- what waits for its day ----------------------------------------------------------------------


async def due_bonuses(
    connection: Connection | Pool, *, now: datetime, after: tuple[datetime, int], limit: int
) -> Sequence[tuple[datetime, BonusId]]:
    """Held bonuses whose day has come, the longest waiting first, behind ``after``.

    Those of blocked people go on waiting.
    """
    rows = await connection.fetch(
        """
        SELECT due_at, id FROM bonuses
        WHERE state = 'held' AND due_at <= $1 AND (due_at, id) > ($2, $3)
          AND user_standing(user_id) = 'active'
        ORDER BY due_at, id LIMIT $4
        """,
        now,
        *after,
        limit,
    )
    return [(row["due_at"], BonusId(row["id"])) for row in rows]


async def lock_held(connection: Connection, bonus_id: BonusId) -> Bonus | None:
    """A held bonus, locked; None when another worker has it, or it is held no more."""
    row = await connection.fetchrow(
        f"""
        SELECT {_BONUS} FROM bonuses b
        WHERE id = $1 AND state = 'held' FOR NO KEY UPDATE SKIP LOCKED
        """,  # noqa: S608
        bonus_id,
    )
    return _bonus(row) if row is not None else None
