"""HTTP: operators write to many people at once (contract/operators.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, Self, cast
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import Field, StrictBool, StrictInt

from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.kit.money import Asset
from hamyon.kit.settings import Product
from hamyon.kit.texts import Language
from hamyon.kit.web.models import AnswerModel, IdempotencyKey, StrictModel
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import ADMIN, allow
from hamyon.kit.web.routing import Router
from hamyon.media.errors import UploadNotFound
from hamyon.messages.errors import (
    BroadcastClosed,
    BroadcastNotFound,
    ChannelNotConnected,
    InvalidBroadcast,
    InvalidSegment,
    PreviewFailed,
    PreviewImpossible,
)
from hamyon.messages.service import broadcasts, progress, segments
from hamyon.messages.service.progress import Rates
from hamyon.messages.types import Needs as MessageNeeds
from hamyon.messages.types.broadcast import (
    Broadcast,
    BroadcastId,
    BroadcastState,
    Content,
    ContentType,
    LinkButton,
    Progress,
    RecipientRow,
    RecipientState,
)
from hamyon.messages.types.segment import Segment
from hamyon.surfaces.admin.request import Moment, once
from hamyon.surfaces.admin.types import Needs as AdminNeeds
from hamyon.users.routes.request import TEXT, ActingOperator
from hamyon.users.types import Acting

ROUTE = "/api/v1/admin/broadcasts"

router = Router(ROUTE, tags=["operators"])


class Needs(MessageNeeds, AdminNeeds, Protocol):
    """What these routes take from wiring."""


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


Deps = Annotated[Needs, Depends(_needs)]
Number = Annotated[int, Path(ge=1, lt=2**63)]


# --- what is asked -------------------------------------------------------------------------------


class ButtonBody(StrictModel):
    text: str = Field(min_length=1, max_length=64, pattern=TEXT, examples=["Open"])
    url: str = Field(
        min_length=1, max_length=2048, pattern=TEXT, examples=["https://t.me/hamyon_bot"]
    )


class ContentBody(StrictModel):
    """One message. A text has no files, a photo or video one, an album 2 to 10 and no button."""

    type: ContentType
    text: str = Field(
        "",
        max_length=4096,
        pattern=TEXT,
        description="Plain text, sent as it stands; with files the caption, up to 1024 long.",
    )
    upload_ids: list[UUID] = Field(
        default_factory=list, max_length=10, description="The operator's own uploads."
    )
    button: ButtonBody | None = None

    def content(self) -> Content:
        """As the service takes it."""
        button = LinkButton(self.button.text, self.button.url) if self.button is not None else None
        return Content(self.type, self.text, tuple(self.upload_ids), button)


class BalanceBody(StrictModel):
    asset: Asset
    amount: StrictInt = Field(ge=1, le=2**53 - 1, description="Minor units, at least.")


def _absent() -> Any:
    """Of a criterion that was left out. None is no value of it: it would quietly mean everybody."""
    return None


class SegmentBody(StrictModel):
    """Who is meant: everything that is named must hold. ``{}`` is everybody.

    Left out are always those who are blocked, cannot be reached, or have switched news off.
    """

    active_days: Literal[1, 7, 30] = Field(
        default_factory=_absent, description="Ordered something within so many days."
    )
    paid: StrictBool = Field(default_factory=_absent, description="Ever paid, or never did.")
    balance_min: BalanceBody = Field(default_factory=_absent)
    language: Language = Field(default_factory=_absent)
    product: Product = Field(default_factory=_absent)
    advertising_source: str = Field(
        default_factory=_absent, min_length=1, max_length=256, pattern=TEXT
    )
    registered_days_max: StrictInt = Field(default_factory=_absent, ge=1, le=36_500)

    def segment(self) -> Segment:
        """As the service takes it."""
        return segments.read_segment(self.model_dump(mode="json", exclude_unset=True))


class BroadcastRequest(StrictModel):
    content: ContentBody
    segment: SegmentBody
    schedule_at: Moment | None = Field(
        None, description="When it starts by itself; it can be started earlier."
    )
    paid: bool = Field(
        False, description="At Telegram's paid pace, for 0.1 Star a message above the free one."
    )


class CountRequest(StrictModel):
    segment: SegmentBody


# --- what is answered ----------------------------------------------------------------------------


class BroadcastAnswer(AnswerModel):
    """``pace`` and ``eta_s`` are there while it runs; ``recipients`` is fixed when it starts."""

    id: int
    state: BroadcastState
    content: ContentBody
    segment: dict[str, Any]
    paid: bool
    cost_stars: int = Field(description="What Telegram will take at most, in whole Stars.")
    schedule_at: datetime | None
    recipients: int
    sent: int
    blocked: int = Field(description="Blocked the bot, or deleted their accounts.")
    failed: int
    pace: float | None = Field(description="Messages a second, over the last ten.")
    eta_s: int | None
    created_by: str = Field(examples=["user:777"])
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, found: Progress) -> Self:
        one, tally = found.broadcast, found.tally
        same = ("id", "state", "paid", "schedule_at", "recipients", "created_by", "created_at",
                "started_at", "finished_at")  # fmt: skip
        return cls(
            content=_content_body(one.content),
            segment=dict(one.segment.criteria),
            cost_stars=found.cost_stars,
            sent=tally.sent,
            blocked=tally.blocked,
            failed=tally.failed,
            pace=found.pace,
            eta_s=found.eta_s,
            **{name: getattr(one, name) for name in same},
        )


def _content_body(content: Content) -> ContentBody:
    button = content.button
    return ContentBody(
        type=content.type,
        text=content.text,
        upload_ids=list(content.upload_ids),
        button=ButtonBody(text=button.text, url=button.url) if button is not None else None,
    )


class CountAnswer(AnswerModel):
    recipients: int


class PreviewAnswer(AnswerModel):
    sent_to: int = Field(description="The operator's own chat.", examples=[777])


class RecipientAnswer(AnswerModel):
    telegram_id: int
    state: RecipientState
    attempts: int
    error: str | None
    sent_at: datetime | None

    @classmethod
    def of(cls, row: RecipientRow) -> Self:
        same = ("state", "attempts", "error", "sent_at")
        return cls(telegram_id=row.user_id, **{name: getattr(row, name) for name in same})


async def _answer(needs: Needs, broadcast: Broadcast) -> BroadcastAnswer:
    """How it stands, counted after the act's transaction."""
    rates = Rates.of(needs.settings)
    now = needs.clock.now()
    return BroadcastAnswer.of(await progress.view(needs.pool, broadcast.id, rates=rates, now=now))


