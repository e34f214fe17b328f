"""News: operators write them, people read what is published in their language and product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.kit.texts import Language
from hamyon.media import service as media
from hamyon.media.errors import UploadNotFound
from hamyon.messages.errors import NewsNotFound
from hamyon.messages.store import news as store
from hamyon.messages.types.news import Article, News, NewsId, NewsPage
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting


async def create(connection: Connection, article: Article, *, acting: Acting) -> News:
    """Write a piece of news; it is seen from ``publish_at`` on. Raises UploadNotFound."""
    await _check_picture(connection, article.upload_id, acting)
    made = await store.insert_news(connection, article, created_by=acting.actor)
    await record_act(
        connection, acting.act("news.create", _subject(made.id), after=_facts(made.article))
    )
    return made


async def change(
    connection: Connection, news_id: NewsId, changes: Mapping[str, object], *, acting: Acting
) -> News:
    """Change what a piece of news says, by the names of ``Article``.

    Raises NewsNotFound, UploadNotFound.
    """
    before = await _locked(connection, news_id)
    article = replace(before.article, **changes)  # type: ignore[arg-type]  # the route knows them
    if article.upload_id != before.article.upload_id:
        await _check_picture(connection, article.upload_id, acting)
    after = await store.update_news(connection, news_id, article)
    act = acting.act(
        "news.change",
        _subject(news_id),
        before=_facts(before.article),
        after=_facts(after.article),
    )
    await record_act(connection, act)
    return after


async def delete(connection: Connection, news_id: NewsId, *, acting: Acting) -> None:
    """Take a piece of news away; the audit log keeps what it said. Raises NewsNotFound."""
    before = await _locked(connection, news_id)
    await store.delete_news(connection, news_id)
    await record_act(
        connection, acting.act("news.delete", _subject(news_id), before=_facts(before.article))
    )


async def page(
    connection: Connection | Pool, *, after: tuple[datetime, NewsId] | None = None, limit: int
) -> NewsPage:
    """Everything that was written, published or not, the latest first."""
    found = await store.news_page(connection, after=after, limit=limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return NewsPage(shown, (shown[-1].article.publish_at, shown[-1].id) if more else None)


async def published(
    connection: Connection | Pool,
    language: Language,
    product: str,
    *,
    now: datetime,
    limit: int = 20,
) -> Sequence[News]:
    """What somebody of this language reads in this product: the pinned first, then the newest."""
    return await store.published_news(
        connection, language=language, product=product, now=now, limit=limit
    )


async def _locked(connection: Connection, news_id: NewsId) -> News:
    found = await store.lock_news(connection, news_id)
    if found is None:
        raise NewsNotFound(news_id=news_id)
    return found


async def _check_picture(connection: Connection, upload_id: UUID | None, acting: Acting) -> None:
    """The operator's own upload, which stays from now on; a service's key has none."""
    if upload_id is None:
        return
    if acting.operator.user_id is None:
        raise UploadNotFound(upload_id=str(upload_id))
    await media.keep(connection, acting.operator.user_id, [upload_id])


def _subject(news_id: NewsId) -> str:
    return f"news:{news_id}"


def _facts(article: Article) -> dict[str, object]:
    return asdict(article)
