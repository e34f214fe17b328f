"""Working on jobs: claims, how they end, and what the tasks and routes need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from hamyon.kit.db import Pool
from hamyon.kit.metrics import Metrics
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.kit.storage import Storage
from hamyon.orders.types.engine import Engine
from hamyon.orders.types.order import JobId, JobState, OrderId, ProductRules, StoredOutput


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker may work on until ``lease`` runs out. ``was`` is its state before.

    ``beside``: the call stands beside the job's chain of queue entries and must not lengthen it.
    ``sendable``: the order still wants what has not been sent.
    """

    job_id: JobId
    order_id: OrderId
    lease: UUID
    beside: bool
    sendable: bool
    was: JobState
    engine: str
    provider_path: str
    provider_job_id: str | None
    attempts: int
    fetches: int
    submitted_at: datetime | None
    model_key: str
    input: Mapping[str, object]
    priority: int
    created_at: datetime
    settled: bool


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker has the job for another ``for_s`` seconds."""

    for_s: float


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended."""

    state: Literal[JobState.SUCCEEDED, JobState.REFUSED, JobState.FAILED, JobState.CANCELED]
    outputs: Sequence[StoredOutput] = ()
    error_code: str | None = None
    error_message: str | None = None
    error_retryable: bool = False
    cost_micro_usd: int | None = None


class OutageBook(Protocol):
    """How providers stand: paused by operators, or kept closed by the breaker.

    The catalogue keeps it; one worker's bad news is every process's.
    """

    async def closed_for_s(self, engine: str) -> float:
        """Seconds for which no new order is taken for it; 0 when it is open."""
        ...

    async def wait_s(self, engine: str) -> float:
        """Seconds that a worker must wait before it calls it; 0: call now.

        After an outage one worker at a time gets 0, to try.
        """
        ...

    async def note_outage(self, engine: str, error: str) -> None:
        """The provider as a whole failed."""
        ...

    async def note_success(self, engine: str) -> None:
        """The provider answered."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A provider's webhook that proved to be genuine."""

    event_id: str
    provider_job_id: str


class EventVerifier(Protocol):
    """An engine whose provider tells us by webhook."""

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> ProviderEvent | None:
        """The event, or None for what the provider did not sign."""
        ...


class Needs(Protocol):
    """What the tasks and routes of orders need; wiring's one object satisfies it."""

    @property
    def pool(self) -> Pool: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def waker(self) -> Waker: ...
    @property
    def engines(self) -> Mapping[str, Engine]: ...
    @property
    def rules(self) -> Mapping[str, ProductRules]: ...
    @property
    def outages(self) -> OutageBook: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def metrics(self) -> Metrics: ...

    @property
    def verifiers(self) -> Mapping[str, EventVerifier]: ...

    def callback_url(self, engine: str, job_id: JobId) -> str | None:
        """Where a provider may tell us about a job; None when nobody can reach us."""
        ...

    def is_callback(self, engine: str, job_id: JobId, token: str) -> bool:
        """Whether ``token`` is the one that ``callback_url`` gave out."""
        ...


class Slots:
    """Counts the open calls per engine in this process, so that one that hangs takes no more than
    its share of the worker."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    @contextmanager
    def take(self, engine: Engine) -> Iterator[bool]:
        """Yields whether there was room; gives the place back at the end."""
        count = self._open.get(engine.name, 0)
        if count >= engine.max_in_flight:
            yield False
            return
        self._open[engine.name] = count + 1
        try:
            yield True
        finally:
            self._open[engine.name] -= 1
