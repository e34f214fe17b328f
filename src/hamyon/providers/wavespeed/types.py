"""What WaveSpeed answers, before it means anything to us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hamyon.orders.types import ProviderEvent

SUBMIT_LIMIT_BYTES: Final = 1024 * 1024
OUTPUT_LIMIT_BYTES: Final = 64 * 1024 * 1024

CODE_OK: Final = 200
CODE_MODERATED: Final = 1200
CODE_TIMED_OUT: Final = 5004
"""As a task's code: still running when its status says so, over when it failed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. ``code`` is the envelope's, None when the body was no envelope."""

    status: int
    code: int | None
    message: str
    data: Mapping[str, object]
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Both the HTTP status and the envelope's code say so; either alone is an error."""
        return self.status == 200 and self.code == CODE_OK

    @property
    def status_meant(self) -> int:
        """The HTTP status, or the one that an envelope carries inside a 200."""
        if self.status == 200 and self.code is not None and 300 <= self.code < 600:
            return self.code
        return self.status


@dataclass(frozen=True, slots=True)
class WebhookEvent(ProviderEvent):
    """A genuine webhook: ask for the prediction now; what it says itself decides nothing."""

    status: str


class CallFailed(Exception):
    """A call that is not about one job (price, balance, upload) did not succeed."""
