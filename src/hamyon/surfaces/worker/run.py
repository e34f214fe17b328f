"""The worker: the queue's handlers and the schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hamyon.kit.db import Pool
from hamyon.kit.queue import Companion, Handler, Schedule, Worker
from hamyon.kit.settings import Settings


class Needs(Protocol):
    """What the worker takes from wiring."""

    @property
    def pool(self) -> Pool: ...
    @property
    def settings(self) -> Settings: ...
    def handlers(self) -> dict[str, Handler]: ...
    def schedules(self) -> list[Schedule]: ...
    def companions(self) -> Sequence[Companion]: ...


def create_worker(needs: Needs) -> Worker:
    """A worker over what wiring built; ``run`` it, ``stop`` it."""
    return Worker(
        needs.pool,
        needs.handlers(),
        needs.schedules(),
        companions=needs.companions(),
        heartbeat_s=needs.settings.worker_heartbeat_s,
    )
