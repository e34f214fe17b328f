"""Login sessions: in through a proof of Telegram's, on with refresh tokens, out by logout.

A refresh token is good for one exchange. Whoever presents a used one ends the whole session,
because one of the two who had it is a thief and nobody can tell which. That is strict on purpose:
of two honest refreshes at once one ends the session of both. A client must therefore refresh
one at a time; who lost his session signs in again with Telegram, which costs him one tap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from hamyon.kit.cache import Namespace, invalidate
from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.ids import new_id, new_secret
from hamyon.users.errors import SessionEnded, SignInExpired, UserBlocked
from hamyon.users.service import people
from hamyon.users.service.proofs import FUTURE_S_MAX, read_init_data, read_widget
from hamyon.users.service.tokens import issue_access_token
from hamyon.users.store import access as store
from hamyon.users.types import (
    Contact,
    LoginSession,
    Origin,
    SessionId,
    SignedIn,
    SignIn,
    TelegramPerson,
    Tokens,
)

REFRESH_PREFIX: Final = "hr"
SECRET_CHARACTERS_MAX: Final = 512

SESSIONS: Final[Namespace[LoginSession]] = Namespace("session", 60.0)
"""Login sessions by id. Kept out of Redis, like everything that opens doors."""


async def sign_in_with_init_data(
    connection: Connection, init_data: str, sign_in: SignIn, *, address: str | None, now: datetime
) -> SignedIn:
    """Open a session for whom a Mini App's ``initData`` proves; ``start_param`` may invite him.

    Raises SignInUnavailable, SignInRefused, SignInExpired and UserBlocked.
    """
    person = read_init_data(init_data, sign_in, now=now)
    return await _sign_in(connection, person, sign_in, origin="miniapp", address=address, now=now)


async def sign_in_with_widget(
    connection: Connection,
    fields: Mapping[str, str],
    sign_in: SignIn,
    *,
    address: str | None,
    now: datetime,
) -> SignedIn:
    """Open a session for whom the Login Widget's fields prove, once.

    Raises SignInUnavailable, SignInRefused, SignInExpired (also for the second time) and
    UserBlocked.
    """
    person = read_widget(fields, sign_in, now=now)
    # Kept for as long as somebody's clock may still find the proof young enough.
    expires_at = person.auth_date + timedelta(seconds=sign_in.proof_ttl_s + FUTURE_S_MAX)
    if not await store.spend_proof(connection, person.proof_hash, expires_at=expires_at):
        raise SignInExpired
    return await _sign_in(connection, person, sign_in, origin="widget", address=address, now=now)


async def _sign_in(
    connection: Connection,
    person: TelegramPerson,
    sign_in: SignIn,
    *,
    origin: Origin,
    address: str | None,
    now: datetime,
) -> SignedIn:
    contact = Contact(
        person.id,
        person.username,
        person.first_name,
        person.last_name,
        person.language_code,
        person.start_param,
    )
    synced = await people.sync(connection, contact, first_contacts=sign_in.first_contacts, now=now)
    session_id = SessionId(new_id())
    await store.insert_session(connection, session_id, person.id, origin, address=address, now=now)
    return SignedIn(synced, await _new_tokens(connection, session_id, person.id, sign_in, now))


async def _new_tokens(
    connection: Connection, session_id: SessionId, user_id: int, sign_in: SignIn, now: datetime
) -> Tokens:
    refresh = new_secret(REFRESH_PREFIX)
    await store.insert_refresh_token(
        connection,
        _hash(refresh),
        session_id,
        expires_at=now + timedelta(seconds=sign_in.refresh_ttl_s),
    )
    access = issue_access_token(
        sign_in.jwt_secret, user_id, session_id, ttl_s=sign_in.access_ttl_s, now=now
    )
    return Tokens(access, refresh, sign_in.access_ttl_s)


async def refresh(pool: Pool, refresh_token: str, sign_in: SignIn, *, now: datetime) -> Tokens:
    """Exchange a refresh token. Raises SessionEnded and UserBlocked.

    It takes the pool, because ending a session must be committed although the call is refused.
    """
    if len(refresh_token) > SECRET_CHARACTERS_MAX:
        raise SessionEnded
    tokens = await in_transaction(
        pool, lambda connection: _exchange(connection, refresh_token, sign_in, now)
    )
    if tokens is None:
        raise SessionEnded
    return tokens


async def _exchange(
    connection: Connection, refresh_token: str, sign_in: SignIn, now: datetime
) -> Tokens | None:
    hashed = _hash(refresh_token)
    held = await store.lock_refresh_token(connection, hashed)
    if held is None or held.ended_at is not None:
        return None
    if held.used_at is not None:
        await _end(connection, held.session_id, reason="refresh_reused", now=now)
        return None
    if held.expires_at <= now:
        return None
    if held.blocked_at is not None:
        raise UserBlocked
    await store.use_refresh_token(connection, hashed, now=now)
    return await _new_tokens(connection, held.session_id, held.user_id, sign_in, now)


async def logout(connection: Connection, session_id: SessionId, *, now: datetime) -> None:
    """End one session with all its tokens, in every process at once."""
    await _end(connection, session_id, reason="logout", now=now)


async def logout_all(connection: Connection, user_id: int, *, now: datetime) -> Sequence[SessionId]:
    """End every session of a person; answers which ones were open."""
    ended = await store.end_sessions_of(connection, user_id, reason="logout_all", now=now)
    for session_id in ended:
        await invalidate(connection, SESSIONS, str(session_id))
    return ended


async def _end(
    connection: Connection, session_id: SessionId, *, reason: str, now: datetime
) -> None:
    await store.end_session(connection, session_id, reason=reason, now=now)
    await invalidate(connection, SESSIONS, str(session_id))


async def forget_expired(connection: Connection, *, now: datetime) -> None:
    """Delete spent proofs and refresh tokens that nobody can use any more; for a schedule."""
    await store.delete_expired_proofs(connection, now=now)
    await store.delete_expired_tokens(connection, now=now)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
