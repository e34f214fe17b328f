"""A broadcast that an operator puts together in the chat, before there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final, Self, get_args
from uuid import UUID

import orjson

from hamyon.kit.money import Asset
from hamyon.kit.settings import Product
from hamyon.kit.texts import LANGUAGES
from hamyon.messages.service.segments import ACTIVE_DAYS, read_segment
from hamyon.messages.types.broadcast import Content, ContentType, LinkButton
from hamyon.messages.types.segment import Segment
from hamyon.surfaces.bot.flows.operators.desk import Desk
from hamyon.surfaces.bot.memory import remember_choices
from hamyon.surfaces.bot.store import chats

KEY: Final = "broadcast"
"""Under which the chat's choices keep the draft."""

TURNS: Final[Mapping[str, Sequence[object]]] = {
    "active_days": ACTIVE_DAYS,
    "paid": (True, False),
    "balance_min": ({"asset": Asset.CREDIT.value, "amount": 1},),
    "language": LANGUAGES,
    "product": get_args(Product),
    "registered_days_max": (1, 7, 30),
}
"""What a press of a criterion's button chooses next; after the last value it asks nothing again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """JSON values, as the chat's memory keeps them."""

    text: str = ""
    upload_ids: Sequence[str] = ()
    button_text: str | None = None
    button_url: str | None = None
    segment: Mapping[str, object] = field(default_factory=dict)
    schedule_at: str | None = None

    @classmethod
    async def of(cls, desk: Desk) -> Self:
        """What the operator has put together so far."""
        now = desk.needs.clock.now()
        chat = await chats.chat(desk.needs.pool, desk.person.id, now=now)
        kept = chat.choices.get(KEY)
        return cls(**kept) if isinstance(kept, Mapping) else cls()

    async def keep(self, desk: Desk) -> Self:
        """Remember it."""
        await remember_choices(desk.needs, desk.person.id, {KEY: asdict(self)})
        return self

    @property
    def digest(self) -> str:
        """Changes with everything that it says: what was confirmed is what is sent."""
        raw = orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(raw).hexdigest()[:16]

    @property
    def content(self) -> Content:
        """As the service takes it."""
        uploads = tuple(UUID(one) for one in self.upload_ids)
        kind = (ContentType.TEXT, ContentType.PHOTO, ContentType.ALBUM)[min(len(uploads), 2)]
        button = None
        if self.button_text is not None and self.button_url is not None:
            button = LinkButton(self.button_text, self.button_url)
        return Content(kind, self.text, uploads, button)

    @property
    def people(self) -> Segment:
        """Whom it is for. Raises InvalidSegment."""
        return read_segment(self.segment)

    @property
    def starts_at(self) -> datetime | None:
        """When it starts by itself."""
        return datetime.fromisoformat(self.schedule_at) if self.schedule_at else None

    def turned(self, criterion: str) -> Self:
        """With the criterion's next value, or without it after the last."""
        values = TURNS[criterion]
        chosen = self.segment.get(criterion)
        at = values.index(chosen) + 1 if chosen in values else 0
        return self.choosing(criterion, values[at] if at < len(values) else None)

    def choosing(self, criterion: str, value: object) -> Self:
        """With this value of a criterion; None: without the criterion."""
        left = {name: kept for name, kept in self.segment.items() if name != criterion}
        return replace(self, segment=left if value is None else {**left, criterion: value})
