"""What people ask of support, and what operators answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

ThreadId = NewType("ThreadId", int)

PERSON: Final = "person"
"""The author of what the person himself wrote; operators are named as the audit log names them."""
BODY_MAX: Final = 4096
"""As long as Telegram lets anybody write."""
REPLY_MAX: Final = 3500
"""An answer arrives under a heading, and both fit into one message."""
PHOTOS_MAX: Final = 3
"""With one message of a person."""


class ThreadStatus(StrEnum):
    """``open`` waits for operators, ``answered`` for the person."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation with a person; he has at most one that is not closed."""

    id: ThreadId
    user_id: int
    status: ThreadStatus
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    closed_by: str | None


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """``upload_ids`` are the person's own uploads; they expire like any other."""

    id: int
    thread_id: ThreadId
    author: str
    body: str
    upload_ids: Sequence[UUID]
    created_at: datetime

    @property
    def is_from_person(self) -> bool:
        """Written by him, and not by an operator."""
        return self.author == PERSON


@dataclass(frozen=True, slots=True)
class Written:
    """A message with its thread as it stands now. ``is_new`` False: it was written before."""

    thread: Thread
    message: ThreadMessage
    is_new: bool


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """``next_after`` is what the next page starts behind; None on the last one."""

    threads: Sequence[Thread]
    next_after: tuple[datetime, ThreadId] | None
