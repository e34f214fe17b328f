"""Roles: granted, revoked, never without an owner; and the log of what operators did."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Pool, in_transaction
from hamyon.kit.web.permission import Operator, Role
from hamyon.users.errors import LastOwner, RoleNotFound, UserNotFound
from hamyon.users.service import audit, operators
from hamyon.users.types import Act, Acting, Contact
from tests.users.conftest import OWNER, met


async def _grant(pool: Pool, clock: MovedClock, user_id: int, role: Role) -> None:
    await in_transaction(
        pool,
        lambda connection: operators.grant_role(
            connection, user_id, role, reason="Hired", acting=OWNER, now=clock.now()
        ),
    )


async def _revoke(pool: Pool, user_id: int) -> None:
    await in_transaction(
        pool,
        lambda connection: operators.revoke_role(connection, user_id, reason=None, acting=OWNER),
    )


async def test_a_role_counts_from_the_next_call_on(pool: Pool, clock: MovedClock) -> None:
    for user_id in (1, 2):
        await met(pool, clock, Contact(user_id))
    await _grant(pool, clock, 1, Role.OWNER)
    assert await operators.role_of(pool, 2) is None

    await _grant(pool, clock, 2, Role.SUPPORT)
    assert await operators.role_of(pool, 2) is Role.SUPPORT
    await _grant(pool, clock, 2, Role.ADMIN)
    assert await operators.role_of(pool, 2) is Role.ADMIN
    grants = await operators.role_grants(pool)
    assert [(grant.user_id, grant.role, grant.granted_by) for grant in grants] == [
        (1, Role.OWNER, "user:1"),
        (2, Role.ADMIN, "user:1"),
    ]
    await _revoke(pool, 2)
    assert await operators.role_of(pool, 2) is None

    acts, _ = await audit.acts(pool, subject="user:2", limit=10)
    assert [(one.act.action, one.act.before, one.act.after) for one in acts] == [
        ("role.revoke", {"role": "admin"}, None),
        ("role.grant", {"role": "support"}, {"role": "admin"}),
        ("role.grant", None, {"role": "support"}),
    ]


async def test_who_is_not_there_gets_no_role_and_loses_none(pool: Pool, clock: MovedClock) -> None:
    with pytest.raises(UserNotFound):
        await _grant(pool, clock, 9, Role.SUPPORT)
    with pytest.raises(RoleNotFound):
        await _revoke(pool, 9)


async def test_the_last_owner_stays_even_when_two_leave_at_once(
    pool: Pool, clock: MovedClock
) -> None:
    for user_id in (1, 2):
        await met(pool, clock, Contact(user_id))
        await _grant(pool, clock, user_id, Role.OWNER)

    async def leave(user_id: int) -> bool:
        try:
            await _revoke(pool, user_id)
        except LastOwner:
            return False
        return True

    assert sorted(await asyncio.gather(leave(1), leave(2))) == [False, True]
    left = (await operators.role_grants(pool))[0].user_id
    with pytest.raises(LastOwner):
        await _grant(pool, clock, left, Role.ADMIN)
    await _grant(pool, clock, left, Role.OWNER)
    assert await operators.role_of(pool, left) is Role.OWNER


async def test_the_people_of_the_setting_are_owners_after_every_start(
    pool: Pool, clock: MovedClock
) -> None:
    await met(pool, clock, Contact(5, "known"))
    await _grant(pool, clock, 5, Role.SUPPORT)

    async def start() -> None:
        await in_transaction(
            pool,
            lambda connection: operators.ensure_owners(
                connection, (5, 6), first_contacts=(), now=clock.now()
            ),
        )

    await asyncio.gather(*(start() for _ in range(6)))

    assert [await operators.role_of(pool, user_id) for user_id in (5, 6)] == [Role.OWNER] * 2
    acts, _ = await audit.acts(pool, actor=operators.FROM_SETTINGS, limit=10)
    assert sorted(one.act.subject for one in acts) == ["user:5", "user:6"]
    assert not (await met(pool, clock, Contact(6, "came"))).is_new


# --- the audit log -------------------------------------------------------------------------------


async def test_the_log_is_read_by_actor_and_action_page_by_page(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for number in range(7):
            act = Act(f"user:{number % 2}", "price.set", f"model:{number}", after={"n": number})
            await audit.record_act(connection, act)
        await audit.record_act(connection, Act("user:0", "other", "x", before=[1, None, "ў"]))

    subjects: list[str] = []
    before_id = None
    while True:
        page, before_id = await audit.acts(
            pool, actor="user:0", action="price.set", before_id=before_id, limit=2
        )
        subjects += [one.act.subject for one in page]
        if before_id is None:
            break
    assert subjects == ["model:6", "model:4", "model:2", "model:0"]
    newest, _ = await audit.acts(pool, limit=1)
    assert newest[0].act.before == [1, None, "ў"]
    assert newest[0].act.after is None


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
async def test_the_application_cannot_rewrite_the_log(pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


def test_a_service_that_acts_as_an_owner_is_named_after_its_key() -> None:
    assert Acting(Operator(None, "console", Role.OWNER)).actor == "key:console"
