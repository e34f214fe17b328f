"""``parse_mode`` MarkdownV2, with the server's own errors (td, parse_markdown_v2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qs

from sandbox.telegram.entities import Entity, EntityError, byte_offset, link_entity, units
from sandbox.telegram.html_parser import EMOJI_ID
from sandbox.telegram.links import split_url

RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
IN_CODE = frozenset("`")
NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "precode": "PreCode",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
"""The kinds as errors name them."""
ENDS = {
    "bold": "*",
    "italic": "_",
    "underline": "__",
    "strikethrough": "~",
    "spoiler": "||",
    "code": "`",
    "pre": "```",
    "precode": "```",
    "text_link": "]",
    "custom_emoji": "]",
}
STARTS = {"*": "bold", "~": "strikethrough", "[": "text_link"}
_LANGUAGE = re.compile(r"[^\s`]*", re.ASCII)


@dataclass(slots=True)
class _Open:
    """An entity whose end is awaited; ``part`` is where its words begin in the output."""

    kind: str
    language: str
    offset: int
    position: int
    part: int


@dataclass(slots=True)
class MarkdownParser:
    """Reads one text. ``offset`` counts the UTF-16 units of what is put out."""

    source: str
    position: int = 0
    offset: int = 0
    parts: list[str] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    has_quote: bool = False
    may_quote: bool = True

    def parse(self) -> tuple[str, list[Entity]]:
        """The plain text and its entities. Raises ``EntityError``."""
        source = self.source
        while self.position < len(source):
            character = source[self.position]
            if character == "\\" and "\0" < self._at(1) <= "~":
                self._put(self._at(1))
                self.position += 2
            elif character not in self._reserved():
                self._put(character)
                self.position += 1
            elif self._ends():
                self._end()
            else:
                self._start(character)
        self._finish()
        return "".join(self.parts), self.entities

    def _put(self, character: str) -> None:
        self.parts.append(character)
        self.offset += units(character)
        if character != "\r":
            self.may_quote = character == "\n"

    def _at(self, ahead: int = 0) -> str:
        return self.source[self.position + ahead : self.position + ahead + 1]

    def _reserved(self) -> frozenset[str]:
        is_code = bool(self.open) and self.open[-1].kind in {"code", "pre", "precode"}
        return IN_CODE if is_code else RESERVED

    def _ends(self) -> bool:
        """Whether an entity ends at ``position``."""
        if not self.open:
            return False
        if self.has_quote and self._at() == "\n" and self._at(1) != ">":
            return True
        kind = self.open[-1].kind
        if kind == "blockquote" or not self.source.startswith(ENDS[kind], self.position):
            return False
        return kind != "italic" or self._at(1) != "_"

    def _start(self, character: str) -> None:
        """An entity begins at ``position``, or a line."""
        begin, language = self.position, ""
        if character == "\n" or (character == ">" and self.may_quote and self.has_quote):
            if character == "\n":
                self._put("\n")
            self.position += 1
            return
        if character == ">" and self.may_quote:
            kind, self.has_quote = "blockquote", True
        elif character == "_":
            kind = "underline" if self._at(1) == "_" else "italic"
        elif character in STARTS:
            kind = STARTS[character]
        elif character == "|" and self._at(1) == "|":
            kind = "spoiler"
        elif character == "!" and self._at(1) == "[":
            kind = "custom_emoji"
        elif character == "`":
            kind, language = self._start_code()
        else:
            raise EntityError(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )
        if kind in {"underline", "spoiler", "custom_emoji"}:
            self.position += 1
        if kind not in {"pre", "precode"}:
            self.position += 1
        self.open.append(_Open(kind, language, self.offset, begin, len(self.parts)))

    def _start_code(self) -> tuple[str, str]:
        """``code``, or a block whose language is on its first line; moves into a block."""
        if not self.source.startswith("```", self.position):
            return "code", ""
        self.position += 3
        kind, language = "pre", ""
        found = _LANGUAGE.match(self.source, self.position)
        end = found.end() if found else self.position
        if end > self.position and end < len(self.source) and self.source[end] != "`":
            kind, language = "precode", self.source[self.position : end]
            self.position = end
        if self._at() and self._at() in "\r\n":
            pair = self._at(1)
            self.position += 2 if pair and pair in "\r\n" and pair != self._at() else 1
        return kind, language

    def _end(self) -> None:
        """The innermost entity ends at ``position``."""
        opened = self.open[-1]
        kind = opened.kind
        if self._at() == "\n" and kind != "blockquote":
            opened, kind = self._quote_under(opened), "expandable_blockquote"
        is_quote = kind in {"blockquote", "expandable_blockquote"}
        entity: Entity | None = None
        if is_quote:
            self.has_quote = False
            self._put("\n")
            self.position += 1
            entity = Entity(kind, opened.offset, self.offset - opened.offset)
        else:
            length = self.offset - opened.offset
            self.position += len(ENDS[kind])
            if kind in {"text_link", "custom_emoji"}:
                entity = self._end_link(opened, length)
            elif kind == "precode":
                entity = Entity("pre", opened.offset, length, {"language": opened.language})
            else:
                entity = Entity(kind, opened.offset, length)
        if entity is not None and entity.length:
            self.entities.append(entity)
        self.open.pop()

    def _quote_under(self, opened: _Open) -> _Open:
        """The quotation that ``||`` at the end of its last line makes expandable."""
        behind = self.position
        if behind and self.source[behind - 1] == "\r":
            behind -= 1
        if opened.kind != "spoiler" or opened.position != behind - 2:
            self._fail(opened)
        self.open.pop()
        if self.open[-1].kind != "blockquote":
            self._fail(self.open[-1])
        return self.open[-1]

    def _end_link(self, opened: _Open, length: int) -> Entity | None:
        """A link or an emoji; its address may follow in brackets. ``position`` is behind ``]``."""
        if self._at() != "(":
            if opened.kind == "custom_emoji":
                raise EntityError("The entity must contain a tg://emoji or tg://time URL")
            return link_entity("".join(self.parts[opened.part :]), opened.offset, length)
        self.position += 1
        begin, pieces = self.position, []
        while self._at() not in {"", ")"}:
            if self._at() == "\\" and "\0" < self._at(1) <= "~":
                self.position += 1
            pieces.append(self._at())
            self.position += 1
        if not self._at():
            where = byte_offset(self.source, begin)
            raise EntityError(f"Can't find end of a URL at byte offset {where}")
        self.position += 1
        url = "".join(pieces)
        if opened.kind == "text_link":
            return link_entity(url, opened.offset, length)
        parts = split_url(url)
        number = parse_qs(parts.query).get("id", [""])[0] if parts else ""
        if not url.startswith("tg://emoji?") or not EMOJI_ID.fullmatch(number):
            raise EntityError("Invalid tg://emoji or tg://time URL specified")
        return Entity("custom_emoji", opened.offset, length, {"custom_emoji_id": number})

    def _finish(self) -> None:
        """At the end of the text a quotation may be open, and nothing else."""
        if self.has_quote and self.open:
            kind = "blockquote"
            last = self.open[-1]
            if last.kind == "spoiler" and last.position == len(self.source) - 2:
                self.open.pop()
                kind = "expandable_blockquote"
            if self.open and self.open[-1].kind == "blockquote":
                opened = self.open.pop()
                if self.offset > opened.offset:
                    length = self.offset - opened.offset
                    self.entities.append(Entity(kind, opened.offset, length))
        if self.open:
            self._fail(self.open[-1])

    def _fail(self, opened: _Open) -> NoReturn:
        where = byte_offset(self.source, opened.position)
        raise EntityError(f"Can't find end of {NAMES[opened.kind]} entity at byte offset {where}")


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """The plain text and its entities. Raises ``EntityError``."""
    return MarkdownParser(source).parse()
