"""The statements about uploads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.media.types import NewUpload, Upload


async def share_contents(connection: Connection, hashes: Sequence[str]) -> None:
    """Keep the sweep away from these contents until this transaction ends.

    Uploaders share the lock among themselves. Taken in the order of the hashes: whoever takes
    several takes them in the same order.
    """
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock_shared(hashtextextended('media:' || hash, 0))
        FROM (SELECT hash FROM unnest($1::text[]) AS hash ORDER BY hash) AS sorted
        """,
        hashes,
    )


async def try_own_content(connection: Connection, content_hash: str) -> bool:
    """Keep uploaders of this content out until ``release_content``; False when one is at it.

    A lock of the session, because what is done under it is no transaction.
    """
    taken = await connection.fetchval(
        "SELECT pg_try_advisory_lock(hashtextextended('media:' || $1, 0))", content_hash
    )
    return cast("bool", taken)


async def release_content(connection: Connection, content_hash: str) -> None:
    """Let uploaders of this content in again."""
    await connection.execute(
        "SELECT pg_advisory_unlock(hashtextextended('media:' || $1, 0))", content_hash
    )


async def upsert_upload(
    connection: Connection, new: NewUpload, *, user_id: int, now: datetime, expires_at: datetime
) -> Upload:
    """A person's row for this content: a new one, or his old one with its life renewed."""
    row = await connection.fetchrow(
        """
        INSERT INTO uploads
            (id, user_id, content_hash, mime, width, height, bytes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (user_id, content_hash) DO UPDATE
        SET expires_at = CASE WHEN uploads.expires_at IS NULL THEN NULL
                              ELSE greatest(uploads.expires_at, excluded.expires_at) END
        RETURNING id, user_id, content_hash, mime, width, height, bytes, created_at, expires_at
        """,
        new.id,
        user_id,
        new.content_hash,
        new.mime,
        new.width,
        new.height,
        new.bytes,
        now,
        expires_at,
    )
    assert row is not None
    return Upload(**dict(row.items()))


async def own_uploads(
    connection: Connection | Pool, *, user_id: int, ids: Sequence[UUID], now: datetime | None
) -> dict[UUID, Upload]:
    """Those of ``ids`` that are this person's and live; ``now`` None: by the database's clock."""
    rows = await connection.fetch(
        """
        SELECT id, user_id, content_hash, mime, width, height, bytes, created_at, expires_at
        FROM uploads
        WHERE id = ANY ($2) AND user_id = $1
          AND (expires_at IS NULL OR expires_at > coalesce($3::timestamptz, now()))
        """,
        user_id,
        ids,
        now,
    )
    return {row["id"]: Upload(**dict(row.items())) for row in rows}


async def keep_uploads(
    connection: Connection, *, user_id: int, ids: Sequence[UUID]
) -> dict[UUID, Upload]:
    """Let uploads stay for good; returns those of ``ids`` that are this person's and live."""
    rows = await connection.fetch(
        """
        UPDATE uploads SET expires_at = NULL
        WHERE id = ANY ($2) AND user_id = $1 AND (expires_at IS NULL OR expires_at > now())
        RETURNING id, user_id, content_hash, mime, width, height, bytes, created_at, expires_at
        """,
        user_id,
        list(ids),
    )
    return {row["id"]: Upload(**dict(row.items())) for row in rows}


async def expired_contents(
    connection: Connection | Pool, *, before: datetime, after: str, limit: int
) -> Sequence[tuple[str, str]]:
    """Contents of which a row expired before then, by hash behind ``after``: ``(hash, mime)``."""
    rows = await connection.fetch(
        """
        SELECT content_hash, min(mime) AS mime FROM uploads
        WHERE expires_at < $1 AND content_hash > $2
        GROUP BY content_hash ORDER BY content_hash LIMIT $3
        """,
        before,
        after,
        limit,
    )
    return [(row["content_hash"], row["mime"]) for row in rows]


async def is_needed(connection: Connection, content_hash: str, *, before: datetime) -> bool:
    """Whether any row of this content had not expired before then."""
    needed = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM uploads
                       WHERE content_hash = $1 AND (expires_at IS NULL OR expires_at >= $2))
        """,
        content_hash,
        before,
    )
    return cast("bool", needed)


async def delete_expired(connection: Connection, content_hash: str, *, before: datetime) -> int:
    """Remove the rows of this content that expired before then. Returns how many."""
    status = await connection.execute(
        "DELETE FROM uploads WHERE content_hash = $1 AND expires_at < $2", content_hash, before
    )
    return int(status.rsplit(" ", 1)[1])
