"""Lengths as Telegram counts them: UTF-16 units of what is read, without the tags."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

CAPTION_MAX: Final = 1024
TEXT_MAX: Final = 4096
ANSWER_MAX: Final = 200
"""Of the text that pops up after a press, in characters (wire.md, 5.2)."""
LABEL_MAX: Final = 60
"""A button with more words than that is cut by every client."""
_TAG: Final = re.compile(r"<[^>]*>")
_CUT: Final = "…"


def units(text: str) -> int:
    """How long Telegram finds a text: a character outside the basic plane counts twice."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def visible(html: str) -> str:
    """What a person reads of HTML that we made."""
    return unescape(_TAG.sub("", html))


def cut(text: str, units_max: int) -> str:
    """The text, or its beginning and an ellipsis, with at most so many units."""
    if units(text) <= units_max:
        return text
    if units_max < 1:
        return ""
    room, kept = units_max - 1, 0
    for character in text:
        room -= 2 if ord(character) > 0xFFFF else 1
        if room < 0:
            break
        kept += 1
    return text[:kept].rstrip() + _CUT
