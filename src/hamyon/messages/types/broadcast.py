"""One message to many people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from hamyon.messages.types.segment import Segment

BroadcastId = NewType("BroadcastId", int)

CHANNEL: Final = "telegram"
"""The one channel that broadcasts go through."""
TEXT_MAX: Final = 4096
CAPTION_MAX: Final = 1024
BUTTON_TEXT_MAX: Final = 64


class BroadcastState(StrEnum):
    """``completed`` and ``canceled`` are ends; a paused one goes on where it stopped."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELED = "canceled"


class RecipientState(StrEnum):
    """``sending``: a process has him in hand. ``blocked`` and ``deactivated``: he is gone."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    FAILED = "failed"


class ContentType(StrEnum):
    """What kind of message it is."""

    TEXT = "text"
    PHOTO = "photo"
    VIDEO = "video"
    ALBUM = "album"


@dataclass(frozen=True, slots=True)
class LinkButton:
    """Under the message; ``url`` is http or https."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent. ``text`` is plain: nothing in it is markup. With files it is the caption."""

    type: ContentType
    text: str = ""
    upload_ids: Sequence[UUID] = ()
    button: LinkButton | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a broadcast as its row keeps it. ``ref`` is the channel's own id of it."""

    path: str
    mime: str
    bytes: int
    width: int
    height: int
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class NewBroadcast:
    """A broadcast to be written; ``files`` are those of its content, in their order."""

    content: Content
    segment: Segment
    paid: bool
    schedule_at: datetime | None
    files: Sequence[StoredFile]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A broadcast as its row stands. ``recipients`` is an estimate until it starts."""

    id: BroadcastId
    content: Content
    segment: Segment
    state: BroadcastState
    paid: bool
    schedule_at: datetime | None
    recipients: int
    files: Sequence[StoredFile]
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    kept: Tally | None = None
    """How it ended; None before, and while it is not certain yet."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many recipients are in which state; ``lately`` were reached within ``LATELY_S``."""

    states: Mapping[RecipientState, int]
    lately: int = 0

    def of(self, *states: RecipientState) -> int:
        """How many are in any of ``states``."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def sent(self) -> int:
        return self.of(RecipientState.SENT)

    @property
    def blocked(self) -> int:
        """Who cannot be reached any more: he blocked the bot, or his account is gone."""
        return self.of(RecipientState.BLOCKED, RecipientState.DEACTIVATED)

    @property
    def failed(self) -> int:
        return self.of(RecipientState.FAILED)

    @property
    def waiting(self) -> int:
        """Who is still to be written to."""
        return self.of(RecipientState.PENDING, RecipientState.SENDING)


@dataclass(frozen=True, slots=True)
class Progress:
    """A broadcast and how far it is. ``pace`` is in messages a second, while it runs."""

    broadcast: Broadcast
    tally: Tally
    pace: float | None
    eta_s: int | None
    cost_stars: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody whom a process has in hand. ``error`` is what came of the last of ``attempts``."""

    user_id: int
    attempts: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A recipient as operators see him."""

    user_id: int
    state: RecipientState
    attempts: int
    error: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a recipient. ``gone`` is why he can be reached no more."""

    user_id: int
    state: RecipientState
    error: str | None = None
    gone: str | None = None
