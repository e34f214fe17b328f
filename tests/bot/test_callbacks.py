"""Whatever stands behind a button fits into the 64 bytes that Telegram keeps of it."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import secrets
from collections.abc import Iterator, Sequence
from enum import Enum
from types import NoneType
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import annotated_types
import pytest
from aiogram.filters.callback_data import CallbackData
from pydantic.fields import FieldInfo

from hamyon.surfaces import bot
from hamyon.surfaces.bot.flows import operators
from hamyon.surfaces.bot.pictures.callbacks import fingerprint, order_code

BYTES_MAX = 64
NUMBERS = (-(2**52), 2**63 - 1)
"""Telegram's numbers of chats may be below zero, and have at most 52 bits; ours count up."""
MARK, ORDER = len(fingerprint("x")), len(order_code(UUID(int=0)))


def longest(table: str) -> int:
    """The longest name in operators' tables of this name."""
    names = [
        name
        for module in pkgutil.iter_modules(operators.__path__, f"{operators.__name__}.")
        for name in getattr(importlib.import_module(module.name), table, ())
    ]
    return max(map(len, names))


UUID_TEXT = len(str(UUID(int=0)))
LENGTHS = {
    ("ps", "option"): MARK,
    ("pc", "option"): MARK,
    ("pc", "value"): MARK,
    ("px", "order"): ORDER,
    ("pr", "order"): ORDER,
    ("sup", "act"): len("open"),
    ("supt", "act"): len("close_yes"),
    ("os", "screen"): longest("SCREENS"),
    ("os", "of"): UUID_TEXT,
    ("od", "act"): longest("ACTS"),
    ("od", "of"): UUID_TEXT,
    ("ow", "key"): len(secrets.token_urlsafe(12)),
    ("oc", "key"): len(secrets.token_urlsafe(12)),
    ("ob", "criterion"): longest("TURNS"),
}
"""How long texts get whose type does not say so. New ones say it: ``Field(max_length=...)``."""


def callbacks() -> dict[str, type[CallbackData]]:
    """Every kind of button of the bot, by prefix."""
    for module in pkgutil.walk_packages(bot.__path__, f"{bot.__name__}."):
        importlib.import_module(module.name)
    found = {}
    for kind in _subclasses(CallbackData):
        if kind.__module__.startswith("hamyon."):
            assert kind.__prefix__ not in found, f"two kinds of button begin with {kind.__prefix__}"
            found[kind.__prefix__] = kind
    return found


def _subclasses(kind: type[CallbackData]) -> Iterator[type[CallbackData]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def extremes(prefix: str, name: str, field: FieldInfo) -> Sequence[object]:
    """The values of a field that take the most room, and the least."""
    return _extremes(field.annotation, field.metadata, prefix, name)


def _extremes(kind: Any, limits: Sequence[Any], prefix: str, name: str) -> Sequence[object]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    if members := get_args(kind):
        found = [_extremes(one, limits, prefix, name) for one in members if one is not NoneType]
        return [*itertools.chain(*found), *([None] if NoneType in members else [])]
    if kind is bool:
        return [True, False]
    if kind is int:
        least = [one.ge for one in limits if isinstance(one, annotated_types.Ge)]
        most = [one.le for one in limits if isinstance(one, annotated_types.Le)]
        return [*(least or NUMBERS[:1]), *(most or NUMBERS[1:])]
    if kind is UUID:
        return [UUID(int=2**128 - 1)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)
    assert kind is str, f"{prefix}.{name}: teach this test about {kind}"
    told = [one.max_length for one in limits if isinstance(one, annotated_types.MaxLen)]
    length = told[0] if told else LENGTHS.get((prefix, name))
    assert length is not None, f"{prefix}.{name}: say how long it gets, Field(max_length=...)"
    return ["x" * length]


@pytest.mark.parametrize("prefix", callbacks())
def test_every_button_fits(prefix: str) -> None:
    kind = callbacks()[prefix]
    fields = {name: extremes(prefix, name, field) for name, field in kind.model_fields.items()}
    for values in itertools.product(*fields.values()):
        button = kind(**dict(zip(fields, values, strict=True)))
        packed = button.pack()
        assert len(packed.encode()) <= BYTES_MAX, packed
        assert kind.unpack(packed) == button


def test_lengths_are_about_fields_that_exist() -> None:
    known = callbacks()
    for prefix, name in LENGTHS:
        assert name in known[prefix].model_fields, (prefix, name)
    assert len(known) >= 15
