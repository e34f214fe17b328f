"""Everything that the simulated vendor remembers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aiohttp import ClientSession

from sandbox.counters import Stats
from sandbox.faults import FaultEngine
from sandbox.yookassa.books import Books
from sandbox.yookassa.keys import Keys
from sandbox.yookassa.objects import Payment, Refund
from sandbox.yookassa.settings import YooKassaSettings


@dataclass(slots=True)
class State:
    """One vendor's memory. ``session`` delivers notifications."""

    engine: FaultEngine
    stats: Stats
    books: Books
    settings: YooKassaSettings = field(default_factory=YooKassaSettings)
    keys: Keys = field(default_factory=Keys)
    open_session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        """The session of the running application."""
        if self.open_session is None:
            raise RuntimeError("the sandbox is not started")
        return self.open_session

    @property
    def now_ms(self) -> int:
        """The vendor's clock."""
        return int((time.time() + self.settings.clock_offset_s) * 1000)

    def let_time_pass(self) -> None:
        """Do what is due by now, and forget what is too old."""
        now_ms = self.now_ms
        self.books.let_time_pass(now_ms)
        self.keys.forget(now_ms - self.settings.key_s * 1000)

    def shown(self, item: Payment | Refund) -> dict[str, object]:
        """The vendor's object."""
        if isinstance(item, Refund):
            return item.shown()
        return item.shown(self.settings.shop_id, self.settings.fee_bps)
