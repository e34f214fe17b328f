"""Whether a provider may be given work: operators' pauses, and a breaker that counts outages.

The breaker. Outages in a row are counted in the provider's row. At the threshold it opens for a
while: submits are refused with nothing held, and workers leave queued jobs where they are. When
the while is over the provider is on probation (``probing``): submits are taken, and of all the
workers one gets a probe, because taking it moves ``open_until`` into the future in the same
statement that checks that it was past. Its success closes the breaker's books; its outage, the
count still standing above the threshold, opens the breaker at once; a probe whose worker died
leaves the next one to whoever comes when the moved ``open_until`` is over.

All times are the database's, so that machines whose clocks differ agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from hamyon.catalog import store
from hamyon.catalog.errors import ProviderNotFound
from hamyon.catalog.types import CatalogCache, ProviderStatus
from hamyon.kit.cache import Namespace, invalidate
from hamyon.kit.db import Connection, Pool
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

PROVIDER_CACHE_S: Final = 2.0
ERROR_LENGTH_MAX: Final = 500

PROVIDERS: Final[Namespace[ProviderStatus]] = Namespace("catalog_provider", PROVIDER_CACHE_S)
"""In memory only: what came by way of Redis would be too old."""


# --- asking ---------------------------------------------------------------------------------------


async def provider_status(pool: Pool, cache: CatalogCache, name: str) -> ProviderStatus:
    """How a provider stands, at most two seconds ago. Raises ProviderNotFound."""

    async def load() -> ProviderStatus:
        return await read_provider(pool, name)

    return await cache.cache.get(cache.providers, name, load)


async def read_provider(connection: Connection | Pool, name: str) -> ProviderStatus:
    """How a provider stands now. Raises ProviderNotFound."""
    status = await store.provider(connection, name)
    if status is None:
        raise ProviderNotFound(provider=name)
    return status


async def read_providers(connection: Connection | Pool) -> Sequence[ProviderStatus]:
    """How every provider stands now."""
    return await store.providers(connection)


async def claim_call(connection: Connection, status: ProviderStatus, *, open_s: float) -> bool:
    """Whether a worker may give this provider a job now; on probation one worker may, once.

    ``status`` is what ``provider_status`` said a moment ago. Costs a statement on probation only.
    """
    if status.closed:
        return False
    if not status.probing:
        return True
    claimed = await store.claim_probe(connection, status.name, open_for=timedelta(seconds=open_s))
    if claimed:
        await _changed(connection, status.name)
    return claimed


# --- what workers see -----------------------------------------------------------------------------


async def note_outage(
    connection: Connection, name: str, error: str, *, threshold: int, open_s: float
) -> bool:
    """Count an outage of the provider as a whole. True while the breaker is open afterwards.

    Raises ProviderNotFound.
    """
    counted = await store.count_outage(
        connection,
        name,
        error=error.replace("\0", "")[:ERROR_LENGTH_MAX],
        threshold=threshold,
        open_for=timedelta(seconds=open_s),
    )
    if counted is None:
        raise ProviderNotFound(provider=name)
    failures, opened = counted
    # Those who succeed must learn that there is something to reset, but not of every single one.
    if failures == 1 or opened:
        await _changed(connection, name)
    return opened


async def note_success(connection: Connection, known: ProviderStatus) -> None:
    """The provider answered: close the breaker's books.

    Nothing is asked or written while ``known`` says that they are empty. It may be two seconds
    old: a success just after the first outage then goes uncounted, and the next one counts.
    """
    if known.failures == 0 and known.open_until is None:
        return
    if await store.reset_outages(connection, known.name):
        await _changed(connection, known.name)


async def note_balance(connection: Connection | Pool, name: str, balance_micro_usd: int) -> None:
    """Keep what the provider says is left of our money there."""
    await store.set_balance(connection, name, balance_micro_usd=balance_micro_usd)


# --- what operators do ----------------------------------------------------------------------------


async def pause(
    connection: Connection, name: str, *, acting: Acting, reason: str
) -> ProviderStatus:
    """Keep new work away from a provider; what runs there goes on. Raises ProviderNotFound."""
    before = await _lock(connection, name)
    await store.pause(connection, name, by=acting.actor, reason=reason)
    return await _record(connection, "provider_paused", before, acting, reason)


async def resume(
    connection: Connection, name: str, *, acting: Acting, reason: str | None = None
) -> ProviderStatus:
    """Let work in again, and forget what the breaker had counted. Raises ProviderNotFound."""
    before = await _lock(connection, name)
    await store.resume(connection, name)
    return await _record(connection, "provider_resumed", before, acting, reason)


async def _lock(connection: Connection, name: str) -> ProviderStatus:
    if not await store.lock_provider(connection, name):
        raise ProviderNotFound(provider=name)
    return await read_provider(connection, name)


async def _record(
    connection: Connection, action: str, before: ProviderStatus, acting: Acting, reason: str | None
) -> ProviderStatus:
    after = await read_provider(connection, before.name)
    act = acting.act(
        action,
        f"provider:{before.name}",
        before=_standing(before),
        after=_standing(after),
        reason=reason,
    )
    await record_act(connection, act)
    await _changed(connection, before.name)
    return after


def _standing(status: ProviderStatus) -> dict[str, object]:
    return {
        "paused_at": status.paused_at,
        "paused_by": status.paused_by,
        "pause_reason": status.pause_reason,
        "failures": status.failures,
        "open_until": status.open_until,
    }


async def _changed(connection: Connection, name: str) -> None:
    await invalidate(connection, PROVIDERS, name)
