"""Statements about the keys of services, login sessions, refresh tokens and spent proofs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hamyon.kit.db import Connection, Pool, Record
from hamyon.users.types import (
    LoginSession,
    Origin,
    ServiceKey,
    ServiceKeyId,
    SessionId,
)

_KEY = "id, name, scopes, created_at, expires_at, revoked_at"


def _key(row: Record) -> ServiceKey:
    return ServiceKey(
        row["id"],
        row["name"],
        frozenset(row["scopes"]),
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
    )


async def lock_keys(connection: Connection) -> None:
    """Nobody else makes, rotates or revokes keys until this transaction ends."""
    await connection.execute("LOCK TABLE service_keys IN SHARE ROW EXCLUSIVE MODE")


async def insert_key(connection: Connection, key: ServiceKey, secret_hash: bytes) -> None:
    """Keep a new key."""
    await connection.execute(
        """
        INSERT INTO service_keys (id, name, secret_hash, scopes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        key.id,
        key.name,
        secret_hash,
        sorted(key.scopes),
        key.created_at,
        key.expires_at,
    )


async def key_by_hash(connection: Connection | Pool, secret_hash: bytes) -> ServiceKey | None:
    """The key whose secret has this hash, valid or not."""
    row = await connection.fetchrow(
        f"SELECT {_KEY} FROM service_keys WHERE secret_hash = $1",  # noqa: S608
        secret_hash,
    )
    return _key(row) if row is not None else None


async def key_and_hash(
    connection: Connection | Pool, key_id: ServiceKeyId
) -> tuple[ServiceKey, bytes] | None:
    """A key by id with the hash of its secret."""
    row = await connection.fetchrow(
        f"SELECT {_KEY}, secret_hash FROM service_keys WHERE id = $1",  # noqa: S608
        key_id,
    )
    return (_key(row), row["secret_hash"]) if row is not None else None


async def valid_keys_of_name(
    connection: Connection, name: str, *, now: datetime
) -> list[ServiceKey]:
    """The valid keys of one name, oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_KEY} FROM service_keys
        WHERE name = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
        ORDER BY id
        """,  # noqa: S608
        name,
        now,
    )
    return [_key(row) for row in rows]


async def end_key(connection: Connection, key: ServiceKey) -> None:
    """Write when a key expires and whether it is revoked."""
    await connection.execute(
        "UPDATE service_keys SET expires_at = $2, revoked_at = $3 WHERE id = $1",
        key.id,
        key.expires_at,
        key.revoked_at,
    )


async def keys(connection: Connection | Pool) -> list[ServiceKey]:
    """Every key, newest first."""
    rows = await connection.fetch(f"SELECT {_KEY} FROM service_keys ORDER BY id DESC")  # noqa: S608
    return [_key(row) for row in rows]


# --- login sessions ------------------------------------------------------------------------------


async def insert_session(
    connection: Connection,
    session_id: SessionId,
    user_id: int,
    origin: Origin,
    *,
    address: str | None,
    now: datetime,
) -> None:
    """Keep a new login session."""
    await connection.execute(
        """
        INSERT INTO login_sessions (id, user_id, origin, address, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        session_id,
        user_id,
        origin,
        address,
        now,
    )


async def session(connection: Connection | Pool, session_id: SessionId) -> LoginSession | None:
    """A login session, open or ended."""
    row = await connection.fetchrow(
        "SELECT id, user_id, ended_at FROM login_sessions WHERE id = $1", session_id
    )
    return LoginSession(**dict(row)) if row is not None else None


async def end_session(
    connection: Connection, session_id: SessionId, *, reason: str, now: datetime
) -> None:
    """End a session that is open; an ended one keeps its first reason."""
    await connection.execute(
        """
        UPDATE login_sessions SET ended_at = $3, end_reason = $2
        WHERE id = $1 AND ended_at IS NULL
        """,
        session_id,
        reason,
        now,
    )


async def end_sessions_of(
    connection: Connection, user_id: int, *, reason: str, now: datetime
) -> list[SessionId]:
    """End every open session of a person; answers which ones."""
    rows = await connection.fetch(
        """
        UPDATE login_sessions SET ended_at = $3, end_reason = $2
        WHERE user_id = $1 AND ended_at IS NULL RETURNING id
        """,
        user_id,
        reason,
        now,
    )
    return [SessionId(row["id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token with the state of its session."""

    session_id: SessionId
    user_id: int
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None
    blocked_at: datetime | None


async def insert_refresh_token(
    connection: Connection, token_hash: bytes, session_id: SessionId, *, expires_at: datetime
) -> None:
    """Keep the hash of a new refresh token."""
    await connection.execute(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, $3)",
        token_hash,
        session_id,
        expires_at,
    )


async def lock_refresh_token(connection: Connection, token_hash: bytes) -> RefreshToken | None:
    """A refresh token as it is now; whoever else presents it waits until this transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT t.session_id, s.user_id, t.expires_at, t.used_at, s.ended_at, u.blocked_at
        FROM refresh_tokens t
        JOIN login_sessions s ON s.id = t.session_id
        JOIN users u ON u.id = s.user_id
        WHERE t.token_hash = $1
        FOR UPDATE OF t, s
        """,
        token_hash,
    )
    return RefreshToken(**dict(row)) if row is not None else None


async def use_refresh_token(connection: Connection, token_hash: bytes, *, now: datetime) -> None:
    """Say that a token was exchanged."""
    await connection.execute(
        "UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1", token_hash, now
    )


async def spend_proof(connection: Connection, proof_hash: bytes, *, expires_at: datetime) -> bool:
    """True for the one who spends a proof first; a race waits for the other's transaction."""
    row = await connection.fetchrow(
        """
        INSERT INTO spent_proofs (proof_hash, expires_at) VALUES ($1, $2)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        proof_hash,
        expires_at,
    )
    return row is not None


async def delete_expired_proofs(connection: Connection, *, now: datetime) -> None:
    """Forget spent proofs that are too old to be accepted a first time."""
    await connection.execute("DELETE FROM spent_proofs WHERE expires_at < $1", now)


async def delete_expired_tokens(connection: Connection, *, now: datetime) -> None:
    """Forget refresh tokens that nobody can use any more."""
    await connection.execute("DELETE FROM refresh_tokens WHERE expires_at < $1", now)
