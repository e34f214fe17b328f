"""Statements about roles and about what operators did."""

from __future__ import annotations

from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.kit.web.permission import Role
from hamyon.users.types import Act, RecordedAct, RoleGrant, role_name, role_of_name


async def role_of(connection: Connection | Pool, user_id: int) -> Role | None:
    """A person's role now."""
    role = await connection.fetchval("SELECT role FROM roles WHERE user_id = $1", user_id)
    return role_of_name(role) if role is not None else None


async def lock_owners(connection: Connection) -> list[int]:
    """The owners; nobody else adds, changes or removes a role until this transaction ends."""
    await connection.execute("LOCK TABLE roles IN SHARE ROW EXCLUSIVE MODE")
    rows = await connection.fetch("SELECT user_id FROM roles WHERE role = 'owner'")
    return [row["user_id"] for row in rows]


async def put_role(
    connection: Connection, user_id: int, role: Role, *, granted_by: str, now: datetime
) -> RoleGrant:
    """Give a person a role in place of the one that he has."""
    row = await connection.fetchrow(
        """
        INSERT INTO roles (user_id, role, granted_by, granted_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id) DO UPDATE
        SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at
        RETURNING user_id, role, granted_by, granted_at
        """,
        user_id,
        role_name(role),
        granted_by,
        now,
    )
    assert row is not None
    return RoleGrant(
        row["user_id"], role_of_name(row["role"]), row["granted_by"], row["granted_at"]
    )


async def delete_role(connection: Connection, user_id: int) -> None:
    """Take a person's role away."""
    await connection.execute("DELETE FROM roles WHERE user_id = $1", user_id)


async def role_grants(connection: Connection | Pool) -> list[RoleGrant]:
    """Every operator."""
    rows = await connection.fetch(
        "SELECT user_id, role, granted_by, granted_at FROM roles ORDER BY granted_at, user_id"
    )
    return [
        RoleGrant(row["user_id"], role_of_name(row["role"]), row["granted_by"], row["granted_at"])
        for row in rows
    ]


async def insert_act(connection: Connection, act: Act) -> None:
    """Write down what an operator did."""
    await connection.execute(
        """
        INSERT INTO audit_log (actor, action, subject, before, after, reason, address, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        act.actor,
        act.action,
        act.subject,
        act.before,
        act.after,
        act.reason,
        act.address,
        act.request_id,
    )


async def acts(
    connection: Connection | Pool,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    before_id: int | None,
    limit: int,
) -> list[RecordedAct]:
    """What operators did, newest first."""
    rows = await connection.fetch(
        """
        SELECT id, at, actor, action, subject, before, after, reason, address, request_id
        FROM audit_log
        WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
          AND ($3::text IS NULL OR subject = $3) AND ($4::bigint IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5
        """,
        actor,
        action,
        subject,
        before_id,
        limit,
    )
    return [RecordedAct(row["id"], row["at"], Act(**dict(list(row.items())[2:]))) for row in rows]
