"""How often somebody may do something: token buckets, in memory or shared through Redis.

A named limit is a bucket that holds ``burst`` calls and gains ``rate_per_s`` of them a second.
Without Redis every process counts for itself. With Redis the bucket lies there, and a process
that sees the same caller often leases several calls at once while the bucket is full enough; it
leases one at a time when the bucket runs low, so the shared limit stays exact where it matters.
Leased calls are never more than the bucket held: sharing can refuse a little early, never late.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from hamyon.kit.redis_link import RedisDown, RedisLink

Seconds: TypeAlias = Callable[[], float]
"""A clock that only moves forward: ``time.monotonic``, or a test's."""

KEYS_MAX: Final = 50_000
LEASE_MAX: Final = 16
LEASE_LIFE_S: Final = 1.0
DOWN_RETRY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Limit:
    """``fail_closed``: while a configured Redis is away, refuse instead of counting alone.

    Sign-in, withdrawal and promo limits are closed; a process counting alone would let an
    attacker multiply his attempts by the number of processes.
    """

    rate_per_s: float
    burst: int
    fail_closed: bool = False

    def __post_init__(self) -> None:
        if self.rate_per_s <= 0 or self.burst < 1:
            raise ValueError(f"a limit needs a rate above 0 and a burst of at least 1: {self}")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call was counted and may go on."""


@dataclass(frozen=True, slots=True)
class Denied:
    """``because`` tells a used-up limit from a closed one whose count cannot be read."""

    retry_after_s: float
    because: Literal["limit", "store_down"] = "limit"


Decision: TypeAlias = Allowed | Denied
ALLOWED: Final = Allowed()


class Buckets:
    """Token buckets of one process, at most ``keys_max`` of them; the longest unused go first."""

    def __init__(self, *, seconds: Seconds = time.monotonic, keys_max: int = KEYS_MAX) -> None:
        self._seconds = seconds
        self._keys_max = keys_max
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, key: str, limit: Limit) -> Decision:
        """Count one call."""
        now = self._seconds()
        tokens, at = self._buckets.pop((name, key), (float(limit.burst), now))
        tokens = min(float(limit.burst), tokens + max(0.0, now - at) * limit.rate_per_s)
        allowed = tokens >= 1.0
        self._buckets[name, key] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)
        return ALLOWED if allowed else Denied((1.0 - tokens) / limit.rate_per_s)

    def wait_s(self, name: str, key: str, limit: Limit) -> float:
        """How long until a call would be allowed, without counting one."""
        bucket = self._buckets.get((name, key))
        if bucket is None:
            return 0.0
        tokens = bucket[0] + max(0.0, self._seconds() - bucket[1]) * limit.rate_per_s
        return max(0.0, (1.0 - tokens) / limit.rate_per_s)


# KEYS: the bucket. ARGV: rate per second, burst, how many calls are wanted. Answers how many were
# granted and, for none, the microseconds until one is there. Time is Redis's own, because the
# clocks of several machines differ. A tenth of what is left is the most that one lease takes.
_LEASE: Final = """
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local held = redis.call('HMGET', KEYS[1], 't', 'a')
local tokens, at = tonumber(held[1]) or burst, tonumber(held[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000000)
local granted = 0
if tokens >= 1 then
  granted = math.max(1, math.min(want, math.floor(tokens / 10)))
end
tokens = tokens - granted
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'a', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
if granted > 0 then return {granted, 0} end
return {0, math.ceil((1 - tokens) / rate * 1000000)}
"""


@dataclass(slots=True)
class _Lease:
    """Calls that this process may still let through, or until when it must refuse."""

    left: int
    until: float
    size: int = 1
    denied_until: float = 0.0


class Limiter:
    """Counts calls against named limits. ``link`` None: this process counts alone."""

    def __init__(
        self,
        limits: Mapping[str, Limit],
        link: RedisLink | None = None,
        *,
        seconds: Seconds = time.monotonic,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self._limits = dict(limits)
        self._link = link
        self._lease_script = link.script(_LEASE) if link is not None else None
        self._seconds = seconds
        self._keys_max = keys_max
        self._own = Buckets(seconds=seconds, keys_max=keys_max)
        self._leases: OrderedDict[tuple[str, str], _Lease] = OrderedDict()

    @property
    def names(self) -> frozenset[str]:
        """The limits there are."""
        return frozenset(self._limits)

    async def check(self, name: str, key: str) -> Decision:
        """Count one call of ``key`` against the limit ``name``. Raises KeyError: no such limit."""
        limit = self._limits[name]
        if self._link is None:
            return self._own.take(name, key, limit)
        if decision := self._from_lease(name, key):
            return decision
        try:
            return await self._from_redis(self._link, name, key, limit)
        except RedisDown:
            if limit.fail_closed:
                return Denied(DOWN_RETRY_S, "store_down")
            return self._own.take(name, key, limit)

    def refused_for_s(self, name: str, key: str) -> float:
        """How long ``key`` is known to be refused, without counting and without asking Redis."""
        # Alone, or while Redis is away, this process's own buckets know it.
        wait_s = self._own.wait_s(name, key, self._limits[name])
        lease = self._leases.get((name, key))
        return max(wait_s, lease.denied_until - self._seconds() if lease else 0.0)

    def _from_lease(self, name: str, key: str) -> Decision | None:
        lease, now = self._leases.get((name, key)), self._seconds()
        if lease is None:
            return None
        if lease.denied_until > now:
            # No call can have come back before this moment, so Redis need not be asked.
            return Denied(lease.denied_until - now)
        if lease.left > 0 and lease.until > now:
            lease.left -= 1
            return ALLOWED
        return None

    async def _from_redis(self, link: RedisLink, name: str, key: str, limit: Limit) -> Decision:
        script, before = self._lease_script, self._leases.get((name, key))
        assert script is not None
        # Only somebody who used his last lease up in time is worth a bigger one.
        busy = before is not None and before.left == 0 and before.until > self._seconds()
        want = min(LEASE_MAX, before.size * 2) if busy and before is not None else 1
        granted, wait_us = await link.call(
            lambda _: script(
                keys=[f"hamyon:limit:{name}:{key}"], args=[limit.rate_per_s, limit.burst, want]
            )
        )
        now = self._seconds()
        # Somebody else of this process may have leased meanwhile; what he holds stays valid.
        current = self._leases.pop((name, key), None)
        kept = current.left if current is not None and current.until > now else 0
        lease = _Lease(kept + max(0, granted - 1), now + LEASE_LIFE_S, want)
        if not granted:
            lease.denied_until = now + wait_us / 1_000_000
        self._leases[name, key] = lease
        if len(self._leases) > self._keys_max:
            self._leases.popitem(last=False)
        return ALLOWED if granted else Denied(wait_us / 1_000_000)
