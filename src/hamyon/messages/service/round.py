"""Sending one broadcast, for as long as it is in this process's hands.

Three things happen at once: one task takes recipients and starts their messages, each message is
a task of its own, and one task writes down whatever has ended since its last statement. A place in
flight is given back when the result is written, and not before: so a process that is killed has
never sent more messages that nobody knows of than it has places.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never
from uuid import UUID

import asyncpg
import structlog

from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool, in_transaction
from hamyon.messages.service import broadcasts, evidence
from hamyon.messages.service import content as contents
from hamyon.messages.service.evidence import Evidence
from hamyon.messages.service.pace import Pace
from hamyon.messages.store import broadcasts as broadcasts_store
from hamyon.messages.store import pump as store
from hamyon.messages.types import (
    Gone,
    Moved,
    Refused,
    Sender,
    SendOutcome,
    Sent,
    Target,
    Unclear,
    Wait,
)
from hamyon.messages.types.broadcast import (
    Broadcast,
    BroadcastState,
    Recipient,
    RecipientState,
    Result,
)

DATABASE_TROUBLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

STOP_S: Final = 10.0
"""So long after the word to stop results may wait for the database. Then they are lost, and those
people get the message again."""
BATCH_MAX: Final = 500
LOOK_S: Final = 0.5
ERROR_CHARACTERS_MAX: Final = 500

_NOT_SENT: Final = Wait(0.0)
_ENDS: Final = frozenset({BroadcastState.COMPLETED, BroadcastState.CANCELED})

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Hold:
    """This process's claim to be the one that sends, by its own clock.

    A process that was frozen past ``deadline`` sees it when it wakes up, before the database does.
    ``quiet_until``: the channel wants to be left alone.
    """

    channel: str
    lease: UUID
    deadline: float
    quiet_until: float
    stopping: bool = False
    patience_until: float = math.inf
    """From then on nothing is waited for any more."""

    @property
    def stands(self) -> bool:
        """Whether a message may start now."""
        return not self.stopping and time.monotonic() < self.deadline

    def stop(self) -> None:
        """Start nothing more, and come to an end."""
        self.stopping = True
        self.patience_until = min(self.patience_until, time.monotonic() + STOP_S)

    def keep_quiet(self, wait_s: float) -> None:
        """Nobody starts a message for so long."""
        self.quiet_until = max(self.quiet_until, time.monotonic() + wait_s)


def places(rate: int, *, paid: bool) -> int:
    """How many messages are in flight at most, which bounds what a kill can repeat.

    At the free pace a third of a second's messages, so that a slow answer does not cost rate; at
    the paid one an eighth, because a third of a thousand is too much to repeat.
    """
    return max(8, rate // 8 if paid else rate // 3)


class Round:
    """One broadcast; ``run`` returns when it is done, or is no longer ours to send."""

    def __init__(
        self, pool: Pool, clock: Clock, sender: Sender, hold: Hold, broadcast: Broadcast, pace: Pace
    ) -> None:
        self.broadcast_id = broadcast.id
        self.state = broadcast.state
        self._pool, self._clock = pool, clock
        self._sender, self._hold, self._pace = sender, hold, pace
        self._content, self._paid = broadcast.content, broadcast.paid
        self._files = broadcast.files
        self._message = contents.message_of(broadcast.content, broadcast.files)
        self._places = places(pace.rate, paid=broadcast.paid)
        self._in_flight = 0
        self._sends: set[asyncio.Task[None]] = set()
        self._claimed: deque[Recipient] = deque()
        self._claimed_all, self._after_id, self._tried = False, 0, False
        self._again: list[tuple[float, int, Recipient]] = []
        self._ended: list[tuple[Recipient, SendOutcome]] = []
        self._has_ended, self._has_changed = asyncio.Event(), asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._is_over = False
        self._has_new_refs = False
        self._evidence = Evidence(self._places)

    @property
    def may_go_on(self) -> bool:
        """Whether the next message may start."""
        return self._hold.stands and self.state is BroadcastState.RUNNING

    def learn(self, state: BroadcastState | None) -> None:
        """The database's word. News may overtake each other, so what has ended stays ended."""
        if state is not None and self.state is BroadcastState.RUNNING:
            self.state = state

    async def run(self) -> None:
        """Send to everybody who waits. Raises what the database raises."""
        await self._let_go()
        self._writing = asyncio.create_task(self._write_down(), name="broadcast-results")
        try:
            while self.may_go_on and (recipient := await self._next()) is not None:
                await self._start(recipient)
        finally:
            if self._sends:
                await asyncio.wait(self._sends)
            self._is_over = True
            self._has_ended.set()
            await self._writing
            await self._let_go()
            if self.state in _ENDS:
                await broadcasts_store.keep_tally(self._pool, self.broadcast_id)
        if self.may_go_on:
            await in_transaction(
                self._pool, broadcasts.finish, self.broadcast_id, now=self._clock.now()
            )

    async def _let_go(self) -> None:
        hold = self._hold
        await store.let_go(self._pool, self.broadcast_id, channel=hold.channel, lease=hold.lease)

    # --- whom next --------------------------------------------------------------------------------

    async def _next(self) -> Recipient | None:
        """Somebody to write to now; None when nobody is left, or we may not go on."""
        while self.may_go_on:
            if self._again and self._again[0][0] <= time.monotonic():
                return heapq.heappop(self._again)[2]
            if self._claimed:
                return self._claimed.popleft()
            if not self._claimed_all:
                await self._claim()
            elif self._again or self._in_flight:
                await self._change(LOOK_S)
            else:
                return None
        return None

    async def _claim(self) -> None:
        """Those come first for whom it was never tried: whoever was refused, or may have it, can
        wait, and those who can have it are not held up by those who cannot."""
        batch = min(max(self._pace.rate, 20), BATCH_MAX)
        claimed = await store.claim(
            self._pool,
            self.broadcast_id,
            channel=self._hold.channel,
            lease=self._hold.lease,
            after_id=self._after_id,
            limit=batch,
            tried=self._tried,
        )
        self._claimed.extend(claimed.recipients)
        if claimed.after_id is not None:
            self._after_id = claimed.after_id
        elif not self._tried:
            self._tried, self._after_id = True, 0
        else:
            self._claimed_all = True

    async def _change(self, timeout_s: float) -> None:
        """Until something was written down, or for so long."""
        self._has_changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._has_changed.wait()
        except TimeoutError:
            pass
        if self._writing is not None and self._writing.done():
            # It ends before its time by failing, and then no place would ever come back.
            self._writing.result()

    # --- one message ------------------------------------------------------------------------------

    async def _start(self, recipient: Recipient) -> None:
        """Start a message as soon as it may, unless it may no more."""
        while self._in_flight >= (1 if self._must_upload else self._places):
            await self._change(LOOK_S)
        await self._pace.turn(self._weight)
        await self._quiet()
        self._in_flight += 1
        task = asyncio.create_task(self._send(recipient))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _quiet(self) -> None:
        """Until the channel takes messages again, or we may not go on."""
        while self.may_go_on:
            wait_s = self._hold.quiet_until - time.monotonic()
            if wait_s <= 0:
                return
            await asyncio.sleep(min(wait_s, LOOK_S))

    @property
    def _must_upload(self) -> bool:
        """The first message brings the files; the others wait for the ids that they get."""
        return any(file.ref is None for file in self._files)

    @property
    def _weight(self) -> int:
        """The channel counts every part of an album."""
        return max(1, len(self._files))

    async def _send(self, recipient: Recipient) -> None:
        outcome: SendOutcome = _NOT_SENT
        try:
            # Nothing lies between this look at the clock and the message on its way.
            if self.may_go_on:
                outcome = await self._sender.send(
                    Target(recipient.user_id), self._message, paid=self._paid
                )
        except Exception as error:  # noqa: BLE001 -- see below
            # Senders raise nothing; one that does must not keep its place for ever.
            _log.exception("sender_raised", broadcast_id=self.broadcast_id)
            outcome = Unclear(repr(error))
        self._pace.give_back(self._weight)
        self._ended.append((recipient, outcome))
        self._has_ended.set()

    # --- what became of it ------------------------------------------------------------------------

    async def _write_down(self) -> None:
        while self._ended or not self._is_over:
            await self._has_ended.wait()
            self._has_ended.clear()
            ended, self._ended = self._ended, []
            if ended:
                await self._keep(ended)

    async def _keep(self, ended: Sequence[tuple[Recipient, SendOutcome]]) -> None:
        """Judge, write, and only then give the places back. A lost database is waited for."""
        waited_s = max(
            (outcome.retry_after_s for _, outcome in ended if isinstance(outcome, Wait)),
            default=0.0,
        )
        results = [result for one in ended if (result := self._judge(*one)) is not None]
        pause_s = 0.1
        while True:
            try:
                await self._write(results, waited_s)
                break
            except DATABASE_TROUBLE as error:
                if time.monotonic() >= self._hold.patience_until:
                    _log.error("broadcast_results_lost", results=len(results))
                    raise
                _log.warning("broadcast_result_waits", error=repr(error), results=len(results))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)
        self._in_flight -= len(ended)
        self._has_changed.set()

    async def _write(self, results: Sequence[Result], waited_s: float) -> None:
        channel, lease = self._hold.channel, self._hold.lease
        self.learn(await store.record(self._pool, self.broadcast_id, results, channel=channel))
        if waited_s > 0:
            await store.leave_alone(self._pool, channel, lease=lease, wait_s=waited_s)
        reason = self._evidence.stop_reason
        if reason is not None and self.may_go_on:
            await in_transaction(
                self._pool,
                broadcasts.stop,
                self.broadcast_id,
                reason=reason,
                now=self._clock.now(),
            )
            self.learn(BroadcastState.PAUSED)
        if any(result.state is RecipientState.SENT for result in results) and self._has_new_refs:
            await broadcasts_store.save_refs(self._pool, self.broadcast_id, self._files)
            self._has_new_refs = False

    def _judge(self, recipient: Recipient, outcome: SendOutcome) -> Result | None:
        """What to write; None when he is to be written to as if nothing had been tried."""
        user_id = recipient.user_id
        self._evidence.hear(outcome)
        match outcome:
            case Sent(refs=refs):
                self._learn_refs(refs)
                return Result(user_id, RecipientState.SENT)
            case Gone(reason=reason):
                is_closed = reason == "deactivated"
                state = RecipientState.DEACTIVATED if is_closed else RecipientState.BLOCKED
                return Result(user_id, state, reason, gone=reason)
            case Wait(retry_after_s=wait_s):
                self._hold.keep_quiet(wait_s)
                self._later(recipient, 0.0)
                return None
            case Refused(reason=reason):
                return self._refused(recipient, _tidy(reason))
            case Moved(chat_id=chat_id):
                return Result(user_id, RecipientState.FAILED, f"moved to {chat_id}")
            case Unclear(reason=reason):
                return self._unclear(recipient, _tidy(reason))
            case _ as never:
                assert_never(never)

    def _learn_refs(self, refs: Sequence[str | None]) -> None:
        if not self._must_upload:
            return
        learned = contents.with_refs(self._files, refs)
        if learned is not None:
            self._files, self._has_new_refs = learned, True
            self._message = contents.message_of(self._content, learned)

    def _refused(self, recipient: Recipient, reason: str) -> Result | None:
        if self._evidence.is_his_own(recipient, reason):
            return Result(recipient.user_id, RecipientState.FAILED, reason)
        self._later(recipient, 0.0)
        return None

    def _unclear(self, recipient: Recipient, reason: str) -> Result:
        """Once more later: he may get it twice, which is better than not at all."""
        self._hold.keep_quiet(self._evidence.doubt())
        if self._evidence.is_in_vain(recipient.user_id):
            return Result(recipient.user_id, RecipientState.FAILED, reason)
        tried = Recipient(recipient.user_id, recipient.attempts + 1, reason)
        self._later(tried, min(0.5 * 2.0 ** min(tried.attempts, 10), evidence.OUTAGE_WAIT_MAX_S))
        return Result(recipient.user_id, RecipientState.SENDING, reason)

    def _later(self, recipient: Recipient, wait_s: float) -> None:
        heapq.heappush(self._again, (time.monotonic() + wait_s, recipient.user_id, recipient))


def _tidy(reason: str) -> str:
    """As PostgreSQL can keep it."""
    return reason.replace("\0", "")[:ERROR_CHARACTERS_MAX]
