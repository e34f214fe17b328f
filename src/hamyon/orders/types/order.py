"""An order, its jobs, and what settling sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

from hamyon.kit.db import Connection
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
