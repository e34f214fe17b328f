"""Tasks of the simulated vendor, and the bounded memory that keeps them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from sandbox.faults import Fault, FaultKind, first
from sandbox.wavespeed.accounts import Account
from sandbox.wavespeed.models import Wanted

REFERENCE_BYTES_MAX = 128 * 1024 * 1024
INPUT_TEXT_MAX = 4000


class Status(StrEnum):
    """The vendor's states; from ``completed`` on they are terminal."""

    CREATED = "created"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    DELETED = "deleted"


@dataclass(slots=True, eq=False)
class Job:
    """One accepted task. ``price_micro_usd`` was taken when it was accepted."""

    id: str
    model: str
    account: Account
    base_url: str
    input: Mapping[str, object]
    wanted: Wanted
    price_micro_usd: int
    webhook_url: str | None
    faults: tuple[Fault, ...]
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: Status = Status.CREATED
    references: tuple[bytes, ...] = ()
    error: str = ""
    code: int = 0
    nsfw: bool = False
    output_count: int = 0
    inference_ms: int = 0
    finished_at: datetime | None = None
    task: asyncio.Task[None] | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    notified: asyncio.Event = field(default_factory=asyncio.Event)

    def fault(self, *kinds: FaultKind) -> Fault | None:
        """The fault of one of these kinds that was decided when the job was submitted."""
        return first(self.faults, *kinds) if self.faults else None

    def stop(self) -> None:
        """Give the work up and let go of whoever waits for it."""
        if self.task is not None:
            self.task.cancel()
        self.done.set()
        self.notified.set()

    @property
    def reference_bytes(self) -> int:
        return sum(len(reference) for reference in self.references)


def prediction(job: Job, outputs: list[str], *, with_input: bool = False) -> dict[str, object]:
    """The prediction object; ``outputs`` are URLs or base64 texts."""
    answer: dict[str, object] = {
        "id": job.id,
        "model": job.model,
        "status": job.status.value,
        "outputs": outputs,
        "urls": {"get": f"{job.base_url}/api/v3/predictions/{job.id}/result"},
        "has_nsfw_contents": [job.nsfw] * max(job.output_count, int(job.nsfw)),
        "created_at": job.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "error": job.error,
        "executionTime": job.inference_ms,
        "timings": {"inference": job.inference_ms},
    }
    if job.code:
        answer["code"] = job.code
    if with_input:
        answer["input"] = job.input
    return answer


def remembered_input(body: Mapping[str, object]) -> dict[str, object]:
    """A request body without its big parts, such as pictures as ``data:`` texts."""

    def short(value: object) -> object:
        if isinstance(value, str) and len(value) > INPUT_TEXT_MAX:
            return f"{value[:100]}… ({len(value)} characters)"
        if isinstance(value, list):
            return [short(item) for item in value]
        return value

    return {name: short(value) for name, value in body.items()}


@dataclass(slots=True)
class Jobs:
    """The tasks that are still remembered, oldest first."""

    _by_id: OrderedDict[str, Job] = field(default_factory=OrderedDict)
    _reference_bytes: int = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, job: Job, jobs_max: int) -> None:
        """Remember a task; forget the oldest above the bound."""
        self._by_id[job.id] = job
        while len(self._by_id) > jobs_max:
            self._forget_oldest()

    def hold_references(self, job: Job, references: tuple[bytes, ...]) -> None:
        """Give a task its references; forget the oldest tasks when they take too much memory."""
        job.references = references
        if job.id not in self._by_id:
            return
        self._reference_bytes += job.reference_bytes
        while self._reference_bytes > REFERENCE_BYTES_MAX and len(self._by_id) > 1:
            self._forget_oldest()

    def get(self, job_id: str) -> Job | None:
        return self._by_id.get(job_id)

    def newest_first(self) -> Iterator[Job]:
        return reversed(self._by_id.values())

    def clear(self) -> None:
        """Forget everything and stop what runs."""
        while self._by_id:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, job = self._by_id.popitem(last=False)
        self._reference_bytes -= job.reference_bytes
        job.stop()
