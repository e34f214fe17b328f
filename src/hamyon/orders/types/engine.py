"""The contract with providers: what an engine is asked and what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hamyon.orders.types.order import JobId


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


# --- what it answers: every call has exactly one of these outcomes --------------------------------


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
