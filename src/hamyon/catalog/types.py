"""What other slices may hold of models, prices, packages and providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from hamyon.kit.cache import Cache, Namespace
from hamyon.kit.money import Asset
from hamyon.kit.texts import Language

PriceId = NewType("PriceId", int)

SIZE: Final = "size"
OPTION_NAMES: Final = (SIZE, "aspect_ratio", "resolution", "output_format")
"""The options that a request can name; a model has some of them."""

MICRO_USD_PER_CREDIT: Final = 1000
"""One USD is 1000 credits (contract/images.md)."""


@dataclass(frozen=True, slots=True)
class Option:
    """What a model can be asked for. ``default`` is one of ``values``."""

    values: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its row says.

    ``path_text`` is the provider's path without references, ``path_edit`` the one with them.
    """

    key: str
    product: str
    engine: str
    name: str
    path_text: str
    path_edit: str
    max_references: int
    options: Mapping[str, Option]
    quality_stars: int
    duration_min_s: int
    duration_max_s: int
    deadline_s: int
    active: bool
    sort: int

    def path(self, references_count: int) -> str:
        """Where at the provider a request with so many references goes."""
        return self.path_edit if references_count else self.path_text


class PriceUnit(StrEnum):
    """What an amount pays for: the order whole, or each picture of it."""

    ORDER = "order"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class PriceRule:
    """``amount`` instead of the price's own where every option in ``when`` has that value."""

    when: Mapping[str, str]
    amount: int


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price that an operator sets. Of ``by_option`` the first rule that matches counts."""

    asset: Asset
    unit: PriceUnit
    amount: int
    by_option: tuple[PriceRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """One version of a model's price; it is never changed, only followed by another."""

    id: PriceId
    asset: Asset
    unit: PriceUnit
    amount: int
    by_option: tuple[PriceRule, ...]
    set_by: str
    valid_from: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ModelForSale:
    """A model and what it costs now."""

    model: Model
    price: Price


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model as operators see it: also without a price, also not for sale."""

    model: Model
    price: Price | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order costs: ``amount`` in minor units of ``asset``, by the price ``price_id``.

    ``amount`` is for the whole order; ``unit`` says whether part of it may be captured.
    """

    asset: Asset
    amount: int
    price_id: PriceId
    unit: PriceUnit


@dataclass(frozen=True, slots=True)
class ModelPatch:
    """What an operator changes of a model; None leaves it as it is."""

    active: bool | None = None
    name: str | None = None
    options: Mapping[str, Option] | None = None
    sort: int | None = None
    deadline_s: int | None = None
    path_text: str | None = None
    path_edit: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """So much of an asset for sale at once: ``amount`` and ``bonus`` on top, in its minor units.

    ``titles`` has every language. ``prices`` says by gateway what it costs there, in minor units
    of the gateway's currency; where a gateway is missing, it cannot be bought.
    """

    key: str
    titles: Mapping[Language, str]
    asset: Asset
    amount: int
    bonus: int
    prices: Mapping[str, int]
    active: bool
    sort: int

    def title(self, language: Language) -> str:
        """How it is called."""
        return self.titles[language]

    @property
    def granted(self) -> int:
        """What one of it brings, the bonus with it."""
        return self.amount + self.bonus


@dataclass(frozen=True, slots=True)
class PackagePatch:
    """What an operator changes of a package; None leaves it as it is."""

    titles: Mapping[Language, str] | None = None
    asset: Asset | None = None
    amount: int | None = None
    bonus: int | None = None
    prices: Mapping[str, int] | None = None
    active: bool | None = None
    sort: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """How a provider stood when it was last read, by the database's clock.

    ``closed``: no new work, because operators paused it or its breaker is open. ``probing``: the
    breaker's time is over and nobody knows yet whether the provider is back.
    """

    name: str
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    failures: int
    open_until: datetime | None
    closed: bool
    probing: bool
    retry_after_s: int
    last_error: str | None
    last_error_at: datetime | None
    balance_micro_usd: int | None
    balance_at: datetime | None


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What the provider takes for one picture of a model with these options."""

    model_key: str
    options: Mapping[str, str]
    cost_micro_usd: int


@dataclass(frozen=True, slots=True)
class ThinMargin:
    """A price that leaves less than it should; ``percent`` is negative for a loss."""

    cost: ModelCost
    amount: int
    percent: int


@dataclass(frozen=True, slots=True)
class CatalogCache:
    """The process's cache and the two kinds of value that the catalogue keeps in it."""

    cache: Cache
    models: Namespace[Sequence[ModelForSale]]
    providers: Namespace[ProviderStatus]
