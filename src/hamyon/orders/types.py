"""What other slices may hold of an order, and the two contracts that orders live by."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NewType, Protocol
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.kit.metrics import Metrics
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.kit.storage import Storage
from hamyon.ledger.types import TransferKind

OrderId = NewType("OrderId", UUID)
JobId = NewType("JobId", UUID)


class OrderState(StrEnum):
    """Where an order stands. The last three are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    REVIEW = "review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class JobState(StrEnum):
    """Where one provider call stands. ``uncertain``: we do not know whether it was accepted."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELED = "canceled"
    UNCERTAIN = "uncertain"


OPEN_JOB_STATES = (JobState.QUEUED, JobState.SUBMITTING, JobState.RUNNING, JobState.UNCERTAIN)


# --- what an engine is asked -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A person's picture for the provider.

    ``url`` is signed by our storage and public only when ``PUBLIC_URL`` is; an engine that cannot
    use it reads the bytes with ``read``.
    """

    mime: str
    bytes: int
    url: str
    read: ReadBytes


class ReadBytes(Protocol):
    """Fetches a stored file whole."""

    async def __call__(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One provider call. The same job always makes an equal request (class A repeats it).

    ``options`` are the catalogue's option values (``size``, ``aspect_ratio``, ``resolution``,
    ``output_format``); ``callback_url`` is ours, carries the job's id and a signature, and is
    None when this installation cannot be reached from outside.
    """

    job_id: JobId
    model_key: str
    provider_path: str
    prompt: str
    options: Mapping[str, str]
    references: Sequence[Reference] = ()
    callback_url: str | None = None


# --- what an engine answers: every call has exactly one of these outcomes ------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """One made picture, not yet in our storage: a URL to download, or the bytes themselves."""

    url: str | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider works on it under ``provider_job_id``; ask again after ``poll_after_s``."""

    provider_job_id: str
    poll_after_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """Still being made; ask again after ``poll_after_s``."""

    poll_after_s: float


@dataclass(frozen=True, slots=True)
class Finished:
    """Made. ``outputs`` is never empty: an answer without a picture is ``Failed``."""

    outputs: Sequence[Output]
    cost_micro_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused the content for safety. ``reason`` is the provider's own word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not and will not work. ``retryable`` says whether the same request may be sent anew.

    ``outage`` marks failures of the provider as a whole (5xx, refused connections, its rate
    limit), which the breaker counts; a bad parameter is not one. A poll that answers with an
    outage says nothing about the job: it is asked again. ``retry_after_s`` is the provider's wish.
    """

    code: str
    message: str
    retryable: bool
    outage: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may or may not have been accepted (time-out, cut connection)."""

    message: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """The provider stopped it at our wish or its own."""


SubmitOutcome = Accepted | Finished | Refused | Failed | Unknown
PollOutcome = Running | Finished | Refused | Failed | Canceled | Unknown


class ProviderClass(StrEnum):
    """What can be done about a request whose fate is unknown (DESIGN, section 2)."""

    REPEATABLE = "A"
    """It takes an idempotency key: repeat with the same key and the same bytes."""
    ADOPTABLE = "B"
    """It carries our id in its callback: wait for it and adopt."""
    OPAQUE = "C"
    """Neither: never resubmit; a person decides, or the deadline does."""


class Engine(Protocol):
    """A provider of pictures. Implementations live in ``providers/`` and hold no state of ours.

    No method raises for what a vendor may do: time-outs, cut connections, odd answers and error
    codes are outcomes.
    """

    @property
    def name(self) -> str:
        """The provider's key in the catalogue: ``wavespeed``, ``offline``."""
        ...

    @property
    def provider_class(self) -> ProviderClass: ...

    @property
    def max_in_flight(self) -> int:
        """How many calls of this process may be open at once."""
        ...

    async def submit(self, request: JobRequest) -> SubmitOutcome:
        """Ask for the work once. Never retries by itself."""
        ...

    async def poll(self, provider_job_id: str) -> PollOutcome:
        """Ask how it goes."""
        ...

    async def cancel(self, provider_job_id: str) -> bool:
        """Try to stop it; True when the provider said that it did."""
        ...

    def download(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes of an output in pieces. Raises ``orders.errors.DownloadFailed``."""
        ...

    def job_id_of_event(self, body: bytes) -> str | None:
        """The provider's job id in one of its verified events; None when there is none."""
        ...

    async def balance_micro_usd(self) -> int | None:
        """What is left of our money there; None when the provider does not say."""
        ...


# --- what settling sees ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """A picture in our own storage."""

    path: str
    mime: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """One provider call of an order."""

    id: JobId
    order_id: OrderId
    ordinal: int
    state: JobState
    outputs: Sequence[StoredOutput]
    error_code: str | None
    error_message: str | None
    error_retryable: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One paid request. ``price`` is what was held, ``charged`` what settling took of it."""

    id: OrderId
    user_id: int
    product: str
    model_key: str
    engine: str
    state: OrderState
    input: Mapping[str, object]
    asset: str
    price: int
    charged: int | None
    trial: bool
    deliver: Mapping[str, object] | None
    error_code: str | None
    error_message: str | None
    error_retryable: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    settled_at: datetime | None


PriceUnit = Literal["order", "picture"]


class ProductRules(Protocol):
    """What a product decides when its order ends. The first two run inside the settling
    transaction, so they must not call anybody outside."""

    def capture_amount(self, order: Order, jobs: Sequence[Job]) -> int:
        """How much of ``order.price`` is taken for what was delivered, 0 to the price."""
        ...

    async def on_settled(self, connection: Connection, order: Order) -> None:
        """Write what follows for the product: a trial used or given back, counters, streaks."""
        ...

    def delivery(self, order: Order) -> Mapping[str, object]:
        """The facts of the notice that tells the person."""
        ...

    @property
    def transfer_kind(self) -> TransferKind:
        """As what a charge stands in the person's history."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """A job as operators see it; ``outputs`` counts what lies in our storage."""

    id: JobId
    order_id: OrderId
    state: JobState
    engine: str
    provider_job_id: str | None
    outputs: int
    cost_micro_usd: int | None
    error_code: str | None
    error_message: str | None
    submitted_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobEnds:
    """How the jobs of one engine ended in a span of time; ``cost_micro_usd`` is what they cost."""

    engine: str
    succeeded: int
    failed: int
    refused: int
    canceled: int
    cost_micro_usd: int

    @property
    def error_rate(self) -> float | None:
        """The share of failures among what the provider decided; None when it decided nothing."""
        decided = self.succeeded + self.failed + self.refused
        return self.failed / decided if decided else None


# --- working on jobs ------------------------------------------------------------------------------


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
