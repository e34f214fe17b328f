"""The shared memory of bots and people: every chat, whole, as both sides have written it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

ENTRIES_MAX = 10_000
TOASTS_MAX = 100


@dataclass(slots=True)
class Entry:
    """A message as the Bot API tells it. An edit puts a new ``message`` in place of the old one,
    so whoever holds the old one keeps what was true then.

    ``page`` is where its invoice can be paid; ``keyboard`` the markup that it came with, unless
    that is inline and part of the message; ``changed`` the chat's version that it came with or was
    last edited or deleted in.
    """

    message: dict[str, object]
    page: str | None = None
    keyboard: Mapping[str, object] | None = None
    deleted: bool = False
    changed: int = 0

    @property
    def id(self) -> int:
        number = self.message["message_id"]
        assert isinstance(number, int)
        return number

    @property
    def is_from_bot(self) -> bool:
        sender = self.message["from"]
        return isinstance(sender, dict) and sender["is_bot"] is True


@dataclass(frozen=True, slots=True)
class Toast:
    """A bot's answer to a tapped button, shown above the chat or, as an alert, until it is read."""

    query_id: str
    text: str
    show_alert: bool
    url: str
    changed: int


@dataclass(frozen=True, slots=True)
class Action:
    """What the bot says that it is doing ("typing"); shown for about five seconds."""

    name: str
    at: float
    thread_id: int | None


@dataclass(slots=True)
class Chat:
    """A bot and one person, or one group.

    ``version`` grows with everything that can be seen: a message, an edit, a deletion, a toast, an
    action. ``entries`` are in the order of their ids, which are also the order of arrival; the
    oldest go when there are too many. ``keyboard`` is what the person has in place of letters.
    """

    id: int
    entries: dict[int, Entry] = field(default_factory=dict)
    toasts: deque[Toast] = field(default_factory=lambda: deque(maxlen=TOASTS_MAX))
    action: Action | None = None
    keyboard: Mapping[str, object] | None = None
    pinned: list[int] = field(default_factory=list)
    reactions: dict[int, list[object]] = field(default_factory=dict)
    version: int = 0
    blocked: bool = False
    started: bool = False
    _changed: asyncio.Event | None = None

    def add(
        self,
        message: dict[str, object],
        page: str | None = None,
        keyboard: Mapping[str, object] | None = None,
    ) -> Entry:
        """A new message, from either side."""
        self.touch()
        entry = Entry(message, page, keyboard, changed=self.version)
        if keyboard is not None:
            self.keyboard = None if "remove_keyboard" in keyboard else keyboard
        self.entries[entry.id] = entry
        if len(self.entries) > ENTRIES_MAX:
            oldest = next(iter(self.entries))
            del self.entries[oldest]
            self.reactions.pop(oldest, None)
        return entry

    def find(self, message_id: int) -> Entry | None:
        """A message that is there and not deleted."""
        entry = self.entries.get(message_id)
        return None if entry is None or entry.deleted else entry

    def edit(self, entry: Entry, message: dict[str, object]) -> None:
        """Put another message in its place."""
        self.touch()
        entry.message = message
        entry.changed = self.version

    def delete(self, entry: Entry) -> None:
        self.touch()
        entry.deleted = True
        entry.changed = self.version
        if entry.id in self.pinned:
            self.pinned.remove(entry.id)

    def toast(self, query_id: str, text: str, *, show_alert: bool, url: str) -> None:
        """Answer a tap."""
        self.touch()
        self.toasts.append(Toast(query_id, text, show_alert, url, self.version))

    def act(self, action: Action) -> None:
        self.touch()
        self.action = action

    def touch(self) -> None:
        """Something that can be seen has changed."""
        self.version += 1
        self.wake()

    def wake(self) -> None:
        """End every wait for a change."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait_changed(self, version: int, timeout_s: float) -> int:
        """Until the version is above this one, or the time is over; the version then."""
        if self.version <= version:
            if self._changed is None:
                self._changed = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout_s)
        return self.version

    def since(self, version: int) -> Iterator[Entry]:
        """What is new, edited or deleted after this version, in the order of ids."""
        return (entry for entry in self.entries.values() if entry.changed > version)
