"""Formatted text: what is written, and which parts of it look how, in UTF-16 units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from sandbox.telegram.links import checked_url, split_url

PRIORITIES: Final = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 11,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}
"""Which of two entities over the same words is named first; others stand in the middle."""
VERBATIM = frozenset({"code", "pre"})
"""Nothing inside of these looks different."""

_PERSON = re.compile(r"[1-9][0-9]{0,14}")


class EntityError(Exception):
    """Why a text cannot be parsed, in Telegram's words."""


@dataclass(slots=True)
class Entity:
    """``user_id`` is who a ``text_mention`` is about."""

    type: str
    offset: int
    length: int
    argument: dict[str, object] = field(default_factory=dict)
    user_id: int | None = None

    @property
    def end(self) -> int:
        return self.offset + self.length

    def as_json(self) -> dict[str, object]:
        return {"offset": self.offset, "length": self.length, "type": self.type} | self.argument


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text and its entities."""

    text: str
    entities: Sequence[Entity] = ()


def units(text: str) -> int:
    """How long Telegram says that a text is: in 16-bit units of UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def byte_offset(text: str, position: int) -> int:
    """Where a character stands in the text's UTF-8, as errors tell it."""
    return len(text[:position].encode("utf-8", "surrogatepass"))


def link_entity(url: str, offset: int, length: int) -> Entity | None:
    """What a link becomes: a mention of a person, a link, or nothing when it leads nowhere."""
    parts = split_url(url)
    if parts is not None and parts.scheme == "tg" and parts.netloc == "user":
        number = parse_qs(parts.query).get("id", [""])[0]
        if _PERSON.fullmatch(number):
            return Entity("text_mention", offset, length, user_id=int(number))
    checked = checked_url(url)
    return None if checked is None else Entity("text_link", offset, length, {"url": checked})


def tidy(text: str, entities: Sequence[Entity]) -> Formatted:
    """Without carriage returns and without blanks at either end; the entities are in the order in
    which Telegram names them."""
    if "\r" in text:
        text, entities = _without_returns(text, entities)
    shown = text.strip()
    if not entities:
        return Formatted(shown)
    start = units(text[: len(text) - len(text.lstrip())])
    end = start + units(shown)
    verbatim = [one for one in entities if one.type in VERBATIM]
    kept = []
    for one in entities:
        first, last = max(one.offset, start), min(one.end, end)
        hidden = one.type not in VERBATIM and any(
            other.offset <= one.offset and one.end <= other.end for other in verbatim
        )
        # A quotation may hold code; everything else within code is plain.
        if last > first and not hidden:
            moved = Entity(one.type, first - start, last - first, one.argument, one.user_id)
            kept.append(moved)
    kept.sort(key=lambda one: (one.offset, -one.length, PRIORITIES.get(one.type, 50)))
    return Formatted(shown, kept)


def _without_returns(text: str, entities: Sequence[Entity]) -> tuple[str, list[Entity]]:
    """Bots put them between signs of MarkdownV2, because nobody sees them."""
    wide = text.encode("utf-16-le", "surrogatepass")

    def moved(offset: int) -> int:
        before = wide[: 2 * offset].decode("utf-16-le", "surrogatepass")
        return offset - before.count("\r")

    kept = [
        Entity(
            one.type,
            moved(one.offset),
            moved(one.end) - moved(one.offset),
            one.argument,
            one.user_id,
        )
        for one in entities
    ]
    return text.replace("\r", ""), kept
