"""Statements about the outbox of notices."""

from __future__ import annotations

from collections.abc import Collection

from hamyon.kit.db import Connection, Pool, Record
from hamyon.notices.types import Notice, WrittenNotice


async def insert_notice(connection: Connection, notice: Notice) -> int | None:
    """Keep a notice. Its id, or None when its key is here already."""
    number: int | None = await connection.fetchval(
        """
        INSERT INTO notices (key, user_id, kind, facts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (key) DO NOTHING RETURNING id
        """,
        notice.key,
        notice.user_id,
        notice.kind,
        dict(notice.facts),
    )
    return number


async def notice(connection: Connection, notice_id: int) -> WrittenNotice | None:
    """A notice that was not passed on yet, locked; None when it was, or when somebody does it."""
    row = await connection.fetchrow(
        """
        SELECT id, key, user_id, kind, facts, created_at FROM notices
        WHERE id = $1 AND sent_at IS NULL FOR UPDATE SKIP LOCKED
        """,
        notice_id,
    )
    return _written(row) if row is not None else None


async def mark_sent(connection: Connection, notice_id: int) -> None:
    """A notice was passed on to whoever must learn of it."""
    await connection.execute("UPDATE notices SET sent_at = now() WHERE id = $1", notice_id)


async def read_notice(connection: Connection | Pool, notice_id: int) -> WrittenNotice | None:
    """A notice, whether it was passed on or not."""
    row = await connection.fetchrow(
        "SELECT id, key, user_id, kind, facts, created_at FROM notices WHERE id = $1", notice_id
    )
    return _written(row) if row is not None else None


async def of_kinds(
    connection: Connection | Pool, notice_ids: Collection[int], kinds: Collection[str]
) -> frozenset[int]:
    """Which of these notices are of one of the kinds."""
    rows = await connection.fetch(
        "SELECT id FROM notices WHERE id = ANY ($1::bigint[]) AND kind = ANY ($2::text[])",
        list(notice_ids),
        list(kinds),
    )
    return frozenset(row["id"] for row in rows)


async def unsent_notices(
    connection: Connection | Pool, *, after_id: int, limit: int
) -> list[WrittenNotice]:
    """What was not sent yet, in the order of writing."""
    rows = await connection.fetch(
        """
        SELECT id, key, user_id, kind, facts, created_at FROM notices
        WHERE sent_at IS NULL AND id > $1 ORDER BY id LIMIT $2
        """,
        after_id,
        limit,
    )
    return [_written(row) for row in rows]


def _written(row: Record) -> WrittenNotice:
    notice = Notice(row["key"], row["kind"], row["facts"], row["user_id"])
    return WrittenNotice(row["id"], notice, row["created_at"])
