"""What Telegram marks in a text by itself: commands, links, addresses and tags."""

from __future__ import annotations

import re
from typing import Final

from sandbox.telegram.entities import units

_DOMAINS = (
    "com|net|org|info|io|me|dev|app|ai|ru|uz|kz|su|by|ua|de|uk|eu|co|tv|gg|xyz|site|online|рф"
)
_KINDS: Final = (
    ("email", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("url", r"(?<!\w)(?:https?|ftp|tg|ton)://[^\s<>\"«»]+"),
    ("url", rf"(?<![\w@./-])(?:[\w-]+\.)+(?:{_DOMAINS})(?![\w.-]*\w)(?::\d+)?(?:/[^\s<>\"«»]*)?"),
    ("bot_command", r"(?<![\w/<>])/\w{1,64}(?:@[A-Za-z]\w{2,31})?(?![\w/<>])"),
    ("mention", r"(?<![\w`])@[A-Za-z]\w{2,31}(?!\w)"),
    ("hashtag", r"(?<!\w)#\w*[^\W\d]\w*(?!\w)"),
    ("cashtag", r"(?<![\w$])\$[A-Z]{1,8}(?!\w)"),
)
_ANY: Final = re.compile("|".join(f"(?P<k{i}>{found})" for i, (_, found) in enumerate(_KINDS)))
_ASCII_KINDS: Final = frozenset({"bot_command", "mention"})
_AFTER_LINKS: Final = ".,:;!?'\")]}…"


def find_spans(text: str) -> list[dict[str, object]]:
    """The entities of a text that nobody has formatted, in order.

    The rules are the server's in the main; its lists of domains and of odd characters are longer,
    and it finds telephone and card numbers, too.
    """
    spans: list[dict[str, object]] = []
    for found in _ANY.finditer(text):
        kind = _KINDS[int((found.lastgroup or "k0")[1:])][0]
        words = found.group().rstrip(_AFTER_LINKS) if kind == "url" else found.group()
        if kind in _ASCII_KINDS and not words.isascii():
            continue
        offset = units(text[: found.start()])
        spans.append({"offset": offset, "length": units(words), "type": kind})
    return spans
