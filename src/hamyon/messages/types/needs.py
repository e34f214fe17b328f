"""What this slice takes from wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.kit.storage import Storage
from hamyon.messages.types.notices import Composer
from hamyon.messages.types.outgoing import Sender
from hamyon.users.types import SegmentSource


class Needs(Protocol):
    """Routes, tasks and the bot hold it."""

    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def waker(self) -> Waker: ...
    @property
    def senders(self) -> Mapping[str, Sender]:
        """By channel; none where no channel is set up."""
        ...

    @property
    def composers(self) -> Mapping[str, Composer]:
        """By kind of notice, for those whose letters are more than a sentence."""
        ...

    @property
    def segment_sources(self) -> Sequence[SegmentSource]:
        """What each slice knows of people, for choosing whom to write to."""
        ...
