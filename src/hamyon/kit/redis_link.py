"""The one Redis connection pool of a process, behind short time-outs and a breaker.

Redis is never the truth here, so losing it must cost nothing: a call that fails opens the
breaker, every later call fails at once without touching the network, and a task of our own
asks in the background until Redis answers again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 0.15
RECOVERY_WAITS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)

T = TypeVar("T")


class RedisDown(Exception):
    """Redis did not answer in time, or the breaker is open."""


class RedisLink:
    """Runs single commands. ``url`` may carry a password and is never logged."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._recovery: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """False from the first failure until Redis has answered a ping again."""
        return self._recovery is None

    async def call(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """Run one command. Raises RedisDown, after at most the time-out."""
        if self._recovery is not None:
            raise RedisDown("the breaker is open")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await command(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._open(error)
            raise RedisDown(type(error).__name__) from error

    async def ping(self) -> None:
        """Raises RedisDown; ``/health`` asks it."""

        async def ask(redis: Redis) -> bool:
            return bool(await redis.ping())

        await self.call(ask)

    def script(self, source: str) -> Callable[..., Awaitable[Any]]:
        """A Lua script that runs by its digest, so that a call is one round trip."""
        return self._redis.register_script(source)

    async def close(self) -> None:
        """End the background task and the connections."""
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        await self._redis.aclose()

    def _open(self, error: Exception) -> None:
        if self._recovery is None:
            _log.warning("redis_lost", error=type(error).__name__)
            self._recovery = asyncio.create_task(self._recover(), name="redis-recovery")

    async def _recover(self) -> None:
        for attempt in range(2**31):
            await asyncio.sleep(RECOVERY_WAITS_S[min(attempt, len(RECOVERY_WAITS_S) - 1)])
            try:
                async with asyncio.timeout(self._timeout_s):
                    # Pooled sockets may belong to the Redis that died.
                    await self._redis.connection_pool.disconnect(inuse_connections=False)
                    await self._redis.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            _log.info("redis_back", attempts=attempt + 1)
            self._recovery = None
            return
