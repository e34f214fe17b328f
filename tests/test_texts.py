"""The catalogue is whole: every refusal has its sentence, and the three languages agree."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import string
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

import hamyon
from hamyon.kit.errors import HamyonError
from hamyon.kit.texts import (
    LANGUAGES,
    PLURAL_FORMS,
    Language,
    catalogue,
    plural_form,
    text,
)
from hamyon.ledger.types import TransferKind
from hamyon.products.images.present import EXPLAINED

ROOT = Path(__file__).parents[1]
CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def errors() -> dict[str, set[type[HamyonError]]]:
    """Every refusal of the project by code; classes of one code share a sentence."""
    for module in pkgutil.walk_packages(hamyon.__path__, "hamyon."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, set[type[HamyonError]]] = {}
    waiting = [HamyonError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("hamyon."):
            found.setdefault(kind.code, set()).add(kind)
    return found


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@cache
def made() -> Sequence[tuple[str, str, frozenset[str]]]:
    """Every call and bare ``raise`` in Python: the place, the name, and the facts given."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                keywords = [keyword.arg for keyword in node.keywords]
                if None not in keywords:  # ``**facts`` passes on what another place gave.
                    given = frozenset(str(keyword) for keyword in keywords)
                    found.append((f"{path.name}:{node.lineno}", _name(node.func), given))
            elif isinstance(node, ast.Raise) and node.exc:
                found.append((f"{path.name}:{node.lineno}", _name(node.exc), frozenset()))
    return found


def facts_given(names: set[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Every place in Python that makes one of these errors, with the facts that it gives."""
    return ((place, given) for place, name, given in made() if name in names)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def facts_given_in_sql(code: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Every ``refuse(code, ...)`` of the migrations with its facts; a subquery's ones too."""
    for path in (ROOT / "migrations" / "sql").glob("*.up.sql"):
        source = path.read_text(encoding="utf-8")
        for found in re.finditer(rf"refuse\('{code}'(.*?)\);", source, re.DOTALL):
            built = re.search(r"jsonb_build_object\((.*)", found[1], re.DOTALL)
            keys = re.findall(r"(?:\(|,)\s*'(\w+)'\s*,", f"({built[1]}" if built else "")
            yield f"{path.name}: {code}", frozenset(keys)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_a_sentence(language: Language) -> None:
    known = errors()
    assert len(known) > 50
    assert {f"error.{code}" for code in known} - set(catalogue(language)) == set()
    unused = {counted(key) for key in catalogue(language) if key.startswith("error.")}
    assert unused - {f"error.{code}" for code in known} == set()


FORMS = frozenset().union(*PLURAL_FORMS.values())


def counted(key: str) -> str:
    """The key of a sentence without the plural form that it has."""
    stem, _, form = key.rpartition(".")
    return stem if form in FORMS else key


def test_the_languages_have_the_same_keys_and_placeholders() -> None:
    """A form of a plural may leave its number out, as in "one day"; nothing else may differ."""

    def facts(language: Language) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key, sentence in catalogue(language).items():
            found.setdefault(counted(key), set()).update(placeholders(sentence))
        return found

    for language in LANGUAGES:
        assert facts(language) == facts("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_counted_has_every_form(language: Language) -> None:
    forms: dict[str, set[str]] = {}
    for key in catalogue(language):
        if counted(key) != key:
            forms.setdefault(counted(key), set()).add(key.rpartition(".")[2])
    wanted = PLURAL_FORMS[language]
    assert {key: found for key, found in forms.items() if not wanted <= found <= FORMS} == {}
    assert forms.keys() == {counted(key) for key in catalogue("en") if counted(key) != key}


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", {"one": [1, -1], "other": [0, 2, 5, 11, 21, 101]}),
        ("uz", {"one": [1], "other": [0, 2, 5, 11, 21, 101]}),
        (
            "ru",
            {
                "one": [1, 21, 101, -1, 1001],
                "few": [2, 3, 4, 22, 104, -3],
                "many": [0, 5, 11, 12, 14, 20, 25, 111, 112, 1000],
            },
        ),
    ],
)
def test_the_form_of_a_number(language: Language, forms: dict[str, list[int]]) -> None:
    """As Unicode's CLDR has them for whole numbers."""
    for form, numbers in forms.items():
        assert {plural_form(language, number) for number in numbers} == {form}


def test_every_placeholder_is_a_fact_wherever_the_refusal_is_made() -> None:
    missing = []
    for code, kinds in errors().items():
        wanted = placeholders(catalogue("en")[f"error.{code}"])
        if not wanted:
            continue
        places = [*facts_given({kind.__name__ for kind in kinds}), *facts_given_in_sql(code)]
        assert places, f"nobody gives the facts of {code}"
        missing += [(place, code, wanted - given) for place, given in places if wanted - given]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_images_and_the_ledger_say_is_there(language: Language) -> None:
    wanted = {f"generation.{code}" for code in EXPLAINED}
    wanted |= {"generation.credits_back", "generation.trial_back", "generation.trial_spent"}
    wanted |= {f"ledger.{kind}" for kind in TransferKind}
    assert wanted - set(catalogue(language)) == set()


LABELS = ("button", "title", "label", "line")
"""How the last part of a key begins that is no sentence: words on a button, a heading, a line of a
list."""
SENTENCE_ENDS = tuple(".!?…:")


def is_sentence(key: str) -> bool:
    if key.startswith("ledger.") or key == "payment.credits":
        return False
    return not counted(key).rpartition(".")[2].startswith(LABELS)


def plain(sentence: str) -> str:
    """Without tags, placeholders and everything that is no letter, number or stop."""
    return re.sub(r"<[^>]+>|\{\w+\}", "", sentence)


@pytest.mark.parametrize("key", catalogue("ru"))
def test_each_language_is_itself(key: str) -> None:
    russian = plain(catalogue("ru")[key])
    if any(letter.isalpha() for letter in russian):
        assert CYRILLIC.search(russian) or key in SAME, russian
    for language in LANGUAGES:
        sentence = catalogue(language).get(key)
        if sentence is None:  # A form that only Russian has.
            continue
        assert sentence == sentence.strip()
        if language != "ru":
            assert not CYRILLIC.search(sentence)
        if is_sentence(key) and any(letter.isalpha() for letter in plain(sentence)):
            assert plain(sentence).rstrip(" \n»”)").endswith(SENTENCE_ENDS), sentence


def test_uzbek_is_no_english() -> None:
    same = {
        key
        for key, sentence in catalogue("uz").items()
        if sentence == catalogue("en").get(key) and len(re.findall("[a-z]{3,}", plain(sentence)))
    }
    assert same - SAME == set()


SAME: frozenset[str] = frozenset()
"""What is written alike everywhere: names."""


def test_facts_fill_a_sentence() -> None:
    facts = {"needed": 27, "balance": 3}
    for language in LANGUAGES:
        filled = text(language, "error.insufficient_funds", facts)
        assert "27" in filled
        assert "3" in filled
        assert "{" not in filled
