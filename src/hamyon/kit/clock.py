"""Time. Everything that decides by time asks a ``Clock``, so that tests can move it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """The present in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class MovedClock:
    """The machine's clock plus an offset that its owner moves."""

    offset: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **parts: float) -> None:
        """Move forward by ``timedelta(**parts)``."""
        self.offset += timedelta(**parts)
