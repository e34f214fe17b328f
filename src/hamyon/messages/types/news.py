"""News as operators write and people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from hamyon.kit.texts import Language

NewsId = NewType("NewsId", int)


@dataclass(frozen=True, slots=True)
class Article:
    """What a piece of news says, and to whom. ``language`` and ``product`` None: to everybody."""

    title: str
    body: str
    publish_at: datetime
    language: Language | None = None
    product: str | None = None
    link: str | None = None
    upload_id: UUID | None = None
    pinned: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class News:
    """One piece of news."""

    id: NewsId
    article: Article
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewsPage:
    """``next_after`` is what the next page starts behind; None on the last one."""

    news: Sequence[News]
    next_after: tuple[datetime, NewsId] | None
