"""The one catalogue of sentences for people, in Uzbek, Russian and English.

``texts/{language}.toml`` holds tables of keys; ``text("ru", "error.not_found")`` reads one and
fills it with facts. The files have the same keys, which a test keeps true.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args

Language = Literal["uz", "ru", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT_LANGUAGE: Final[Language] = "en"


class _Facts(dict[str, object]):
    """Leaves a placeholder standing when its fact is missing: a clumsy sentence beats a crash."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Every sentence of one language, by dotted key."""
    raw = resources.files("hamyon.texts").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flatten(tomllib.loads(raw)))


def _flatten(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, str(value)))
    return found


def text(language: Language, key: str, facts: Mapping[str, object] | None = None) -> str:
    """The sentence ``key`` in ``language``, filled with ``facts``. Raises KeyError."""
    return catalogue(language)[key].format_map(_Facts(facts or {}))


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
