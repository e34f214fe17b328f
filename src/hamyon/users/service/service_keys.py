"""Keys of services: secrets of 256 random bits, of which we keep a SHA-256.

A slow hash protects guessable passwords; nobody guesses 256 bits, and a key is checked at every
call. A key's name says who acts, so at most one key of a name is valid, or two while it rotates.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from pydantic import SecretStr

from hamyon.kit.cache import Cache, Namespace, invalidate
from hamyon.kit.db import Connection, Pool
from hamyon.kit.errors import Unauthenticated
from hamyon.kit.ids import new_id, new_secret
from hamyon.kit.settings import Settings
from hamyon.kit.web.permission import Scope, Service
from hamyon.users.errors import RotationUnderWay, ServiceKeyNameTaken, ServiceKeyNotFound
from hamyon.users.service.audit import record_act
from hamyon.users.store import access as store
from hamyon.users.types import (
    SCOPES,
    Acting,
    EnvironmentKey,
    NewServiceKey,
    ServiceKey,
    ServiceKeyId,
)

PREFIX: Final = "hk"
SECRET_CHARACTERS_MAX: Final = 512
OVERLAP: Final = timedelta(hours=24)
LIFE: Final = timedelta(days=365)
RESTRICTED: Final[frozenset[Scope]] = frozenset(("admin", "metrics"))
"""Scopes that ``API_KEY`` does not have."""

KEYS: Final[Namespace[ServiceKey]] = Namespace("service_key", 60.0)
"""Keys by the hash of their secret. Kept out of Redis, like everything that opens doors."""


class _Unknown(Exception):
    """Raised through the cache, so that guesses are not stored there."""


def secret_hash(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def environment_keys(settings: Settings) -> Sequence[EnvironmentKey]:
    """``API_KEY`` with all scopes but ``admin`` and ``metrics``, ``ADMIN_API_KEY`` with all.

    Their names hold a colon, which a key with a row cannot have.
    """
    every = frozenset(SCOPES)
    found = (
        ("env:API_KEY", settings.api_key, every - RESTRICTED),
        ("env:ADMIN_API_KEY", settings.admin_api_key, every),
    )
    return tuple(
        EnvironmentKey(Service(name, name, frozenset(scopes)), secret_hash(_value(secret)))
        for name, secret, scopes in found
        if secret is not None and _value(secret)
    )


def _value(secret: SecretStr) -> str:
    return secret.get_secret_value()


async def service_of_key(
    pool: Pool,
    cache: Cache,
    secret: str,
    *,
    environment: Sequence[EnvironmentKey],
    now: datetime,
) -> Service:
    """Who presents this key. Raises Unauthenticated for an unknown, expired or revoked one."""
    if len(secret) > SECRET_CHARACTERS_MAX:
        raise Unauthenticated
    hashed = secret_hash(secret)
    # Every one is compared, so that the time tells nothing of which came close.
    fitting = [key for key in environment if hmac.compare_digest(key.secret_hash, hashed)]
    if fitting:
        return fitting[0].caller

    async def load() -> ServiceKey:
        key = await store.key_by_hash(pool, hashed)
        if key is None:
            raise _Unknown
        return key

    try:
        key = await cache.get(KEYS, hashed.hex(), load)
    except _Unknown:
        raise Unauthenticated from None
    if not key.is_valid(now):
        raise Unauthenticated
    return Service(str(key.id), key.name, frozenset(key.scopes))


async def service_keys(connection: Connection | Pool) -> Sequence[ServiceKey]:
    """Every key, newest first, without secrets."""
    return await store.keys(connection)


async def create_key(
    connection: Connection,
    name: str,
    scopes: Collection[Scope],
    *,
    life: timedelta = LIFE,
    acting: Acting,
    now: datetime,
) -> NewServiceKey:
    """Make a key; its secret is never seen again. Raises ServiceKeyNameTaken."""
    await store.lock_keys(connection)
    if await store.valid_keys_of_name(connection, name, now=now):
        raise ServiceKeyNameTaken(name=name)
    made = _new(name, frozenset(scopes), life, now)
    await _keep(connection, made, acting, action="service_key.create", reason=None)
    return made


async def rotate_key(
    connection: Connection,
    key_id: ServiceKeyId,
    *,
    overlap: timedelta = OVERLAP,
    acting: Acting,
    now: datetime,
) -> NewServiceKey:
    """Make the key's successor, equal in name, scopes and length of life.

    Both are valid until ``overlap`` has passed; with no overlap the old one ends at once.
    Raises ServiceKeyNotFound for one that is not valid, and RotationUnderWay for a third.
    """
    await store.lock_keys(connection)
    old, hashed = await _valid(connection, key_id, now)
    if overlap and len(await store.valid_keys_of_name(connection, old.name, now=now)) > 1:
        raise RotationUnderWay(name=old.name)
    ends_at = now + overlap
    if old.expires_at is None or old.expires_at > ends_at:
        await _end(connection, replace(old, expires_at=ends_at), hashed)
    life = old.expires_at - old.created_at if old.expires_at is not None else LIFE
    made = _new(old.name, old.scopes, life, now)
    await _keep(connection, made, acting, action="service_key.rotate", reason=f"succeeds {old.id}")
    return made


async def revoke_key(
    connection: Connection, key_id: ServiceKeyId, *, acting: Acting, now: datetime
) -> None:
    """End a key in every process at once. Raises ServiceKeyNotFound for one that is not valid."""
    await store.lock_keys(connection)
    key, hashed = await _valid(connection, key_id, now)
    await _end(connection, replace(key, revoked_at=now), hashed)
    await record_act(
        connection,
        acting.act("service_key.revoke", f"service_key:{key.id}", before=_facts(key)),
    )


async def _valid(
    connection: Connection, key_id: ServiceKeyId, now: datetime
) -> tuple[ServiceKey, bytes]:
    found = await store.key_and_hash(connection, key_id)
    if found is None or not found[0].is_valid(now):
        raise ServiceKeyNotFound
    return found


async def _end(connection: Connection, key: ServiceKey, hashed: bytes) -> None:
    await store.end_key(connection, key)
    await invalidate(connection, KEYS, hashed.hex())


def _new(name: str, scopes: frozenset[Scope], life: timedelta, now: datetime) -> NewServiceKey:
    key_id = ServiceKeyId(new_id())
    key = ServiceKey(key_id, name, scopes, now, now + life, None)
    return NewServiceKey(key, new_secret(PREFIX))


async def _keep(
    connection: Connection, made: NewServiceKey, acting: Acting, *, action: str, reason: str | None
) -> None:
    await store.insert_key(connection, made.key, secret_hash(made.secret))
    await record_act(
        connection,
        acting.act(action, f"service_key:{made.key.id}", after=_facts(made.key), reason=reason),
    )


def _facts(key: ServiceKey) -> dict[str, object]:
    return {"name": key.name, "scopes": sorted(key.scopes), "expires_at": key.expires_at}