# --- routes --------------------------------------------------------------------------------------


@router.post("", status_code=201, summary="Write a broadcast; nothing is sent yet")
@allow(ADMIN, raises=(InvalidBroadcast, InvalidSegment, UploadNotFound, IdempotencyMismatch))
async def create_broadcast(
    body: BroadcastRequest, acting: ActingOperator, needs: Deps, key: IdempotencyKey = None
) -> BroadcastAnswer:
    async def effect(connection: Connection) -> BroadcastAnswer:
        return await _create(connection, body, acting, needs)

    if key is None:
        return await in_transaction(needs.pool, effect)
    return await once(
        needs,
        acting,
        key,
        effect,
        answer=BroadcastAnswer,
        route=ROUTE,
        user_id=0,
        given=(body.model_dump_json(exclude_unset=True),),
    )


async def _create(
    connection: Connection, body: BroadcastRequest, acting: Acting, needs: Needs
) -> BroadcastAnswer:
    now = needs.clock.now()
    made = await broadcasts.create(
        connection,
        body.content.content(),
        body.segment.segment(),
        paid=body.paid,
        schedule_at=body.schedule_at,
        sources=needs.segment_sources,
        acting=acting,
        now=now,
    )
    rates = Rates.of(needs.settings)
    return BroadcastAnswer.of(await progress.view(connection, made.id, rates=rates, now=now))


@router.post("/count", summary="How many people a segment means now")
@allow(ADMIN, raises=(InvalidSegment,))
async def count_recipients(body: CountRequest, needs: Deps) -> CountAnswer:
    found = await segments.count(needs.pool, body.segment.segment(), needs.segment_sources)
    return CountAnswer(recipients=found)


