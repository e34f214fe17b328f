"""How news reaches a bot: what is lost, late, doubled or overtaken, and getUpdates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice, takewhile

from sandbox.faults import Call, FaultEngine, FaultKind, first
from sandbox.gate import GONE_CHECK_S
from sandbox.telegram.bots import Bot, News, Update
from sandbox.telegram.call import BotCall
from sandbox.telegram.delivery import Delivery
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.params import Params
from sandbox.telegram.state import State

POLL_S_MAX = 50
WAITING_MAX = 200_000
WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
LATE_S = 2.0


@dataclass(slots=True)
class Updates:
    """Queues news and answers getUpdates.

    Rules see news as operation ``notification``, with its kind as the model and the invoice's
    payload as the prompt. ``webhook_lost``, ``webhook_late`` and ``webhook_duplicate`` strike
    polling bots, too; with ``webhook_bad_signature`` the first attempt has a wrong secret.
    """

    engine: FaultEngine
    state: State
    delivery: Delivery
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)

    def publish(self, bot: Bot, news: News) -> None:
        """Tell a bot, as settings and faults allow it."""
        settings, counts = self.state.settings.updates, bot.counts.updates
        if bot.allowed_updates is not None and news.kind not in bot.allowed_updates:
            counts["not_allowed"] += 1
            return
        faults = self.engine.pick(Call("telegram", "notification", news.kind, news.about))
        is_spared = news.kind in settings.spared
        if (settings.lost and not is_spared) or first(faults, FaultKind.WEBHOOK_LOST):
            counts["lost"] += 1
            return
        doubled = first(faults, FaultKind.WEBHOOK_DUPLICATE)
        copies = doubled.copies if doubled else 1 if is_spared else settings.copies
        is_forged = first(faults, FaultKind.WEBHOOK_BAD_SIGNATURE) is not None
        update = Update(news, copies, is_forged)
        late = first(faults, FaultKind.WEBHOOK_LATE)
        if late is not None:
            wait_s = LATE_S if late.seconds is None else late.seconds
            self._later(wait_s, lambda: self._queue(bot, update))
        elif settings.reorder and not is_spared:
            self._overtake(bot, update)
        else:
            self._queue(bot, update)

    def cancel(self) -> None:
        """Forget what is late or held back."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def get_updates(self, call: BotCall) -> object:
        """The updates that wait, from ``offset`` on; those before it are done with.

        A second caller ends the first one's poll with 409. Raises ``RefusedError``.
        """
        bot, params = call.bot, call.params
        if bot.webhook is not None:
            raise RefusedError(409, WEBHOOK_IS_SET)
        limit = params.integer("limit", 100, 1, 100)
        timeout_s = params.integer("timeout", 0, 0, POLL_S_MAX)
        remember_allowed(bot, params)
        bot.wake(RefusedError(409, OTHER_POLL))
        _confirm(bot, params.integer("offset", 0, -(2**31), 2**31 - 1))
        if not bot.waiting and timeout_s:
            await _wait_for_news(call, timeout_s)
        return [update.as_json() for update in islice(bot.waiting.values(), limit)]

    def _overtake(self, bot: Bot, update: Update) -> None:
        """Hold every other one back until the next has gone, or nothing follows."""
        held, bot.held = bot.held, None
        if held is None:
            bot.held = update
            wait_s = self.state.settings.updates.reorder_wait_s
            self._later(wait_s, lambda: self._release(bot, update))
        else:
            self._queue(bot, update)
            self._queue(bot, held)

    def _release(self, bot: Bot, update: Update) -> None:
        if bot.held is update:
            bot.held = None
            self._queue(bot, update)

    def _queue(self, bot: Bot, update: Update) -> None:
        """Number it, so that numbers are always in the order of delivery, and tell the bot."""
        if len(bot.waiting) >= WAITING_MAX:
            bot.counts.updates["dropped"] += 1
            return
        update.id = bot.next_update_id
        bot.next_update_id += 1
        bot.waiting[update.id] = update
        bot.counts.updates["queued"] += 1
        bot.wake()
        self.delivery.add(bot, update)

    def _later(self, wait_s: float, action: Callable[[], None]) -> None:
        def act() -> None:
            self._timers.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(wait_s, act)
        self._timers.add(timer)


def remember_allowed(bot: Bot, params: Params) -> None:
    """``allowed_updates`` hold until they are given anew; an empty list means all kinds.

    Raises ``RefusedError`` (400).
    """
    if not params.text("allowed_updates"):
        return
    kinds = params.parsed("allowed_updates")
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise bad_request("allowed_updates must be an Array of String")
    bot.allowed_updates = frozenset(kinds) or None


def forget_waiting(bot: Bot) -> None:
    """Throw away what waits, as ``drop_pending_updates`` asks."""
    bot.counts.updates["dropped"] += len(bot.waiting)
    bot.waiting.clear()


def _confirm(bot: Bot, offset: int) -> None:
    """What lies before ``offset`` has arrived; a negative one keeps only the last so many."""
    if offset < 0:
        count = max(0, len(bot.waiting) + offset)
        confirmed = list(islice(bot.waiting.values(), count))
    else:
        confirmed = list(takewhile(lambda update: update.id < offset, bot.waiting.values()))
    for update in confirmed:
        bot.counts.updates["delivered"] += 1
        update.copies -= 1
        if not update.copies:
            del bot.waiting[update.id]


async def _wait_for_news(call: BotCall, timeout_s: float) -> None:
    """Until there are updates, the time is over or the caller has left.

    Raises ``RefusedError`` when somebody else's call ends this one.
    """
    poll = call.bot.poll = asyncio.get_running_loop().create_future()
    end = time.monotonic() + timeout_s
    try:
        while not poll.done() and not call.is_gone and (left := end - time.monotonic()) > 0:
            await asyncio.wait({poll}, timeout=min(left, GONE_CHECK_S))
    finally:
        if call.bot.poll is poll:
            call.bot.poll = None
    if poll.done():
        poll.result()
