"""What must be told to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody must learn.

    ``key`` names the event and its recipient, so that it is told once. ``kind`` chooses the
    texts; slices above bring their own. ``facts`` are JSON values. ``user_id`` None: operators.
    """

    key: str
    kind: str
    facts: Mapping[str, object]
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class WrittenNotice:
    """A notice as it lies in the outbox."""

    id: int
    notice: Notice
    created_at: datetime
