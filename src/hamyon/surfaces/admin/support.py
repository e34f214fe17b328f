"""HTTP: operators read what people ask, answer, and close (contract/operators.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol, Self, cast
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.kit.ids import new_id
from hamyon.kit.storage import Storage
from hamyon.kit.web.models import INT64_MAX, AnswerModel, IdempotencyKey, StrictModel
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import SUPPORT, allow
from hamyon.kit.web.routing import Router
from hamyon.media import service as media
from hamyon.messages.errors import SupportTextTooLong, SupportThreadClosed, SupportThreadNotFound
from hamyon.messages.service import support
from hamyon.messages.types.support import (
    PERSON,
    REPLY_MAX,
    Thread,
    ThreadId,
    ThreadMessage,
    ThreadStatus,
)
from hamyon.surfaces.admin.types import Needs as AdminNeeds
from hamyon.users.routes.request import TEXT, ActingOperator, Reason

router = Router("/api/v1/admin/support", tags=["operators"])

ThreadNumber = Annotated[int, Path(ge=1, le=INT64_MAX)]


class Needs(AdminNeeds, Protocol):
    """What operators' routes about support take from wiring."""

    @property
    def storage(self) -> Storage: ...


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


Deps = Annotated[Needs, Depends(_needs)]


class ThreadAnswer(AnswerModel):
    id: int
    telegram_id: int
    status: ThreadStatus = Field(
        description="`open` waits for operators, `answered` for the person."
    )
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    closed_by: str | None

    @classmethod
    def of(cls, thread: Thread) -> Self:
        same = {name: getattr(thread, name) for name in thread.__slots__ if name != "user_id"}
        return cls(telegram_id=thread.user_id, **same)


class PhotoAnswer(AnswerModel):
    upload_id: UUID
    url: str | None = Field(description="Good for an hour; null when the picture has expired.")


class MessageAnswer(AnswerModel):
    id: int
    author: str = Field(description=f"`{PERSON}`, or the operator.", examples=["user:777"])
    text: str
    photos: list[PhotoAnswer]
    created_at: datetime


class ThreadDetails(AnswerModel):
    """The newest messages, oldest of them first."""

    thread: ThreadAnswer
    messages: list[MessageAnswer]


class ReplyRequest(StrictModel):
    text: Annotated[
        str, Field(min_length=1, max_length=REPLY_MAX, pattern=TEXT, examples=["It is fixed now."])
    ]


class CloseRequest(StrictModel):
    reason: Reason | None = None


@router.get("/threads", summary="Threads, the liveliest first")
@allow(SUPPORT)
async def list_threads(
    needs: Deps,
    status: Annotated[ThreadStatus | None, Query(description="All when left out.")] = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[ThreadAnswer]:
    after = decode_cursor(cursor, datetime, int) if cursor else None
    page = await support.threads(
        needs.pool,
        statuses=[status] if status is not None else None,
        after=(after[0], ThreadId(after[1])) if after else None,
        limit=limit,
    )
    return Page(
        items=[ThreadAnswer.of(thread) for thread in page.threads],
        next_cursor=encode_cursor(*page.next_after) if page.next_after else None,
    )


@router.get("/threads/{thread_id}", summary="A thread with its messages")
@allow(SUPPORT, raises=(SupportThreadNotFound,))
async def show_thread(thread_id: ThreadNumber, needs: Deps) -> ThreadDetails:
    return await _details(needs, ThreadId(thread_id))


@router.post("/threads/{thread_id}/reply", summary="Answer a person")
@allow(
    SUPPORT,
    raises=(SupportThreadNotFound, SupportThreadClosed, SupportTextTooLong, IdempotencyMismatch),
)
async def reply_thread(
    thread_id: ThreadNumber,
    body: ReplyRequest,
    acting: ActingOperator,
    needs: Deps,
    key: IdempotencyKey = None,
) -> ThreadDetails:
    """With an ``Idempotency-Key`` a repeated request sends no second answer."""
    used = key or str(new_id())
    await in_transaction(
        needs.pool,
        lambda connection: support.reply(
            connection, ThreadId(thread_id), text=body.text, acting=acting, key=used
        ),
    )
    return await _details(needs, ThreadId(thread_id))


@router.post("/threads/{thread_id}/close", summary="End a thread; the person is told")
@allow(SUPPORT, raises=(SupportThreadNotFound,))
async def close_thread(
    thread_id: ThreadNumber,
    acting: ActingOperator,
    needs: Deps,
    body: CloseRequest | None = None,
) -> ThreadAnswer:
    reason = body.reason if body is not None else None
    closed = await in_transaction(
        needs.pool,
        lambda connection: support.close(
            connection, ThreadId(thread_id), reason=reason, acting=acting
        ),
    )
    return ThreadAnswer.of(closed)


async def _details(needs: Needs, thread_id: ThreadId) -> ThreadDetails:
    thread, messages = await support.thread(needs.pool, thread_id)
    urls = await _urls(needs, thread, messages)
    return ThreadDetails(
        thread=ThreadAnswer.of(thread),
        messages=[
            MessageAnswer(
                id=message.id,
                author=message.author,
                text=message.body,
                photos=[
                    PhotoAnswer(upload_id=upload_id, url=urls.get(upload_id))
                    for upload_id in message.upload_ids
                ],
                created_at=message.created_at,
            )
            for message in messages
        ],
    )


async def _urls(needs: Needs, thread: Thread, messages: Sequence[ThreadMessage]) -> dict[UUID, str]:
    """Where those pictures of a thread are that have not expired."""
    now = needs.clock.now()
    wanted = [upload_id for message in messages for upload_id in message.upload_ids]
    found = await support.photos(needs.pool, thread, wanted, now=now)
    return {upload.id: media.url_of(needs.storage, upload, now=now) for upload in found}
