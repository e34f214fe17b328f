"""What the images product is asked, answers and needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from hamyon.catalog.types import CatalogCache
from hamyon.kit.clock import Clock
from hamyon.kit.signals import Signals
from hamyon.orders.service.read import Waiting
from hamyon.orders.types import Engine, OrderId
from hamyon.orders.types import Needs as OrderNeeds

PRODUCT = "images"


@dataclass(frozen=True, slots=True)
class Submit:
    """A picture that a person wants. ``options`` holds what was named; None is the default."""

    user_id: int
    model: str
    prompt: str
    options: Mapping[str, str | None]
    references: Sequence[UUID]
    use_trial: bool
    deliver: Mapping[str, object] | None
    expected_amount: int | None = None
    """What the person was shown; another price is refused then. 0: by the trial, or not at all."""


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key of idempotency it is, and for which route: a retry is no repetition of its submit.

    ``key`` None: a repetition is a second order.
    """

    caller: str
    key: str | None
    route: str = "images.submit"


@dataclass(frozen=True, slots=True)
class Submitted:
    """The first answer of a submit, the same for every repetition of its key."""

    id: OrderId
    model: str
    asset: str
    amount: int
    trial_used: bool
    balance: int
    position: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """What a submit would charge now, in minor units of ``asset``.

    ``is_free``: the trial pays ``price``; ``trials_left`` counts this one. ``balance_after`` is
    negative by what is missing.
    """

    asset: str
    price: int
    is_free: bool
    trials_left: int
    balance_after: int


class Needs(OrderNeeds, Protocol):
    """What images' routes need beyond what orders need."""

    @property
    def clock(self) -> Clock: ...
    @property
    def catalog(self) -> CatalogCache: ...
    @property
    def signals(self) -> Signals: ...
    @property
    def waiting(self) -> Waiting: ...

    def engine_for(self, name: str) -> Engine:
        """The engine that works for a provider of the catalogue in this installation."""
        ...
