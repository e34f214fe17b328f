"""What is offered for a draft, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hamyon.catalog.types import Model, ModelForSale

PROMPT_MAX: Final = 4000


@dataclass(frozen=True, slots=True)
class Priced:
    """A model beside what this draft would cost with it; ``amount`` leaves the trial out."""

    model: Model
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered for a draft now.

    ``sale`` None: its model is not for sale any more. ``cost`` None: nothing can be ordered with
    this model, because it is closed or takes fewer references than there are. ``choices`` are the
    models that take them all.
    """

    sale: ModelForSale | None
    options: Mapping[str, str]
    choices: Sequence[Priced]
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a submit would charge now, in minor units of ``asset``.

    ``is_free``: the trial pays ``amount``; ``trials_left`` counts this one. ``balance_after`` is
    negative by what is missing.
    """

    asset: str
    amount: int
    is_free: bool
    trials_left: int
    balance_after: int

    @property
    def due(self) -> int:
        """What pressing the button takes."""
        return 0 if self.is_free else self.amount

    @property
    def balance(self) -> int:
        """What can be spent now."""
        return self.balance_after + self.due

    @property
    def is_enough(self) -> bool:
        return self.balance_after >= 0
