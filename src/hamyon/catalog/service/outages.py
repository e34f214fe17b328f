"""The breaker as workers and doors see it; the rules are in ``providers``."""

from __future__ import annotations

from hamyon.catalog.service import providers
from hamyon.catalog.types import CatalogCache, ProviderStatus
from hamyon.kit.db import Pool, in_transaction

BUSY_PROBE_S = 2.0
"""How long a worker waits while another one tries a provider on probation."""


PAUSED_S = 30.0
"""How often a worker looks whether operators have resumed a provider."""


def _closed_s(status: ProviderStatus) -> float:
    return PAUSED_S if status.paused_at is not None else float(max(status.retry_after_s, 1))


class Outages:
    """Keeps the book of outages in the providers' rows, so that all processes share it."""

    def __init__(self, pool: Pool, cache: CatalogCache, *, threshold: int, open_s: float) -> None:
        self._pool = pool
        self._cache = cache
        self._threshold = threshold
        self._open_s = open_s

    async def closed_for_s(self, engine: str) -> float:
        """Seconds for which no new order is taken for it; 0 when it is open."""
        status = await providers.provider_status(self._pool, self._cache, engine)
        return _closed_s(status) if status.closed else 0.0

    async def wait_s(self, engine: str) -> float:
        """Seconds that a worker must wait before it calls it; 0: call now."""
        status = await providers.provider_status(self._pool, self._cache, engine)
        if status.closed:
            return _closed_s(status)
        if not status.probing:
            return 0.0
        claimed = await in_transaction(
            self._pool, providers.claim_call, status, open_s=self._open_s
        )
        return 0.0 if claimed else BUSY_PROBE_S

    async def note_outage(self, engine: str, error: str) -> None:
        """The provider as a whole failed."""
        await in_transaction(
            self._pool,
            providers.note_outage,
            engine,
            error,
            threshold=self._threshold,
            open_s=self._open_s,
        )

    async def note_success(self, engine: str) -> None:
        """The provider answered."""
        status = await providers.provider_status(self._pool, self._cache, engine)
        if status.failures or status.open_until is not None:
            await in_transaction(self._pool, providers.note_success, status)
