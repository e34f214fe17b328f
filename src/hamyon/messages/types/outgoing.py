"""What is sent to people, through whichever channel, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeAlias

ALBUM_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Button:
    """Under a message. Either ``url``, or ``data``: what the bot hears, at most 64 bytes."""

    text: str
    url: str | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        assert (self.url is None) != (self.data is None)


Keyboard: TypeAlias = Sequence[Sequence[Button]]
"""Rows of buttons."""


class FileKind(StrEnum):
    """How a channel shows a file. A photo may arrive as a document when the channel wants it so."""

    PHOTO = "photo"
    VIDEO = "video"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class File:
    """A file of our storage. ``ref`` is the channel's own id of it after an earlier upload."""

    kind: FileKind
    path: str
    name: str
    mime: str
    bytes: int
    width: int | None = None
    height: int | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes. ``reply_to`` and ``topic_id`` are wishes: without them it goes, too."""

    chat_id: int
    reply_to: int | None = None
    topic_id: int | None = None


@dataclass(frozen=True, slots=True)
class TextMessage:
    """``html`` has at most 4096 characters of text."""

    html: str
    buttons: Keyboard = ()


@dataclass(frozen=True, slots=True)
class FileMessage:
    """One file, or an album of up to ten. The caption has at most 1024 characters of text.

    An album carries no buttons. Documents go with documents only.
    """

    files: Sequence[File]
    caption_html: str = ""
    buttons: Keyboard = ()

    def __post_init__(self) -> None:
        assert 1 <= len(self.files) <= ALBUM_MAX
        assert len(self.files) == 1 or not self.buttons


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that was sent before says something else now."""

    message_id: int
    html: str
    buttons: Keyboard = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """A message that was sent before goes."""

    message_id: int


Outgoing: TypeAlias = TextMessage | FileMessage | Edit | Removal


@dataclass(frozen=True, slots=True)
class Sent:
    """It arrived. ``refs`` are the channel's ids of the files, in their order.

    Also: an edit that changed nothing, and an edit or removal of what is not there any more.
    """

    message_ids: tuple[int, ...] = ()
    refs: tuple[str | None, ...] = ()


GoneReason: TypeAlias = Literal["blocked", "deactivated", "not_found"]


@dataclass(frozen=True, slots=True)
class Gone:
    """The person cannot be reached through this channel until he comes back. Nothing was sent."""

    reason: GoneReason


@dataclass(frozen=True, slots=True)
class Moved:
    """The chat has another id now. Nothing was sent."""

    chat_id: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The channel wants to be left alone for a while. Nothing was sent.

    ``is_ours``: something of our own is not ready, a file or the room to upload it; the channel has
    said nothing, and others need not wait.
    """

    retry_after_s: float
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message. Nothing was sent. ``reason`` is for operators."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows whether it arrived. ``reason`` is for operators.

    ``is_likely_there``: it was sent and no answer came, or a part of it has arrived. Whoever sends
    it again very probably sends it twice. A channel that answers that it is broken is none of it.
    """

    reason: str
    is_likely_there: bool = False


SendOutcome: TypeAlias = Sent | Gone | Moved | Wait | Refused | Unclear


class Sender(Protocol):
    """A channel. Raises nothing; every call has a time-out."""

    @property
    def channel(self) -> str:
        """Its name in our tables."""
        ...

    async def send(self, target: Target, message: Outgoing, *, paid: bool = False) -> SendOutcome:
        """Send once. ``paid``: at the channel's paid pace, which costs us for each message."""
        ...
