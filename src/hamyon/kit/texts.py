"""The one catalogue of sentences for people, in Uzbek, Russian and English.

``texts/{language}/*.toml`` hold tables of keys; ``text("ru", "error.not_found")`` reads one and
fills it with facts. The languages have the same keys, which a test keeps true.

A sentence that counts something is a table of forms; the fact ``count`` chooses among them by the
language's plural rules (Unicode CLDR, "Language Plural Rules"):

    [wallet.days]
    one = "{count} day"
    other = "{count} days"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from typing import Final, Literal, get_args

Language = Literal["uz", "ru", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT_LANGUAGE: Final[Language] = "en"
PLURAL_FORMS: Final[Mapping[Language, frozenset[str]]] = {
    "uz": frozenset({"one", "other"}),
    "ru": frozenset({"one", "few", "many"}),
    "en": frozenset({"one", "other"}),
}


class _Facts(dict[str, object]):
    """Leaves a placeholder standing when its fact is missing: a clumsy sentence beats a crash."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Every sentence of one language, by dotted key. Raises ValueError for a key told twice."""
    found: dict[str, str] = {}
    folder = resources.files("hamyon.texts").joinpath(language)
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        sentences = dict(_flatten(tomllib.loads(file.read_text(encoding="utf-8"))))
        if twice := found.keys() & sentences.keys():
            raise ValueError(f"{language}: told twice: {', '.join(sorted(twice))}")
        found |= sentences
    return found


def _flatten(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, str(value)))
    return found


def plural_form(language: Language, count: int) -> str:
    """The form of a noun that stands with ``count``: ``one``, ``few``, ``many`` or ``other``."""
    if language != "ru":
        return "one" if abs(count) == 1 else "other"
    tens, ones = abs(count) % 100, abs(count) % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if ones in {2, 3, 4} and tens not in {12, 13, 14} else "many"


def text(language: Language, key: str, facts: Mapping[str, object] | None = None) -> str:
    """The sentence ``key`` in ``language``, filled with ``facts``. Raises KeyError."""
    sentences, given = catalogue(language), facts or {}
    if key not in sentences:
        count = given.get("count")
        key = f"{key}.{plural_form(language, count if isinstance(count, int) else 0)}"
    return sentences[key].format_map(_Facts(given))


def rich_text(language: Language, key: str, facts: Mapping[str, object] | None = None) -> str:
    """Like ``text``, for channels that read HTML: the catalogue may use tags, facts may not.

    A fact that is ``Markup`` is HTML already.
    """
    safe = {
        name: escape(value, quote=False)
        if isinstance(value, str) and not isinstance(value, Markup)
        else value
        for name, value in (facts or {}).items()
    }
    return text(language, key, safe)


class Markup(str):
    """Text that is HTML already, made of the catalogue and of escaped facts."""

    __slots__ = ()


def language_of(code: str | None) -> Language | None:
    """The language we speak for a code such as ``ru-RU`` or ``uz``; None when we do not."""
    head = (code or "").split("-", 1)[0].split("_", 1)[0].lower()
    return next((language for language in LANGUAGES if language == head), None)


def language_of_header(accept_language: str | None) -> Language:
    """The first language of an ``Accept-Language`` header that we speak, else English."""
    for part in (accept_language or "").split(","):
        if language := language_of(part.split(";", 1)[0].strip()):
            return language
    return DEFAULT_LANGUAGE
