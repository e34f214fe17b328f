"""Customers of the simulated vendor: key, webhook secret, money, limits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.wavespeed.settings import LIMITS, KeySettings


@dataclass(slots=True)
class Slots:
    """How many tasks may run at once; the others wait in order."""

    limit: int
    running: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def take(self) -> None:
        """Wait for a free slot."""
        if self.running < self.limit:
            self.running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Hand the slot to the next who waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


@dataclass(slots=True)
class Account:
    """One customer. Money in millionths of a dollar, so that no cent gets lost."""

    key: str
    secret: str
    topped_up: bool
    balance_micro_usd: int
    images_per_minute: int
    slots: Slots
    _window: int = -1
    _images_in_window: int = 0

    def take_images(self, count: int, minute_s: float) -> bool:
        """Count images against this minute; False when it is full. Resets each minute."""
        window = int(time.monotonic() / minute_s)
        if window != self._window:
            self._window, self._images_in_window = window, 0
        if self._images_in_window + count > self.images_per_minute:
            return False
        self._images_in_window += count
        return True


def webhook_secret(key: str) -> str:
    """The secret of a key: always the same, one for each key."""
    digest = hashlib.sha256(f"webhook secret of {key}".encode()).digest()
    return "whsec_" + base64.b64encode(digest[:24]).decode()


def open_accounts(keys: Sequence[KeySettings]) -> dict[str, Account]:
    """Fresh accounts by key."""
    accounts = {}
    for one in keys:
        images, concurrency = LIMITS[one.level]
        accounts[one.key] = Account(
            key=one.key,
            secret=one.webhook_secret or webhook_secret(one.key),
            topped_up=one.topped_up,
            balance_micro_usd=round(one.balance_usd * 1_000_000) if one.topped_up else 0,
            images_per_minute=one.images_per_minute or images,
            slots=Slots(one.concurrency or concurrency),
        )
    return accounts
