"""People: who they are, that they were here, and whether they may come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from hamyon.kit.cache import Cache, Codec, Namespace, invalidate
from hamyon.kit.db import Connection, Pool
from hamyon.kit.texts import DEFAULT_LANGUAGE, Language, language_of
from hamyon.users.errors import ProtectedUser, UserBlocked, UserNotFound
from hamyon.users.service.audit import record_act
from hamyon.users.store import operators as operators_store
from hamyon.users.store import people as store
from hamyon.users.types import (
    Acting,
    Contact,
    FirstContact,
    Synced,
    User,
    UserPage,
    UserStatus,
    referrer_of_code,
)

SEEN_AT_MOST_EVERY: Final = timedelta(minutes=1)
STANDING_LIFE_S: Final = 60.0


def _encode(user: User) -> bytes:
    return orjson.dumps(user)


def _decode(raw: bytes) -> User:
    values = orjson.loads(raw)
    for name in ("blocked_at", "created_at", "seen_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return User(**values)


def profiles(ttl_s: float) -> Namespace[User]:
    """Profiles by id, as long as ``PROFILE_CACHE_S`` says. ``seen_at`` in them may be old."""
    return Namespace("profile", ttl_s, Codec(2, _encode, _decode))


PROFILES: Final = profiles(300.0)

BLOCKED: Final[Namespace[bool]] = Namespace("blocked", STANDING_LIFE_S)
"""Who is blocked. Kept out of Redis: a door must not open because Redis remembers old times."""


async def sync(
    connection: Connection,
    contact: Contact,
    *,
    first_contacts: Sequence[FirstContact],
    now: datetime,
) -> Synced:
    """Create or refresh a person; safe to call at once from anywhere, in a transaction.

    Of several callers who meet somebody new exactly one gets ``is_new``, and his referral code
    alone counts. The language follows what Telegram says, when we speak it, until the person
    chooses one.
    Raises UserBlocked.
    """
    known = await store.user(connection, contact.user_id)
    if known is None:
        created = await _create(connection, contact, first_contacts, now)
        if created is not None:
            return created
        # Another caller won; his transaction has committed, so that his row is visible now.
        known = await store.user(connection, contact.user_id)
        assert known is not None, "people are never deleted"
    if known.is_blocked:
        raise UserBlocked
    return Synced(await _refresh(connection, known, contact, now), False, False)


async def ensure_exists(
    connection: Connection,
    user_id: int,
    *,
    first_contacts: Sequence[FirstContact],
    now: datetime,
) -> None:
    """Create a person of whom only the id is known, unless he is here already."""
    if await store.user(connection, user_id) is None:
        await _create(connection, Contact(user_id), first_contacts, now)


async def _create(
    connection: Connection,
    contact: Contact,
    first_contacts: Sequence[FirstContact],
    now: datetime,
) -> Synced | None:
    user = await store.insert_user(
        connection,
        contact,
        language=language_of(contact.language_code) or DEFAULT_LANGUAGE,
        referrer_id=referrer_of_code(contact.referral_code),
        now=now,
    )
    if user is None:
        return None
    for hook in first_contacts:
        await hook.on_first_contact(connection, user, contact.referral_code)
    return Synced(user, is_new=True, referral_applied=user.referrer_id is not None)


async def _refresh(connection: Connection, known: User, contact: Contact, now: datetime) -> User:
    told = {
        name: getattr(contact, name) if name in contact.given else getattr(known, name)
        for name in ("username", "first_name", "last_name")
    }
    told_language = None if known.language_chosen else language_of(contact.language_code)
    language = told_language or known.language
    changed = language != known.language or any(
        value != getattr(known, name) for name, value in told.items()
    )
    if not changed and known.seen_at > now - SEEN_AT_MOST_EVERY:
        return known
    user = await store.update_user(connection, known.id, language=language, now=now, **told)
    if changed:
        await invalidate(connection, PROFILES, str(known.id))
    return user


async def profile(connection: Connection | Pool, user_id: int) -> User:
    """A person, from the database. Raises UserNotFound."""
    user = await store.user(connection, user_id)
    if user is None:
        raise UserNotFound(telegram_id=user_id)
    return user


async def cached_profile(
    pool: Pool, cache: Cache, namespace: Namespace[User], user_id: int
) -> User:
    """A person for showing, never for deciding; ``namespace`` is what ``profiles`` made at start.

    Raises UserNotFound.
    """
    return await cache.get(namespace, str(user_id), lambda: profile(pool, user_id))


async def require_active(connection: Connection | Pool, user_id: int) -> User:
    """A person for whom something may be done. Raises UserNotFound and UserBlocked."""
    user = await profile(connection, user_id)
    if user.is_blocked:
        raise UserBlocked
    return user


async def require_not_blocked(pool: Pool, cache: Cache, user_id: int) -> None:
    """Like ``require_active`` for hot reads: from memory, at most a moment behind a block.

    Raises UserNotFound and UserBlocked.
    """

    async def load() -> bool:
        return (await profile(pool, user_id)).is_blocked

    if await cache.get(BLOCKED, str(user_id), load):
        raise UserBlocked


async def choose_language(connection: Connection, user_id: int, language: Language) -> User:
    """Speak this language with a person, whatever Telegram says. Raises UserNotFound."""
    user = await store.set_language(connection, user_id, language)
    if user is None:
        raise UserNotFound(telegram_id=user_id)
    await invalidate(connection, PROFILES, str(user_id))
    return user


async def note_source(connection: Connection, user_id: int, source: str) -> None:
    """Remember the advertisement that a person came from; the first one stays."""
    await store.note_source(connection, user_id, source)


async def touch(connection: Connection | Pool, user_id: int, *, now: datetime) -> None:
    """Remember that a person was here; written at most once a minute."""
    await store.touch(connection, user_id, now=now, at_most_every=SEEN_AT_MOST_EVERY)


# --- what operators do ---------------------------------------------------------------------------


async def search(
    connection: Connection | Pool,
    *,
    query: str | None,
    status: UserStatus | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> UserPage:
    """People, newest first: by id, by referral code, or by how a name or username begins."""
    wanted = (query or "").strip()
    user_id = referrer_of_code(wanted if wanted.startswith("ref_") else f"ref_{wanted}")
    found = await store.users_page(
        connection,
        user_id=user_id,
        text_prefix=_prefix_pattern(wanted.removeprefix("@")) if wanted else None,
        status=status,
        after=after,
        limit=limit + 1,
    )
    users = found[:limit]
    more = len(found) > limit
    return UserPage(users, (users[-1].created_at, users[-1].id) if more else None)


def _prefix_pattern(text: str) -> str:
    escaped = text.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped + "%"


async def block(
    connection: Connection, user_id: int, *, reason: str, acting: Acting, now: datetime
) -> User:
    """Close a person's account, at every door and at once. A blocked one stays as he is.

    Raises UserNotFound, and ProtectedUser for oneself and for people of the same or a higher role.
    """
    user = await _lock(connection, user_id)
    role = await operators_store.role_of(connection, user_id)
    itself = acting.operator.user_id == user_id
    if itself or (role is not None and role >= acting.operator.role):
        raise ProtectedUser
    if user.is_blocked:
        return user
    return await _set_blocked(connection, user, now, reason, acting, action="user.block")


async def unblock(connection: Connection, user_id: int, *, reason: str, acting: Acting) -> User:
    """Open a person's account again; an open one stays as it is. Raises UserNotFound."""
    user = await _lock(connection, user_id)
    if not user.is_blocked:
        return user
    return await _set_blocked(connection, user, None, reason, acting, action="user.unblock")


async def _lock(connection: Connection, user_id: int) -> User:
    user = await store.lock_user(connection, user_id)
    if user is None:
        raise UserNotFound(telegram_id=user_id)
    return user


async def _set_blocked(
    connection: Connection,
    user: User,
    at: datetime | None,
    reason: str,
    acting: Acting,
    *,
    action: str,
) -> User:
    after = await store.set_blocked(
        connection, user.id, at=at, reason=reason if at is not None else None
    )
    await record_act(
        connection,
        acting.act(
            action,
            f"user:{user.id}",
            before=_blocked_facts(user),
            after=_blocked_facts(after),
            reason=reason,
        ),
    )
    await invalidate(connection, PROFILES, str(user.id))
    await invalidate(connection, BLOCKED, str(user.id))
    return after


def _blocked_facts(user: User) -> dict[str, object]:
    return {"blocked": user.is_blocked, "blocked_reason": user.blocked_reason}
