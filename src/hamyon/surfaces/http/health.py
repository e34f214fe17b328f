"""Whether the service can do its work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from hamyon.kit import store as kit_store
from hamyon.kit.storage import StorageFailed
from hamyon.surfaces.http.types import Needs

CHECK_TIMEOUT_S: Final = 2.0
FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    StorageFailed,
)
BACKLOG_S: Final = 300.0
"""A queue whose oldest due job has waited longer than this is not being worked on."""

log = structlog.get_logger(__name__)


async def check(needs: Needs) -> tuple[bool, dict[str, str]]:
    """Whether the work can be done, and each part's word: ``ok``, ``slow``, ``down``, ``off``.

    A lost cache slows us down and stops nothing, so it alone does not make the service ill.
    """
    names: dict[str, Callable[[Needs], Awaitable[str]]] = {
        "database": _database,
        "queue": _queue,
        "cache": _cache,
        "storage": _storage,
    }
    words = await asyncio.gather(*(_word(name, ask, needs) for name, ask in names.items()))
    checks = dict(zip(names, words, strict=True))
    return all(checks[name] != "down" for name in ("database", "queue", "storage")), checks


async def _word(name: str, ask: Callable[[Needs], Awaitable[str]], needs: Needs) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await ask(needs)
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        StorageFailed,
    ) as e:
        log.warning("health check failed", check=name, error=repr(e))
        return "down"


async def _database(needs: Needs) -> str:
    await kit_store.database_time(needs.pool)
    return "ok"


async def _queue(needs: Needs) -> str:
    depth, oldest_s = await kit_store.queue_depth(needs.pool)
    needs.metrics.queue("all", depth, oldest_s)
    return "ok" if oldest_s < BACKLOG_S else "slow"


async def _cache(needs: Needs) -> str:
    works = await needs.redis_works()
    return "off" if works is None else "ok" if works else "down"


async def _storage(needs: Needs) -> str:
    await needs.storage.check()
    return "ok"


def uptime_s(needs: Needs) -> float:
    """How long this process has been up."""
    return round(time.monotonic() - needs.started_at, 3)
