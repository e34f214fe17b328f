"""Statements about the outbox of notices."""

from __future__ import annotations

from hamyon.kit.db import Connection, Pool
from hamyon.notices.types import Notice, WrittenNotice


async def insert_notice(connection: Connection, notice: Notice) -> bool:
    """Keep a notice; False when its key is here already."""
    row = await connection.fetchrow(
        """
        INSERT INTO notices (key, user_id, kind, facts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (key) DO NOTHING RETURNING true
        """,
        notice.key,
        notice.user_id,
        notice.kind,
        dict(notice.facts),
    )
    return row is not None


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
    return [
        WrittenNotice(
            row["id"],
            Notice(row["key"], row["kind"], row["facts"], row["user_id"]),
            row["created_at"],
        )
        for row in rows
    ]
