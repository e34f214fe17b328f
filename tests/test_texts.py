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
from hamyon.kit.texts import LANGUAGES, Language, catalogue, text
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
    unused = {key for key in catalogue(language) if key.startswith("error.")}
    assert unused - {f"error.{code}" for code in known} == set()


def test_the_languages_have_the_same_keys_and_placeholders() -> None:
    english = {key: placeholders(sentence) for key, sentence in catalogue("en").items()}
    for language in LANGUAGES:
        assert {
            key: placeholders(sentence) for key, sentence in catalogue(language).items()
        } == english


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


LABELS = {"payment.credits"}
"""Words on a button or an invoice, no sentences."""


def test_each_language_is_itself() -> None:
    for key in catalogue("en"):
        sentences = {language: catalogue(language)[key] for language in LANGUAGES}
        assert CYRILLIC.search(sentences["ru"]), key
        assert not CYRILLIC.search(sentences["uz"] + sentences["en"]), key
        assert sentences["uz"] != sentences["en"], key
        for sentence in sentences.values():
            assert sentence == sentence.strip(), key
            if not key.startswith("ledger.") and key not in LABELS:
                assert sentence[-1] == ".", key


def test_facts_fill_a_sentence() -> None:
    facts = {"needed": 27, "balance": 3}
    for language in LANGUAGES:
        filled = text(language, "error.insufficient_funds", facts)
        assert "27" in filled
        assert "3" in filled
        assert "{" not in filled
