"""Taps on inline buttons that wait for the bot's answer."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from sandbox.telegram.bots import Bot

TAPS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Tap:
    """A tapped button; ``at`` is ``time.monotonic()``."""

    bot: Bot
    chat_id: int
    at: float


@dataclass(slots=True)
class Taps:
    """Open taps by the id of their callback query; the oldest go when there are too many."""

    by_id: OrderedDict[str, Tap] = field(default_factory=OrderedDict)

    def open(self, bot: Bot, chat_id: int) -> str:
        """A new tap; the id for its callback query."""
        number = str(secrets.randbelow(2**62) + 1)
        self.by_id[number] = Tap(bot, chat_id, time.monotonic())
        if len(self.by_id) > TAPS_MAX:
            self.by_id.popitem(last=False)
        return number

    def take(self, bot: Bot, number: str, lifetime_s: float) -> Tap | None:
        """The tap, if it is this bot's, young enough and not answered; then it is answered."""
        tap = self.by_id.get(number)
        if tap is None or tap.bot is not bot:
            return None
        del self.by_id[number]
        return tap if time.monotonic() - tap.at <= lifetime_s else None
