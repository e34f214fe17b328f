"""HTTP: first contact, and people as operators find, block and unblock them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.web.models import AnswerModel, StrictModel, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import SUPPORT, ServiceOrUser, acting_for, allow
from hamyon.kit.web.routing import Router, ServiceOrUserCaller
from hamyon.users import errors
from hamyon.users.routes.request import (
    TEXT,
    ActingOperator,
    Deps,
    PersonId,
    PersonName,
    Reason,
)
from hamyon.users.service import people
from hamyon.users.types import Contact, Synced, User, UserStatus

people_router = Router("/api/v1/users", tags=["users"])
operators_router = Router("/api/v1/admin/users", tags=["operators"])


class PersonAnswer(AnswerModel):
    telegram_id: TelegramId
    username: str | None
    first_name: str | None
    last_name: str | None
    language: str
    referral_code: str
    created_at: datetime


def person_answer(user: User) -> PersonAnswer:
    """A person as he sees himself."""
    return PersonAnswer(
        telegram_id=user.id,
        username=user.username,
        first_name=user.first_name,
        last_name=user.last_name,
        language=user.language,
        referral_code=user.referral_code,
        created_at=user.created_at,
    )


class SyncRequest(StrictModel):
    """What is known about a person. A field that is left out stays as it is; null erases it."""

    telegram_id: TelegramId
    username: PersonName | None = Field(None, examples=["dilnoza"])
    first_name: PersonName | None = Field(None, examples=["Dilnoza"])
    last_name: PersonName | None = None
    language_code: str | None = Field(None, max_length=35, pattern=TEXT, examples=["uz"])
    referral_code: str | None = Field(
        None, max_length=200, pattern=TEXT, description="Counts only for somebody new."
    )

    def contact(self) -> Contact:
        """As the service takes it."""
        return Contact(
            user_id=self.telegram_id,
            username=self.username,
            first_name=self.first_name,
            last_name=self.last_name,
            language_code=self.language_code,
            referral_code=self.referral_code,
            given=frozenset(self.model_fields_set),
        )


class SyncAnswer(AnswerModel):
    telegram_id: TelegramId
    referral_code: str = Field(examples=["ref_777"])
    referral_applied: bool
    referrer_telegram_id: int | None
    bonus_percent: int
    language: str
    is_new: bool
    created_at: datetime

    @classmethod
    def of(cls, synced: Synced, bonus_percent: int) -> Self:
        """Field by field as the contract names them."""
        user = synced.user
        return cls(
            telegram_id=user.id,
            referral_code=user.referral_code,
            referral_applied=synced.referral_applied,
            referrer_telegram_id=user.referrer_id,
            bonus_percent=bonus_percent,
            language=user.language,
            is_new=synced.is_new,
            created_at=user.created_at,
        )


@people_router.post("/sync", summary="Create or refresh a person")
@allow(ServiceOrUser("users"), raises=(errors.UserBlocked,))
async def sync_user(body: SyncRequest, caller: ServiceOrUserCaller, needs: Deps) -> SyncAnswer:
    acting_for(caller, body.telegram_id)
    synced = await in_transaction(
        needs.pool,
        lambda connection: people.sync(
            connection,
            body.contact(),
            first_contacts=needs.sign_in.first_contacts,
            now=needs.clock.now(),
        ),
    )
    return SyncAnswer.of(synced, needs.settings.referral_bonus_percent)


# --- what operators do ---------------------------------------------------------------------------


class OperatorsPerson(PersonAnswer):
    referrer_telegram_id: int | None
    status: UserStatus
    blocked_at: datetime | None
    blocked_reason: str | None
    seen_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(
            **person_answer(user).model_dump(),
            referrer_telegram_id=user.referrer_id,
            status="blocked" if user.is_blocked else "active",
            blocked_at=user.blocked_at,
            blocked_reason=user.blocked_reason,
            seen_at=user.seen_at,
        )


class ReasonRequest(StrictModel):
    reason: Reason


@operators_router.get("", summary="Find people")
@allow(SUPPORT)
async def list_users(
    needs: Deps,
    query: Annotated[
        str | None,
        Query(max_length=200, pattern=TEXT, description="Id, username, name or referral code."),
    ] = None,
    status: UserStatus | None = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[OperatorsPerson]:
    after = decode_cursor(cursor, datetime, int) if cursor else None
    page = await people.search(needs.pool, query=query, status=status, after=after, limit=limit)
    return Page(
        items=[OperatorsPerson.of(user) for user in page.users],
        next_cursor=encode_cursor(*page.next_after) if page.next_after else None,
    )


@operators_router.post("/{telegram_id}/block", summary="Block a person at every door")
@allow(SUPPORT, raises=(errors.UserNotFound, errors.ProtectedUser))
async def block_user(
    telegram_id: PersonId, body: ReasonRequest, acting: ActingOperator, needs: Deps
) -> OperatorsPerson:
    user = await in_transaction(
        needs.pool,
        lambda connection: people.block(
            connection, telegram_id, reason=body.reason, acting=acting, now=needs.clock.now()
        ),
    )
    needs.cache.drop(people.BLOCKED, str(telegram_id))
    return OperatorsPerson.of(user)


@operators_router.post("/{telegram_id}/unblock", summary="Let a person in again")
@allow(SUPPORT, raises=(errors.UserNotFound,))
async def unblock_user(
    telegram_id: PersonId, body: ReasonRequest, acting: ActingOperator, needs: Deps
) -> OperatorsPerson:
    user = await in_transaction(
        needs.pool,
        lambda connection: people.unblock(
            connection, telegram_id, reason=body.reason, acting=acting
        ),
    )
    needs.cache.drop(people.BLOCKED, str(telegram_id))
    return OperatorsPerson.of(user)
