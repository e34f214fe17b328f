"""Operators: who has which role."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.kit.web.permission import Role
from hamyon.users.errors import LastOwner, RoleNotFound
from hamyon.users.service import people
from hamyon.users.service.audit import record_act
from hamyon.users.store import operators as store
from hamyon.users.types import Act, Acting, FirstContact, RoleGrant, role_name

FROM_SETTINGS = "settings:ADMIN_TELEGRAM_IDS"


async def role_of(connection: Connection | Pool, user_id: int) -> Role | None:
    """A person's role as the database says it now; it is never cached."""
    return await store.role_of(connection, user_id)


async def role_grants(connection: Connection | Pool) -> Sequence[RoleGrant]:
    """Every operator, the longest serving first."""
    return await store.role_grants(connection)


async def grant_role(
    connection: Connection,
    user_id: int,
    role: Role,
    *,
    reason: str | None,
    acting: Acting,
    now: datetime,
) -> RoleGrant:
    """Give somebody a role, in place of the one that he has.

    Raises UserNotFound, and LastOwner rather than leave nobody who can grant roles.
    """
    owners = await store.lock_owners(connection)
    await people.profile(connection, user_id)
    before = await store.role_of(connection, user_id)
    if role is not Role.OWNER:
        _keep_an_owner(owners, user_id)
    grant = await store.put_role(connection, user_id, role, granted_by=acting.actor, now=now)
    await record_act(
        connection,
        acting.act(
            "role.grant",
            f"user:{user_id}",
            before={"role": role_name(before)} if before else None,
            after={"role": role_name(role)},
            reason=reason,
        ),
    )
    return grant


async def revoke_role(
    connection: Connection, user_id: int, *, reason: str | None, acting: Acting
) -> None:
    """Take somebody's role away, from his next call on. Raises RoleNotFound and LastOwner."""
    owners = await store.lock_owners(connection)
    before = await store.role_of(connection, user_id)
    if before is None:
        raise RoleNotFound(telegram_id=user_id)
    _keep_an_owner(owners, user_id)
    await store.delete_role(connection, user_id)
    await record_act(
        connection,
        acting.act(
            "role.revoke", f"user:{user_id}", before={"role": role_name(before)}, reason=reason
        ),
    )


def _keep_an_owner(owners: Sequence[int], user_id: int) -> None:
    if list(owners) == [user_id]:
        raise LastOwner


async def ensure_owners(
    connection: Connection,
    telegram_ids: Sequence[int],
    *,
    first_contacts: Sequence[FirstContact],
    now: datetime,
) -> None:
    """Make the people of ``ADMIN_TELEGRAM_IDS`` owners, at every start; known ones stay silent.

    Who is not known yet is created, with all that first contact brings.
    """
    await store.lock_owners(connection)
    for user_id in telegram_ids:
        if await store.role_of(connection, user_id) is Role.OWNER:
            continue
        await people.ensure_exists(connection, user_id, first_contacts=first_contacts, now=now)
        await store.put_role(connection, user_id, Role.OWNER, granted_by=FROM_SETTINGS, now=now)
        await record_act(
            connection,
            Act(FROM_SETTINGS, "role.grant", f"user:{user_id}", after={"role": "owner"}),
        )
