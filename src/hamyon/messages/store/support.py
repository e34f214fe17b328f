"""Statements about support: threads and what is written in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.messages.types.support import Thread, ThreadId, ThreadMessage, ThreadStatus

_THREAD = "id, user_id, status, created_at, updated_at, closed_at, closed_by"
_MESSAGE = "id, thread_id, author, body, upload_ids, created_at"


def _thread(row: Record | None) -> Thread | None:
    if row is None:
        return None
    values = dict(row)
    return Thread(**{**values, "status": ThreadStatus(values["status"])})


def _message(row: Record) -> ThreadMessage:
    values = dict(row)
    return ThreadMessage(**{**values, "upload_ids": tuple(values["upload_ids"])})


async def continue_thread(connection: Connection, user_id: int) -> Thread:
    """The person's thread that is not closed, open again and locked; a new one when he has none.

    The index that lets him have one makes two messages at once meet here.
    """
    found = _thread(
        await connection.fetchrow(
            f"""
            INSERT INTO support_threads (user_id) VALUES ($1)
            ON CONFLICT (user_id) WHERE status <> 'closed' DO UPDATE
            SET status = 'open', updated_at = now()
            RETURNING {_THREAD}
            """,  # noqa: S608 -- the columns are ours
            user_id,
        )
    )
    assert found is not None
    return found


async def current_thread(connection: Connection | Pool, user_id: int) -> Thread | None:
    """The person's thread that is not closed."""
    return _thread(
        await connection.fetchrow(
            f"SELECT {_THREAD} FROM support_threads WHERE user_id = $1 AND status <> 'closed'",  # noqa: S608
            user_id,
        )
    )


async def thread(connection: Connection | Pool, thread_id: ThreadId) -> Thread | None:
    """A thread by id."""
    return _thread(
        await connection.fetchrow(
            f"SELECT {_THREAD} FROM support_threads WHERE id = $1",  # noqa: S608
            thread_id,
        )
    )


async def lock_thread(connection: Connection, thread_id: ThreadId) -> Thread | None:
    """A thread that nobody else changes until this transaction ends."""
    return _thread(
        await connection.fetchrow(
            f"SELECT {_THREAD} FROM support_threads WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
            thread_id,
        )
    )


async def set_status(
    connection: Connection, thread_id: ThreadId, status: ThreadStatus, *, closed_by: str | None
) -> Thread:
    """Write how a thread stands; ``closed_by`` goes with ``closed`` and with nothing else."""
    found = _thread(
        await connection.fetchrow(
            f"""
            UPDATE support_threads
            SET status = $2, updated_at = now(), closed_by = $3,
                closed_at = CASE WHEN $2 = 'closed' THEN now() END
            WHERE id = $1 RETURNING {_THREAD}
            """,  # noqa: S608
            thread_id,
            status,
            closed_by,
        )
    )
    assert found is not None
    return found


async def insert_message(
    connection: Connection,
    thread_id: ThreadId,
    *,
    author: str,
    body: str,
    upload_ids: Sequence[UUID],
    key: str,
) -> ThreadMessage | None:
    """Keep a message; None when its key is here already."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO support_messages (thread_id, author, body, upload_ids, key)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING
        RETURNING {_MESSAGE}
        """,  # noqa: S608
        thread_id,
        author,
        body,
        list(upload_ids),
        key,
    )
    return _message(row) if row is not None else None


async def message_of_key(connection: Connection | Pool, key: str) -> ThreadMessage | None:
    """What was written under a key."""
    row = await connection.fetchrow(
        f"SELECT {_MESSAGE} FROM support_messages WHERE key = $1",  # noqa: S608
        key,
    )
    return _message(row) if row is not None else None


async def rewrite_message(
    connection: Connection, message_id: int, *, body: str, upload_ids: Sequence[UUID]
) -> ThreadMessage:
    """Write what a message says by now."""
    row = await connection.fetchrow(
        f"""
        UPDATE support_messages SET body = $2, upload_ids = $3 WHERE id = $1
        RETURNING {_MESSAGE}
        """,  # noqa: S608
        message_id,
        body,
        list(upload_ids),
    )
    assert row is not None
    return _message(row)


async def last_messages(
    connection: Connection | Pool, thread_id: ThreadId, *, limit: int
) -> list[ThreadMessage]:
    """A thread's newest messages, oldest of them first."""
    rows = await connection.fetch(
        f"""
        SELECT {_MESSAGE} FROM (
            SELECT * FROM support_messages WHERE thread_id = $1 ORDER BY id DESC LIMIT $2
        ) AS newest ORDER BY id
        """,  # noqa: S608
        thread_id,
        limit,
    )
    return [_message(row) for row in rows]


async def threads_page(
    connection: Connection | Pool,
    *,
    statuses: Sequence[ThreadStatus] | None,
    after: tuple[datetime, ThreadId] | None,
    limit: int,
) -> list[Thread]:
    """Threads, those that something happened in last first."""
    rows = await connection.fetch(
        f"""
        SELECT {_THREAD} FROM support_threads
        WHERE ($1::text[] IS NULL OR status = ANY ($1))
          AND ($2::timestamptz IS NULL OR (updated_at, id) < ($2, $3))
        ORDER BY updated_at DESC, id DESC LIMIT $4
        """,  # noqa: S608
        list(statuses) if statuses is not None else None,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [found for row in rows if (found := _thread(row)) is not None]
