"""Statements about news."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from hamyon.kit.db import Connection, Pool, Record
from hamyon.kit.texts import Language
from hamyon.messages.types.news import Article, News, NewsId

_ARTICLE = tuple(field.name for field in fields(Article))
_NEWS = f"id, {', '.join(_ARTICLE)}, created_by, created_at, updated_at"


def _news(row: Record) -> News:
    return News(
        id=NewsId(row["id"]),
        article=Article(**{name: row[name] for name in _ARTICLE}),
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def insert_news(connection: Connection, article: Article, *, created_by: str) -> News:
    """Keep a new piece of news."""
    places = ", ".join(f"${number}" for number in range(2, len(_ARTICLE) + 2))
    row = await connection.fetchrow(
        f"""
        INSERT INTO news (created_by, {", ".join(_ARTICLE)}) VALUES ($1, {places})
        RETURNING {_NEWS}
        """,  # noqa: S608 -- the columns are ours
        created_by,
        *asdict(article).values(),
    )
    assert row is not None
    return _news(row)


async def lock_news(connection: Connection, news_id: NewsId) -> News | None:
    """A piece of news that nobody else changes until this transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_NEWS} FROM news WHERE id = $1 FOR UPDATE",  # noqa: S608
        news_id,
    )
    return _news(row) if row is not None else None


async def update_news(connection: Connection, news_id: NewsId, article: Article) -> News:
    """Write what a piece of news says now."""
    places = ", ".join(f"{name} = ${number}" for number, name in enumerate(_ARTICLE, 2))
    row = await connection.fetchrow(
        f"UPDATE news SET updated_at = now(), {places} WHERE id = $1 RETURNING {_NEWS}",  # noqa: S608
        news_id,
        *asdict(article).values(),
    )
    assert row is not None
    return _news(row)


async def delete_news(connection: Connection, news_id: NewsId) -> None:
    """Forget a piece of news."""
    await connection.execute("DELETE FROM news WHERE id = $1", news_id)


async def news_page(
    connection: Connection | Pool, *, after: tuple[datetime, NewsId] | None, limit: int
) -> Sequence[News]:
    """All of them, the latest to be published first."""
    rows = await connection.fetch(
        f"""
        SELECT {_NEWS} FROM news
        WHERE $1::timestamptz IS NULL OR (publish_at, id) < ($1, $2)
        ORDER BY publish_at DESC, id DESC LIMIT $3
        """,  # noqa: S608
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [_news(row) for row in rows]


async def published_news(
    connection: Connection | Pool,
    *,
    language: Language,
    product: str,
    now: datetime,
    limit: int,
) -> Sequence[News]:
    """What people of this language read in this product now: the pinned first, then the newest."""
    rows = await connection.fetch(
        f"""
        SELECT {_NEWS} FROM news
        WHERE active AND publish_at <= $3
          AND coalesce(language, $1) = $1 AND coalesce(product, $2) = $2
        ORDER BY pinned DESC, publish_at DESC, id DESC LIMIT $4
        """,  # noqa: S608
        language,
        product,
        now,
        limit,
    )
    return [_news(row) for row in rows]
