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
from hamyon.surfaces.bot.flows.operators.desk import WORDS_MAX, Desk
from hamyon.surfaces.bot.memory import remember_choices
from hamyon.surfaces.bot.phrases import amount, number
from hamyon.surfaces.bot.pictures.lengths import cut
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
"""What presses of a criterion's button choose in turn; behind the last value stands none."""


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

    def next_of(self, criterion: str) -> int:
        """Where the criterion's next value stands; behind the last one, for none."""
        values = TURNS[criterion]
        chosen = self.segment.get(criterion)
        return values.index(chosen) + 1 if chosen in values else 0

    def turned(self, criterion: str, to: int) -> Self:
        """With the criterion's value that stands there, or without it behind the last."""
        values = TURNS[criterion]
        return self.choosing(criterion, values[to] if to < len(values) else None)

    def choosing(self, criterion: str, value: object) -> Self:
        """With this value of a criterion; None: without the criterion."""
        left = {name: kept for name, kept in self.segment.items() if name != criterion}
        return replace(self, segment=left if value is None else {**left, criterion: value})


# --- in words -------------------------------------------------------------------------------------


def content_lines(desk: Desk, content: Content) -> tuple[str, str]:
    """What a broadcast says, cut, and what comes with it."""
    button = content.button
    return (
        desk.say("broadcasts.line_text", text=cut(content.text, WORDS_MAX) or "–"),
        desk.say(
            "broadcasts.line_parts",
            photos=number(desk.language, len(content.upload_ids)),
            button=cut(f"{button.text} → {button.url}", WORDS_MAX) if button is not None else "–",
        ),
    )


def segment_line(desk: Desk, segment: Mapping[str, object]) -> str:
    """Whom it is for."""
    chosen = [criterion_words(desk, name, value) for name, value in segment.items()]
    everybody = desk.word("broadcasts.label_everybody")
    return desk.say("broadcasts.line_for", people=cut("; ".join(chosen), WORDS_MAX) or everybody)


def criterion_words(desk: Desk, name: str, value: object) -> str:
    """A criterion of the segment with what is chosen of it."""
    match value:
        case None:
            chosen = desk.word("broadcasts.label_any")
        case bool():
            chosen = desk.word("broadcasts.label_yes" if value else "broadcasts.label_no")
        case int():
            chosen = desk.word("stats.button_days", count=value)
        case {"asset": str(asset), "amount": int(least)}:
            chosen = f"≥ {amount(desk.language, asset, least)}"
        case _:
            chosen = str(value)
    label = "source" if name == "advertising_source" else name
    return f"{desk.word(f'broadcasts.button_{label}')}: {chosen}"
