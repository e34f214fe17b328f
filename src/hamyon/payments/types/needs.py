"""What the routes, tasks and use cases of payments take from wiring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.payments.types.gateway import Gateway


class Needs(Protocol):
    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def waker(self) -> Waker: ...
    @property
    def gateways(self) -> Mapping[str, Gateway]:
        """Every way to pay that is set up, by name."""
        ...
