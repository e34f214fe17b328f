"""The queue: PgQueuer with our conventions.

Jobs are added inside the caller's own transaction (``kit.store.add_job`` or SQL's ``queue_add``),
so they exist exactly when what they are about exists. They run at least once: every handler is safe
to run again from the start. A handler that raises is run again later, with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.models import Schedule as DueSchedule
from pgqueuer.errors import RetryRequested

from hamyon.kit import store
from hamyon.kit.db import Connection, Pool

Handler = Callable[[str], Awaitable[None]]

CHANNEL: Final = "ch_pgqueuer"
POLL: Final = timedelta(seconds=1)
"""How long a job can lie unseen when its producer died between its commit and its signal."""
RETRY_DELAY_MAX: Final = timedelta(minutes=5)
IN_FLIGHT_MAX: Final = 1000
BATCH: Final = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A handler that runs by the clock, on one worker of the fleet. ``cron`` is in UTC."""

    name: str
    cron: str
    run: Callable[[], Awaitable[None]]


class Companion(Protocol):
    """What a worker runs beside its queue, because it takes as long as it takes."""

    async def run(self) -> None:
        """Work until ``stop``. Raises nothing."""
        ...

    def stop(self) -> None:
        """Begin nothing more; ``run`` returns when what is in hand is done."""
        ...


class Waker:
    """Wakes the workers after a commit that queued something; many wakes become one signal.

    A NOTIFY inside each transaction would make PostgreSQL commit them one after another (measured:
    a third of the throughput). A producer that dies before its signal costs ``POLL``, no job.
    """

    def __init__(self, pool: Pool, *, pause_s: float = 0.003) -> None:
        self._pool = pool
        self._pause_s = pause_s
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send signals in the background."""
        self._task = asyncio.create_task(self._run(), name="queue-waker")

    async def close(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Say that something was queued. Costs nothing, never fails."""
        self._wanted.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await store.notify(self._pool, CHANNEL, _signal())
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                # The workers look by themselves every POLL.
                log.warning("queue signal lost", error=repr(error))
                await asyncio.sleep(POLL.total_seconds())
            await asyncio.sleep(self._pause_s)


async def add_at_once(connection: Connection, entrypoint: str, payload: str) -> None:
    """Queue a job in the caller's transaction and wake the workers with its commit.

    For what is rare, or signals in its transaction anyway; the rest is woken by a ``Waker``.
    """
    await store.add_job(connection, entrypoint, payload)
    await store.notify(connection, CHANNEL, _signal())


def _signal() -> str:
    return orjson.dumps(
        {
            "channel": CHANNEL,
            "operation": "insert",
            "sent_at": datetime.now(UTC).isoformat(),
            "table": "pgqueuer",
            "type": "table_changed_event",
        }
    ).decode()


class Worker:
    """Runs handlers and schedules until it is stopped, through outages of the database."""

    def __init__(
        self,
        pool: Pool,
        handlers: Mapping[str, Handler],
        schedules: Sequence[Schedule] = (),
        *,
        companions: Sequence[Companion] = (),
        heartbeat_s: float = 30.0,
    ) -> None:
        self._pool = pool
        self._handlers = handlers
        self._schedules = schedules
        self._companions = companions
        self._heartbeat = timedelta(seconds=heartbeat_s)
        self._queue: PgQueuer | None = None
        self._stopping = False

    async def run(self) -> None:
        """Work until ``stop``. A lost database is waited for."""
        async with asyncio.TaskGroup() as beside:
            for companion in self._companions:
                beside.create_task(companion.run())
            await self._run_queue()

    async def _run_queue(self) -> None:
        pause_s = 0.2
        while not self._stopping:
            self._queue = self._assembled()
            try:
                await self._queue.run(
                    dequeue_timeout=POLL,
                    batch_size=BATCH,
                    max_concurrent_tasks=IN_FLIGHT_MAX,
                    heartbeat_timeout=self._heartbeat,
                )
                pause_s = 0.2
            except Exception as error:  # noqa: BLE001 -- whatever it was, the queue must go on
                log.warning("worker lost the database", error=repr(error), retry_in_s=pause_s)
                if not self._stopping:
                    await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)

    def stop(self) -> None:
        """Take no more jobs; ``run`` returns when those in hand are done."""
        self._stopping = True
        for companion in self._companions:
            companion.stop()
        if self._queue is not None:
            self._queue.shutdown.set()

    def _assembled(self) -> PgQueuer:
        queue = PgQueuer(AsyncpgPoolDriver(self._pool))
        for name, handler in self._handlers.items():
            queue.entrypoint(name, accepts_context=False)(_retried(name, handler))
        for schedule in self._schedules:
            queue.schedule(schedule.name, schedule.cron, accepts_context=False, clean_old=True)(
                _scheduled(schedule)
            )
        return queue


def _retried(name: str, handler: Handler) -> Callable[[QueuedJob], Awaitable[None]]:
    """A handler whose failures are logged and tried again, later each time."""

    async def run(job: QueuedJob) -> None:
        try:
            await handler((job.payload or b"").decode())
        except Exception as error:
            delay = min(timedelta(seconds=2 ** min(job.attempts, 10)), RETRY_DELAY_MAX)
            log.exception("job failed", entrypoint=name, attempt=job.attempts, retry_in=str(delay))
            raise RetryRequested(delay=delay, reason=repr(error)) from error

    return run


def _scheduled(schedule: Schedule) -> Callable[[DueSchedule], Awaitable[None]]:
    async def run(_: DueSchedule) -> None:
        try:
            await schedule.run()
        except Exception:
            log.exception("schedule failed", schedule=schedule.name)

    return run
