"""HTTP: operators write news (contract/operators.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Path
from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.texts import Language
from hamyon.kit.web.models import INT64_MAX, AnswerModel, StrictModel
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import ADMIN, allow
from hamyon.kit.web.routing import Router
from hamyon.media.errors import UploadNotFound
from hamyon.messages.errors import NewsNotFound
from hamyon.messages.service import news
from hamyon.messages.types.news import Article, News, NewsId
from hamyon.surfaces.admin.request import Deps, Moment
from hamyon.users.routes.request import TEXT, ActingOperator

router = Router("/api/v1/admin/news", tags=["operators"])

NewsNumber = Annotated[int, Path(ge=1, le=INT64_MAX)]
Title = Annotated[str, Field(min_length=1, max_length=255, pattern=TEXT, examples=["Summer sale"])]
Body = Annotated[str, Field(min_length=1, max_length=4000, pattern=TEXT)]
Link = Annotated[
    str,
    Field(
        max_length=2000,
        pattern=r"^https?://[^\s\x00-\x1f/?#]+([/?#][^\s\x00-\x1f]*)?$",
        examples=["https://example.org/summer"],
    ),
]
Product = Annotated[str, Field(pattern="^[a-z]{1,20}$", examples=["images"])]


MAY_BE_ABSENT: Final = frozenset({"language", "product", "link", "upload_id"})


class NewsRequest(StrictModel):
    """Without ``language`` or ``product`` it is for everybody; without ``publish_at``, at once."""

    title: Title
    body: Body
    language: Language | None = None
    product: Product | None = None
    link: Link | None = None
    upload_id: UUID | None = Field(None, description="A picture that the operator uploaded.")
    pinned: bool = False
    active: bool = True
    publish_at: Moment | None = None

    def article(self, now: datetime) -> Article:
        """As the service takes it."""
        return Article(**{**self.model_dump(), "publish_at": self.publish_at or now})


class NewsPatch(StrictModel):
    """What is left out stays as it is; null takes away what may be absent, and only that."""

    title: Title | None = None
    body: Body | None = None
    language: Language | None = None
    product: Product | None = None
    link: Link | None = None
    upload_id: UUID | None = None
    pinned: bool | None = None
    active: bool | None = None
    publish_at: Moment | None = None

    def changes(self) -> dict[str, object]:
        """As the service takes it."""
        given = self.model_dump(exclude_unset=True)
        return {n: value for n, value in given.items() if value is not None or n in MAY_BE_ABSENT}


class NewsAnswer(AnswerModel):
    id: int
    title: str
    body: str
    language: Language | None
    product: str | None
    link: str | None
    upload_id: UUID | None
    pinned: bool
    active: bool
    publish_at: datetime
    created_by: str = Field(examples=["user:777"])
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, piece: News) -> Self:
        own = {name: getattr(piece, name) for name in piece.__slots__ if name != "article"}
        said = {name: getattr(piece.article, name) for name in piece.article.__slots__}
        return cls(**own, **said)


@router.get("", summary="All news, published or not, the latest first")
@allow(ADMIN)
async def list_news(
    needs: Deps, limit: PageLimit = 20, cursor: PageCursor = None
) -> Page[NewsAnswer]:
    after = decode_cursor(cursor, datetime, int) if cursor else None
    page = await news.page(
        needs.pool, after=(after[0], NewsId(after[1])) if after else None, limit=limit
    )
    return Page(
        items=[NewsAnswer.of(piece) for piece in page.news],
        next_cursor=encode_cursor(*page.next_after) if page.next_after else None,
    )


@router.post("", status_code=201, summary="Write a piece of news")
@allow(ADMIN, raises=(UploadNotFound,))
async def create_news(body: NewsRequest, acting: ActingOperator, needs: Deps) -> NewsAnswer:
    made = await in_transaction(
        needs.pool,
        lambda connection: news.create(connection, body.article(needs.clock.now()), acting=acting),
    )
    return NewsAnswer.of(made)


@router.patch("/{news_id}", summary="Change a piece of news")
@allow(ADMIN, raises=(NewsNotFound, UploadNotFound))
async def patch_news(
    news_id: NewsNumber, body: NewsPatch, acting: ActingOperator, needs: Deps
) -> NewsAnswer:
    changed = await in_transaction(
        needs.pool,
        lambda connection: news.change(connection, NewsId(news_id), body.changes(), acting=acting),
    )
    return NewsAnswer.of(changed)


@router.delete("/{news_id}", status_code=204, summary="Take a piece of news away")
@allow(ADMIN, raises=(NewsNotFound,))
async def delete_news(news_id: NewsNumber, acting: ActingOperator, needs: Deps) -> None:
    await in_transaction(
        needs.pool,
        lambda connection: news.delete(connection, NewsId(news_id), acting=acting),
    )
