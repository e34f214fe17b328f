"""``parse_mode`` HTML, with the server's own errors (td, MessageEntity.cpp, parse_html)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from sandbox.telegram.entities import Entity, EntityError, byte_offset, link_entity, units

TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "u": "underline",
    "ins": "underline",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
TAGS = frozenset({*TYPES, "a", "tg-emoji", "tg-time", "pre", "code", "blockquote"})
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
EMOJI_ID = re.compile(r"[1-9][0-9]{0,18}")
_SPECIAL = re.compile(r"[<&]")
_SPACE = " \t\r\n\v\0"
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-zA-Z]+));?")
_NAME_END = re.compile(r"[\s>]|\Z", re.ASCII)
_ATTRIBUTE_END = re.compile(r"[\s=>/\"']|\Z", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9.-]*")


@dataclass(frozen=True, slots=True)
class _Open:
    """A start tag whose end is awaited; ``part`` is where its words begin in the output."""

    name: str
    attributes: dict[str, str]
    offset: int
    part: int


@dataclass(slots=True)
class HtmlParser:
    """Reads one text. ``offset`` counts the UTF-16 units of what is put out."""

    source: str
    position: int = 0
    offset: int = 0
    parts: list[str] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)

    def parse(self) -> tuple[str, list[Entity]]:
        """The plain text and its entities, the inner before the outer. Raises ``EntityError``."""
        source = self.source
        while found := _SPECIAL.search(source, self.position):
            self._put(source[self.position : found.start()])
            self.position = found.start()
            if found.group() == "&":
                self._put(self._reference())
            elif source.startswith("</", self.position):
                self._end_tag()
            else:
                self._start_tag()
        self._put(source[self.position :])
        if self.open:
            name = self.open[-1].name
            raise EntityError(f'Can\'t find end tag corresponding to start tag "{name}"')
        text = "".join(self.parts)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise EntityError(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            ) from error
        return text, self.entities

    def _put(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self.offset += units(text)

    def _reference(self) -> str:
        """The character at ``position``, which may be the ampersand itself; moves behind it."""
        character, self.position = _decoded(self.source, self.position)
        return character

    def _start_tag(self) -> None:
        source, begin = self.source, self.position
        end = _end(_NAME_END, source, begin + 1)
        if end == len(source):
            self._fail("Unclosed start tag", begin)
        name = source[begin + 1 : end].lower()
        if name not in TAGS:
            self._fail(f'Unsupported start tag "{name}"', begin)
        self.position = end
        attributes = self._attributes(name, begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            self._fail('Tag "span" must have class "tg-spoiler"', begin)
        self.open.append(_Open(name, attributes, self.offset, len(self.parts)))

    def _attributes(self, tag: str, begin: int) -> dict[str, str]:
        """All attributes up to the ``>``; moves behind it."""
        source, attributes = self.source, dict[str, str]()
        while True:
            self._skip_space()
            if self._at() == ">":
                self.position += 1
                return attributes
            end = _end(_ATTRIBUTE_END, source, self.position)
            name = source[self.position : end]
            if not name:
                self._fail(f'Empty attribute name in the tag "{tag}"', begin)
            self.position = end
            self._skip_space()
            if self._at() != "=":
                if not self._at():
                    self._fail(f'Unclosed start tag "{tag}"', begin)
                attributes[name] = ""
                continue
            self.position += 1
            self._skip_space()
            if not self._at():
                self._fail(f'Unclosed start tag "{tag}"', begin)
            attributes[name] = self._value()
            if not self._at():
                self._fail("Unclosed start tag", begin)

    def _value(self) -> str:
        source, begin = self.source, self.position
        quote = source[begin]
        if quote not in "\"'":
            self.position = _end(_TOKEN, source, begin, after=True)
            if self._at() not in {*_SPACE, ">", ""}:
                self._fail("Unexpected end of name token", begin)
            return source[begin : self.position].lower()
        closing = source.find(quote, begin + 1)
        if closing < 0:
            self.position = len(source)
            return ""
        self.position = closing + 1
        return _with_references(source[begin + 1 : closing])

    def _end_tag(self) -> None:
        source, begin = self.source, self.position
        if not self.open:
            self._fail("Unexpected end tag", begin)
        end = _end(_NAME_END, source, begin)
        name = source[begin + 2 : end].lower()
        self.position = end
        self._skip_space()
        if self._at() != ">":
            self._fail("Unclosed end tag", begin)
        self.position += 1
        opened = self.open[-1]
        if name and name != opened.name:
            where = byte_offset(source, begin)
            raise EntityError(
                f"Unmatched end tag at byte offset {where}, "
                f'expected "</{opened.name}>", found "</{name}>"'
            )
        if self.offset > opened.offset:
            self._close(opened)
        self.open.pop()

    def _close(self, opened: _Open) -> None:
        """Put out the entity of a tag that has words in it."""
        offset, length = opened.offset, self.offset - opened.offset
        attributes, name = opened.attributes, opened.name
        if name in TYPES:
            self.entities.append(Entity(TYPES[name], offset, length))
        elif name == "a":
            url = attributes.get("href") or "".join(self.parts[opened.part :])
            link = link_entity(url, offset, length)
            if link is not None:
                self.entities.append(link)
        elif name == "tg-emoji":
            number = attributes.get("emoji-id", "")
            if not EMOJI_ID.fullmatch(number):
                raise EntityError("Invalid custom emoji identifier specified")
            emoji: dict[str, object] = {"custom_emoji_id": number}
            self.entities.append(Entity("custom_emoji", offset, length, emoji))
        elif name == "blockquote":
            kind = "expandable_blockquote" if "expandable" in attributes else "blockquote"
            self.entities.append(Entity(kind, offset, length))
        elif name in {"pre", "code"}:
            self._close_code(name, attributes.get("class", ""), offset, length)

    def _close_code(self, name: str, given: str, offset: int, length: int) -> None:
        """``pre`` and ``code`` over the same words are one block in the code's language."""
        language = given.removeprefix("language-") if given.startswith("language-") else ""
        last = self.entities[-1] if self.entities else None
        other = "code" if name == "pre" else "pre"
        same = last is not None and (last.type, last.offset, last.length) == (other, offset, length)
        if same and last is not None and name == "pre" and "language" in last.argument:
            last.type = "pre"
        elif same and last is not None and name == "code" and language:
            last.argument["language"] = language
        elif name == "code" and language:
            self.entities.append(Entity("code", offset, length, {"language": language}))
        else:
            self.entities.append(Entity(name, offset, length))

    def _at(self) -> str:
        return self.source[self.position : self.position + 1]

    def _skip_space(self) -> None:
        while self._at() and self._at() in _SPACE:
            self.position += 1

    def _fail(self, told: str, begin: int) -> NoReturn:
        raise EntityError(f"{told} at byte offset {byte_offset(self.source, begin)}")


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """The plain text and its entities. Raises ``EntityError``."""
    text, entities = HtmlParser(source).parse()
    for one in entities:
        if one.type == "code":
            one.argument.clear()
    return text, entities


def _end(pattern: re.Pattern[str], source: str, start: int, *, after: bool = False) -> int:
    """Where the pattern begins, or with ``after`` where its match at ``start`` ends."""
    if after:
        matched = pattern.match(source, start)
        return matched.end() if matched else start
    found = pattern.search(source, start)
    return found.start() if found else len(source)


def _decoded(source: str, position: int) -> tuple[str, int]:
    """The character that a reference stands for, and where it ends; others are left as they are."""
    found = _REFERENCE.match(source, position)
    if found is None:
        return "&", position + 1
    hexadecimal, decimal, named = found.groups()
    if named is not None:
        character = NAMED.get(named, "")
        return (character, found.end()) if character else ("&", position + 1)
    code = int(hexadecimal, 16) if hexadecimal is not None else int(decimal)
    if code == 0 or code >= 0x10FFFF:
        return "&", position + 1
    return chr(code), found.end()


def _with_references(source: str) -> str:
    pieces: list[str] = []
    position = 0
    while (found := source.find("&", position)) >= 0:
        character, end = _decoded(source, found)
        pieces += (source[position:found], character)
        position = end
    return "".join(pieces) + source[position:]
