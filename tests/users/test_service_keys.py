"""Keys of services: only a hash is kept, two hold while one rotates, a revoked one ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from hamyon.kit.cache import Cache
from hamyon.kit.db import in_transaction
from hamyon.kit.errors import Unauthenticated
from hamyon.kit.settings import Settings
from hamyon.kit.web.permission import Scope
from hamyon.users.errors import RotationUnderWay, ServiceKeyNameTaken, ServiceKeyNotFound
from hamyon.users.service import audit, service_keys
from hamyon.users.service.authentication import DatabaseAuthenticator
from hamyon.users.types import NewServiceKey, ServiceKeyId
from tests.users.conftest import ADMIN_API_KEY, API_KEY, OWNER, Deps, authenticator_of


async def _create(
    deps: Deps, name: str = "bot", scopes: Sequence[Scope] = ("users", "orders"), days: int = 10
) -> NewServiceKey:
    return await in_transaction(
        deps.pool,
        lambda connection: service_keys.create_key(
            connection,
            name,
            scopes,
            life=timedelta(days=days),
            acting=OWNER,
            now=deps.clock.now(),
        ),
    )


async def _rotate(deps: Deps, key_id: ServiceKeyId, *, hours: float = 24) -> NewServiceKey:
    return await in_transaction(
        deps.pool,
        lambda connection: service_keys.rotate_key(
            connection, key_id, overlap=timedelta(hours=hours), acting=OWNER, now=deps.clock.now()
        ),
    )


async def _revoke(deps: Deps, key_id: ServiceKeyId) -> None:
    await in_transaction(
        deps.pool,
        lambda connection: service_keys.revoke_key(
            connection, key_id, acting=OWNER, now=deps.clock.now()
        ),
    )


async def _holds(door: DatabaseAuthenticator, secret: str) -> bool:
    try:
        await door.authenticate_key(secret)
    except Unauthenticated:
        return False
    return True


async def _ends_soon(door: DatabaseAuthenticator, secret: str) -> None:
    async with asyncio.timeout(10):
        while await _holds(door, secret):
            await asyncio.sleep(0.005)


async def test_a_key_opens_what_its_scopes_say(deps: Deps) -> None:
    made = await _create(deps)

    caller = await authenticator_of(deps).authenticate_key(made.secret)

    assert made.secret.startswith("hk_")
    assert (caller.name, caller.key_id) == ("bot", str(made.key.id))
    assert caller.scopes == {"users", "orders"}


async def test_the_secret_is_neither_kept_nor_printed(deps: Deps) -> None:
    made = await _create(deps)
    everything = str(await deps.pool.fetch("SELECT * FROM service_keys"))
    everything += str(await deps.pool.fetch("SELECT * FROM audit_log"))
    assert "bot" in everything
    assert made.secret[3:] not in everything + repr(made)
    listed = await service_keys.service_keys(deps.pool)
    assert [key.id for key in listed] == [made.key.id]


async def test_what_is_no_key_opens_nothing(deps: Deps) -> None:
    door, secret = authenticator_of(deps), (await _create(deps)).secret
    hashed = service_keys.secret_hash(secret).hex()
    for given in ("", "hk_" + "A" * 43, secret[:-1], secret + "A", secret * 100, hashed, "\xff"):
        assert not await _holds(door, given)
    assert await _holds(door, secret)


async def test_a_key_expires_while_it_is_remembered(deps: Deps) -> None:
    door, made = authenticator_of(deps), await _create(deps, days=1)
    assert await _holds(door, made.secret)
    deps.clock.advance(hours=23)
    assert await _holds(door, made.secret)
    deps.clock.advance(hours=1)
    assert not await _holds(door, made.secret)


async def test_a_revoked_key_ends_in_every_process(deps: Deps, other_cache: Cache) -> None:
    here, elsewhere = authenticator_of(deps), authenticator_of(replace(deps, cache=other_cache))
    made, kept = await _create(deps), await _create(deps, "kept")
    for door in (here, elsewhere):
        assert await _holds(door, made.secret)

    await _revoke(deps, made.key.id)

    for door in (here, elsewhere):
        await _ends_soon(door, made.secret)
        assert await _holds(door, kept.secret)
    with pytest.raises(ServiceKeyNotFound):
        await _revoke(deps, made.key.id)
    with pytest.raises(ServiceKeyNotFound):
        await _rotate(deps, made.key.id)
    assert await _holds(here, (await _create(deps)).secret)


async def test_two_keys_hold_while_one_rotates(deps: Deps, other_cache: Cache) -> None:
    door = authenticator_of(replace(deps, cache=other_cache))
    old = await _create(deps, days=10)
    assert await _holds(door, old.secret)

    new = await _rotate(deps, old.key.id)

    assert (new.key.name, new.key.scopes) == (old.key.name, old.key.scopes)
    assert new.key.expires_at is not None
    assert new.key.expires_at - new.key.created_at == timedelta(days=10)
    deps.clock.advance(hours=23)
    assert await _holds(door, old.secret)
    assert await _holds(door, new.secret)
    with pytest.raises(RotationUnderWay):
        await _rotate(deps, new.key.id)
    deps.clock.advance(hours=2)
    await _ends_soon(door, old.secret)
    assert await _holds(door, new.secret)
    third = await _rotate(deps, new.key.id)
    assert await _holds(door, third.secret)


async def test_a_leaked_key_is_rotated_without_overlap(deps: Deps) -> None:
    door, old = authenticator_of(deps), await _create(deps)
    first = await _rotate(deps, old.key.id)
    second = await _rotate(deps, first.key.id, hours=0)
    await _ends_soon(door, first.secret)
    assert await _holds(door, second.secret)


async def test_rotating_never_lengthens_the_old_key(deps: Deps) -> None:
    old = await _create(deps, days=1)
    deps.clock.advance(hours=20)
    await _rotate(deps, old.key.id)
    deps.clock.advance(hours=5)
    assert not await _holds(authenticator_of(deps), old.secret)


async def test_a_name_belongs_to_one_key_however_many_ask(deps: Deps) -> None:
    async def create() -> NewServiceKey | None:
        try:
            return await _create(deps)
        except ServiceKeyNameTaken:
            return None

    made = [key for key in await asyncio.gather(*(create() for _ in range(8))) if key]
    assert len(made) == 1

    async def rotate() -> NewServiceKey | None:
        try:
            return await _rotate(deps, made[0].key.id)
        except RotationUnderWay:
            return None

    rotated = [key for key in await asyncio.gather(*(rotate() for _ in range(8))) if key]
    assert len(rotated) == 1


async def test_every_act_on_a_key_is_written_down(deps: Deps) -> None:
    made = await _create(deps)
    new = await _rotate(deps, made.key.id)
    await _revoke(deps, new.key.id)
    acts, _ = await audit.acts(deps.pool, limit=10)
    assert [(one.act.action, one.act.subject) for one in acts] == [
        ("service_key.revoke", f"service_key:{new.key.id}"),
        ("service_key.rotate", f"service_key:{new.key.id}"),
        ("service_key.create", f"service_key:{made.key.id}"),
    ]


async def test_the_environment_brings_two_keys(deps: Deps) -> None:
    door = authenticator_of(deps)
    service = await door.authenticate_key(API_KEY)
    admin = await door.authenticate_key(ADMIN_API_KEY)
    assert service.scopes == {"users", "media", "orders", "payments", "rewards", "traffic"}
    assert admin.scopes == service.scopes | {"metrics", "admin"}
    assert not await _holds(door, API_KEY + "x")


def test_an_unset_or_empty_setting_is_no_key() -> None:
    assert service_keys.environment_keys(Settings(_env_file=None)) == ()
    empty = Settings(_env_file=None, api_key=SecretStr(""))
    assert service_keys.environment_keys(empty) == ()
