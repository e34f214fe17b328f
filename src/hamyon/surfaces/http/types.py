"""What the core routes need."""

from __future__ import annotations

from typing import Protocol

from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.limits import Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.settings import Settings
from hamyon.kit.storage import Storage
from hamyon.kit.web.permission import Authenticator


class Needs(Protocol):
    """What the application and its core routes take from wiring."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def started_at(self) -> float:
        """When the process began, by ``time.monotonic``."""
        ...

    async def redis_works(self) -> bool | None:
        """Whether Redis answers; None when none is configured."""
        ...
