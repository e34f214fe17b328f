"""How fast a bot sends, what it may, and what is the most that it did."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from sandbox.telegram.settings import LimitSettings

SECOND_S = 1.0
MINUTE_S = 60.0


@dataclass(slots=True)
class Window:
    """Arrivals of the last so many seconds; exactly that long ago is no longer within."""

    length_s: float
    arrivals: deque[float] = field(default_factory=deque)

    def wait_s(self, now: float, count: int, limit: int) -> float:
        """How long until there is room for so many; 0 for now."""
        arrivals = self.arrivals
        while arrivals and arrivals[0] <= now - self.length_s:
            arrivals.popleft()
        excess = len(arrivals) + count - limit
        if excess <= 0:
            return 0.0
        last = min(excess, len(arrivals)) - 1
        return self.length_s if last < 0 else arrivals[last] + self.length_s - now

    def add(self, now: float, count: int) -> int:
        """Note arrivals; how many there are in the window that ends now."""
        arrivals = self.arrivals
        while arrivals and arrivals[0] <= now - self.length_s:
            arrivals.popleft()
        arrivals.extend([now] * count)
        return len(arrivals)


@dataclass(slots=True)
class Bucket:
    """What one chat may still get at once."""

    room: float
    at: float


@dataclass(slots=True)
class Pace:
    """One bot's sending. ``accepted`` is what its pace let through, whether or not its chat then
    took it; ``most`` the most of that in any one second; ``paid`` what of it was above the free
    limit and cost a tenth of a Star each."""

    accepted: int = 0
    refused: int = 0
    paid: int = 0
    most: int = 0
    _all: Window = field(default_factory=lambda: Window(SECOND_S))
    _free: Window = field(default_factory=lambda: Window(SECOND_S))
    _chats: dict[int, Bucket] = field(default_factory=dict)
    _groups: dict[int, Window] = field(default_factory=dict)

    def admit(
        self, limits: LimitSettings, now: float, chat_id: int, count: int, *, may_pay: bool
    ) -> int | None:
        """Take so many messages to a chat that arrive now, or none of them: the seconds after
        which to try again."""
        free_s = self._free_wait_s(limits, now, count)
        is_paid = may_pay and free_s > 0
        wait_s = self._paid_wait_s(limits, now, count) if is_paid else free_s
        wait_s = max(
            wait_s,
            self._chat_wait_s(limits, now, chat_id, count),
            self._group_wait_s(limits, now, chat_id, count),
        )
        if wait_s > 0:
            self.refused += 1
            return limits.retry_after_s or max(1, math.ceil(wait_s))
        self.accepted += count
        self.most = max(self.most, self._all.add(now, count))
        if is_paid:
            self.paid += count
        elif limits.per_second is not None:
            self._free.add(now, count)
        if limits.per_chat_per_second is not None:
            self._chats[chat_id].room -= count
        if limits.per_group_per_minute is not None and chat_id < 0:
            self._groups[chat_id].add(now, count)
        return None

    def report(self) -> dict[str, int]:
        return {
            "accepted": self.accepted,
            "refused_429": self.refused,
            "most_in_any_second": self.most,
            "paid": self.paid,
        }

    def _free_wait_s(self, limits: LimitSettings, now: float, count: int) -> float:
        limit = limits.per_second
        return 0.0 if limit is None else self._free.wait_s(now, count, limit)

    def _paid_wait_s(self, limits: LimitSettings, now: float, count: int) -> float:
        limit = limits.paid_per_second
        return 0.0 if limit is None else self._all.wait_s(now, count, limit)

    def _chat_wait_s(self, limits: LimitSettings, now: float, chat_id: int, count: int) -> float:
        """A chat may get a burst, which fills up again at its own pace."""
        rate, burst = limits.per_chat_per_second, limits.per_chat_burst
        if rate is None:
            return 0.0
        bucket = self._chats.get(chat_id)
        if bucket is None:
            bucket = self._chats[chat_id] = Bucket(burst, now)
        bucket.room = min(burst, bucket.room + (now - bucket.at) * rate)
        bucket.at = now
        # An album is one burst: it must not need more room than there ever is.
        missing = min(count, burst) - bucket.room
        return missing / rate if missing > 0 else 0.0

    def _group_wait_s(self, limits: LimitSettings, now: float, chat_id: int, count: int) -> float:
        limit = limits.per_group_per_minute
        if limit is None or chat_id >= 0:
            return 0.0
        return self._groups.setdefault(chat_id, Window(MINUTE_S)).wait_s(now, count, limit)