@router.get("", summary="Broadcasts, newest first")
@allow(ADMIN)
async def list_broadcasts(
    needs: Deps, limit: PageLimit = 20, cursor: PageCursor = None
) -> Page[BroadcastAnswer]:
    before_id = decode_cursor(cursor, int)[0] if cursor else None
    found, after = await progress.listed(
        needs.pool,
        before_id=before_id,
        limit=limit,
        rates=Rates.of(needs.settings),
        now=needs.clock.now(),
    )
    return Page(
        items=[BroadcastAnswer.of(one) for one in found],
        next_cursor=encode_cursor(after) if after is not None else None,
    )


@router.get("/{number}", summary="A broadcast, how far it is and how fast it goes")
@allow(ADMIN, raises=(BroadcastNotFound,))
async def show_broadcast(number: Number, needs: Deps) -> BroadcastAnswer:
    rates, now = Rates.of(needs.settings), needs.clock.now()
    found = await progress.view(needs.pool, BroadcastId(number), rates=rates, now=now)
    return BroadcastAnswer.of(found)


@router.get("/{number}/recipients", summary="Whom a broadcast goes to, and what became of them")
@allow(ADMIN, raises=(BroadcastNotFound,))
async def list_recipients(
    number: Number,
    needs: Deps,
    state: Annotated[RecipientState | None, Query()] = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[RecipientAnswer]:
    after_id = decode_cursor(cursor, int)[0] if cursor else 0
    found, after = await progress.recipients(
        needs.pool, BroadcastId(number), state=state, after_id=after_id, limit=limit
    )
    return Page(
        items=[RecipientAnswer.of(row) for row in found],
        next_cursor=encode_cursor(after) if after is not None else None,
    )


@router.post("/{number}/preview", summary="Send it to the operator who asks, and to nobody else")
@allow(
    ADMIN,
    raises=(
        BroadcastNotFound, BroadcastClosed, ChannelNotConnected, PreviewImpossible, PreviewFailed,
    ),
)  # fmt: skip
async def preview_broadcast(number: Number, acting: ActingOperator, needs: Deps) -> PreviewAnswer:
    sender = broadcasts.require_sender(needs.senders)
    sent_to = await broadcasts.preview(needs.pool, sender, BroadcastId(number), acting=acting)
    return PreviewAnswer(sent_to=sent_to)


@router.post("/{number}/start", summary="Choose the recipients and send")
@allow(ADMIN, raises=(BroadcastNotFound, BroadcastClosed, ChannelNotConnected, InvalidSegment))
async def start_broadcast(number: Number, acting: ActingOperator, needs: Deps) -> BroadcastAnswer:
    broadcasts.require_sender(needs.senders)
    started = await in_transaction(
        needs.pool,
        broadcasts.start,
        BroadcastId(number),
        sources=needs.segment_sources,
        acting=acting,
        now=needs.clock.now(),
    )
    return await _answer(needs, started)


@router.post("/{number}/pause", summary="Send no more for now; what is on its way arrives")
@allow(ADMIN, raises=(BroadcastNotFound, BroadcastClosed))
async def pause_broadcast(number: Number, acting: ActingOperator, needs: Deps) -> BroadcastAnswer:
    return await _moved(number, "pause", acting, needs)


@router.post("/{number}/resume", summary="Go on where it was paused")
@allow(ADMIN, raises=(BroadcastNotFound, BroadcastClosed))
async def resume_broadcast(number: Number, acting: ActingOperator, needs: Deps) -> BroadcastAnswer:
    return await _moved(number, "resume", acting, needs)


@router.post("/{number}/cancel", summary="Never send the rest")
@allow(ADMIN, raises=(BroadcastNotFound, BroadcastClosed))
async def cancel_broadcast(number: Number, acting: ActingOperator, needs: Deps) -> BroadcastAnswer:
    return await _moved(number, "cancel", acting, needs)


async def _moved(
    number: int, verb: broadcasts.Verb, acting: ActingOperator, needs: Needs
) -> BroadcastAnswer:
    moved = await in_transaction(
        needs.pool,
        broadcasts.move,
        BroadcastId(number),
        verb,
        acting=acting,
        now=needs.clock.now(),
    )
    return await _answer(needs, moved)
