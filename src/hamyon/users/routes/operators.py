"""HTTP: the audit log, roles and the keys of services."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self, cast
from uuid import UUID

from fastapi import Query
from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.web.models import AnswerModel, StrictModel, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import ADMIN, OWNER, Scope, allow
from hamyon.kit.web.routing import Router
from hamyon.users import errors
from hamyon.users.routes.request import TEXT, ActingOperator, Deps, PersonId, Reason
from hamyon.users.service import audit, operators, service_keys
from hamyon.users.types import (
    NewServiceKey,
    RecordedAct,
    RoleGrant,
    ServiceKey,
    ServiceKeyId,
    role_name,
    role_of_name,
)

operators_router = Router("/api/v1/admin", tags=["operators"])

Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=TEXT)]
RoleName = Literal["support", "finance", "admin", "owner"]
HOURS_MAX: Final = 30 * 24


class ActAnswer(AnswerModel):
    id: int
    at: datetime
    actor: str = Field(examples=["user:777"])
    action: str = Field(examples=["user.block"])
    subject: str = Field(examples=["user:778"])
    before: object
    after: object
    reason: str | None
    address: str | None
    request_id: str | None

    @classmethod
    def of(cls, recorded: RecordedAct) -> Self:
        own = {name: getattr(recorded.act, name) for name in recorded.act.__slots__}
        return cls(id=recorded.id, at=recorded.at, **own)


@operators_router.get("/audit_log", summary="What operators did")
@allow(ADMIN)
async def audit_log(
    needs: Deps,
    *,
    actor: Filter = None,
    action: Filter = None,
    subject: Filter = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[ActAnswer]:
    found, before_id = await audit.acts(
        needs.pool,
        actor=actor,
        action=action,
        subject=subject,
        before_id=decode_cursor(cursor, int)[0] if cursor else None,
        limit=limit,
    )
    return Page(
        items=[ActAnswer.of(recorded) for recorded in found],
        next_cursor=encode_cursor(before_id) if before_id is not None else None,
    )


# --- roles ---------------------------------------------------------------------------------------


class RoleRequest(StrictModel):
    telegram_id: TelegramId
    role: RoleName
    reason: Reason | None = None


class RoleAnswer(AnswerModel):
    telegram_id: TelegramId
    role: RoleName
    granted_by: str = Field(examples=["user:777"])
    granted_at: datetime

    @classmethod
    def of(cls, grant: RoleGrant) -> Self:
        return cls(
            telegram_id=grant.user_id,
            role=cast("RoleName", role_name(grant.role)),
            granted_by=grant.granted_by,
            granted_at=grant.granted_at,
        )


@operators_router.get("/roles", summary="Every operator")
@allow(OWNER)
async def list_roles(needs: Deps) -> Page[RoleAnswer]:
    grants = await operators.role_grants(needs.pool)
    return Page(items=[RoleAnswer.of(grant) for grant in grants])


@operators_router.post("/roles", summary="Give a person a role, in place of the one he has")
@allow(OWNER, raises=(errors.UserNotFound, errors.LastOwner))
async def grant_role(body: RoleRequest, acting: ActingOperator, needs: Deps) -> RoleAnswer:
    grant = await in_transaction(
        needs.pool,
        lambda connection: operators.grant_role(
            connection,
            body.telegram_id,
            role_of_name(body.role),
            reason=body.reason,
            acting=acting,
            now=needs.clock.now(),
        ),
    )
    return RoleAnswer.of(grant)


@operators_router.delete("/roles/{telegram_id}", status_code=204, summary="Take a role away")
@allow(OWNER, raises=(errors.RoleNotFound, errors.LastOwner))
async def revoke_role(
    telegram_id: PersonId, acting: ActingOperator, needs: Deps, reason: Filter = None
) -> None:
    await in_transaction(
        needs.pool,
        lambda connection: operators.revoke_role(
            connection, telegram_id, reason=reason, acting=acting
        ),
    )


# --- keys of services ----------------------------------------------------------------------------


class KeyRequest(StrictModel):
    name: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$",
        description="Who acts with it, as the audit log says.",
        examples=["telegram-bot"],
    )
    scopes: list[Scope] = Field(min_length=1, max_length=8, examples=[["users", "orders"]])
    expires_in_days: int = Field(service_keys.LIFE.days, ge=1, le=3650)


class RotateRequest(StrictModel):
    overlap_hours: int = Field(
        24, ge=0, le=HOURS_MAX, description="How long the old key holds; 0 ends it at once."
    )


class KeyAnswer(AnswerModel):
    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    valid: bool

    @classmethod
    def of(cls, key: ServiceKey, now: datetime) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            valid=key.is_valid(now),
        )


class NewKeyAnswer(KeyAnswer):
    secret: str = Field(description="Shown once; we keep only a hash.", examples=["hk_..."])

    @classmethod
    def of_new(cls, made: NewServiceKey, now: datetime) -> Self:
        return cls(**KeyAnswer.of(made.key, now).model_dump(), secret=made.secret)


@operators_router.get("/service_keys", summary="Every key, without secrets")
@allow(OWNER)
async def list_service_keys(needs: Deps) -> Page[KeyAnswer]:
    now = needs.clock.now()
    keys = await service_keys.service_keys(needs.pool)
    return Page(items=[KeyAnswer.of(key, now) for key in keys])


@operators_router.post("/service_keys", status_code=201, summary="Make a key")
@allow(OWNER, raises=(errors.ServiceKeyNameTaken,))
async def create_service_key(body: KeyRequest, acting: ActingOperator, needs: Deps) -> NewKeyAnswer:
    now = needs.clock.now()
    made = await in_transaction(
        needs.pool,
        lambda connection: service_keys.create_key(
            connection,
            body.name,
            body.scopes,
            life=timedelta(days=body.expires_in_days),
            acting=acting,
            now=now,
        ),
    )
    return NewKeyAnswer.of_new(made, now)


@operators_router.post(
    "/service_keys/{key_id}/rotate", status_code=201, summary="Make a key's successor"
)
@allow(OWNER, raises=(errors.ServiceKeyNotFound, errors.RotationUnderWay))
async def rotate_service_key(
    key_id: UUID, acting: ActingOperator, needs: Deps, body: RotateRequest | None = None
) -> NewKeyAnswer:
    now, overlap = needs.clock.now(), timedelta(hours=(body or RotateRequest()).overlap_hours)
    made = await in_transaction(
        needs.pool,
        lambda connection: service_keys.rotate_key(
            connection, ServiceKeyId(key_id), overlap=overlap, acting=acting, now=now
        ),
    )
    return NewKeyAnswer.of_new(made, now)


@operators_router.delete("/service_keys/{key_id}", status_code=204, summary="End a key at once")
@allow(OWNER, raises=(errors.ServiceKeyNotFound,))
async def revoke_service_key(key_id: UUID, acting: ActingOperator, needs: Deps) -> None:
    await in_transaction(
        needs.pool,
        lambda connection: service_keys.revoke_key(
            connection, ServiceKeyId(key_id), acting=acting, now=needs.clock.now()
        ),
    )
