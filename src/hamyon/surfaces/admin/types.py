"""What operators' routes and schedules need, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from hamyon.catalog.types import CatalogCache
from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock
from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import Finding
from hamyon.orders.types import Needs as OrderNeeds


class Needs(OrderNeeds, Protocol):
    """What operators' routes and schedules take from wiring."""

    @property
    def clock(self) -> Clock: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def catalog(self) -> CatalogCache: ...
    @property
    def started_at(self) -> float:
        """When the process began, by ``time.monotonic``."""
        ...

    async def audit(
        self, connection: Connection | Pool, since: datetime | None = None
    ) -> Sequence[Finding]:
        """Every slice's broken invariants. Empty is sound."""
        ...


@runtime_checkable
class PriceSource(Protocol):
    """An engine whose provider says what a picture would cost us."""

    async def price_micro_usd(self, model_path: str, inputs: Mapping[str, object]) -> int | None:
        """What the provider takes for ``inputs``; None when it does not say now."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of something that runs by the clock."""

    name: str
    day: date
    started_at: datetime
    findings: int
    outcome: Mapping[str, object]
