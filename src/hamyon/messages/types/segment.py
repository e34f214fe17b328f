"""Whom a broadcast is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Criterion: TypeAlias = Literal[
    "active_days",
    "paid",
    "balance_min",
    "language",
    "product",
    "advertising_source",
    "registered_days_max",
]
CRITERIA: Final[frozenset[str]] = frozenset(get_args(Criterion))


@dataclass(frozen=True, slots=True)
class Segment:
    """People for whom every one of ``criteria`` holds; of no criteria, everybody.

    ``criteria`` are JSON values by name, as a broadcast's row keeps them.
    """

    criteria: Mapping[str, object]
