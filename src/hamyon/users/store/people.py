"""Statements about people."""

from __future__ import annotations

from datetime import datetime, timedelta

from hamyon.kit.db import Connection, Pool, Record
from hamyon.kit.texts import Language
from hamyon.users.types import Contact, User, UserStatus

_USER = """id, username, first_name, last_name, language, referrer_id, advertising_source,
    language_chosen, blocked_at, blocked_reason, created_at, seen_at"""


def _user(row: Record | None) -> User | None:
    return User(**dict(row)) if row is not None else None


async def insert_user(
    connection: Connection,
    contact: Contact,
    *,
    language: Language,
    referrer_id: int | None,
    now: datetime,
) -> User | None:
    """Create a person, or answer None when somebody else did. An unknown referrer is left out.

    The referrer is looked up by the statement itself: whoever exists before it cannot have been
    invited by the one whom it creates, so no cycle can come about.
    """
    row = await connection.fetchrow(
        f"""
        INSERT INTO users (id, username, first_name, last_name, language, referrer_id,
                           advertising_source, created_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, (SELECT id FROM users WHERE id = $6 AND id <> $1), $7, $8, $8)
        ON CONFLICT (id) DO NOTHING RETURNING {_USER}
        """,  # noqa: S608 -- the columns are ours
        contact.user_id,
        contact.username,
        contact.first_name,
        contact.last_name,
        language,
        referrer_id,
        contact.source,
        now,
    )
    return _user(row)


async def user(connection: Connection | Pool, user_id: int) -> User | None:
    """A person by id."""
    return _user(
        await connection.fetchrow(f"SELECT {_USER} FROM users WHERE id = $1", user_id)  # noqa: S608
    )


async def update_user(
    connection: Connection,
    user_id: int,
    *,
    username: str | None,
    first_name: str | None,
    last_name: str | None,
    language: Language,
    now: datetime,
) -> User:
    """Write what is known now about a person who exists."""
    row = await connection.fetchrow(
        f"""
        UPDATE users SET username = $2, first_name = $3, last_name = $4,
                         language = CASE WHEN language_chosen THEN language ELSE $5 END,
                         seen_at = greatest(seen_at, $6)
        WHERE id = $1 RETURNING {_USER}
        """,  # noqa: S608
        user_id,
        username,
        first_name,
        last_name,
        language,
        now,
    )
    found = _user(row)
    assert found is not None
    return found


async def set_language(connection: Connection, user_id: int, language: Language) -> User | None:
    """Keep the language that a person chose; None for nobody."""
    return _user(
        await connection.fetchrow(
            f"""
            UPDATE users SET language = $2, language_chosen = true WHERE id = $1 RETURNING {_USER}
            """,  # noqa: S608
            user_id,
            language,
        )
    )


async def note_source(connection: Connection, user_id: int, source: str) -> None:
    """Remember the advertisement that a person came from; the first one stays."""
    await connection.execute(
        "UPDATE users SET advertising_source = $2 WHERE id = $1 AND advertising_source IS NULL",
        user_id,
        source,
    )


async def touch(
    connection: Connection | Pool, user_id: int, *, now: datetime, at_most_every: timedelta
) -> None:
    """Remember that a person was here, unless it was remembered a moment ago."""
    await connection.execute(
        "UPDATE users SET seen_at = $2 WHERE id = $1 AND seen_at <= $3",
        user_id,
        now,
        now - at_most_every,
    )


async def lock_user(connection: Connection, user_id: int) -> User | None:
    """A person whose row nobody else changes until this transaction ends."""
    return _user(
        await connection.fetchrow(
            f"SELECT {_USER} FROM users WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
            user_id,
        )
    )


async def set_blocked(
    connection: Connection, user_id: int, *, at: datetime | None, reason: str | None
) -> User:
    """Block (``at`` says when) or unblock (``at`` None) a person who exists."""
    row = await connection.fetchrow(
        f"UPDATE users SET blocked_at = $2, blocked_reason = $3 WHERE id = $1 RETURNING {_USER}",  # noqa: S608
        user_id,
        at,
        reason,
    )
    found = _user(row)
    assert found is not None
    return found


async def users_page(
    connection: Connection | Pool,
    *,
    user_id: int | None,
    text_prefix: str | None,
    status: UserStatus | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[User]:
    """People, newest first. With ``user_id`` or ``text_prefix`` only those who match either.

    ``text_prefix`` is a LIKE pattern in lower case.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_USER} FROM users
        WHERE (($1::bigint IS NULL AND $2::text IS NULL)
               OR id = $1
               OR lower(username) LIKE $2
               OR lower(first_name) LIKE $2
               OR lower(last_name) LIKE $2
               OR lower(first_name || ' ' || last_name) LIKE $2)
          AND ($3::text IS NULL OR (blocked_at IS NULL) = ($3 = 'active'))
          AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5))
        ORDER BY created_at DESC, id DESC LIMIT $6
        """,  # noqa: S608
        user_id,
        text_prefix,
        status,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [User(**dict(row)) for row in rows]
