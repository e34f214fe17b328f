"""Notifications of the simulated vendor: unsigned, repeated until they are answered with 200."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

import orjson
from aiohttp import ClientError, ClientTimeout

from sandbox.faults import Call, FaultKind, first
from sandbox.yookassa.objects import Payment, Refund
from sandbox.yookassa.state import State

VENDOR = "yookassa"
OPERATION = "notification"
LATE_S = 2.0
DUPLICATE_PAUSE_S = 0.05
PARALLEL_MAX = 64


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One notification. ``left`` is set after its first attempt."""

    url: str
    content: bytes
    wait_s: float
    copies: int
    pause_s: float
    left: asyncio.Event = field(default_factory=asyncio.Event)


class Sender:
    """Tells of events, in the background, as settings and faults say."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[Letter] = []
        self._urgent: list[Letter] = []
        self._places = asyncio.Semaphore(PARALLEL_MAX)

    def tell(self, event: str, item: Payment | Refund) -> None:
        """Send the object as it is now.

        A rule sees the event as ``model`` and the object's own description as ``prompt``.
        """
        settings, counts = self._state.settings.notifications, self._state.stats.webhooks
        url = self._state.settings.notification_url
        if url is None:
            counts["without_address"] += 1
            return
        call = Call(VENDOR, OPERATION, event, item.description or "")
        faults = self._state.engine.pick(call)
        if not settings.enabled or first(faults, FaultKind.WEBHOOK_LOST):
            counts["lost"] += 1
            return
        late = first(faults, FaultKind.WEBHOOK_LATE)
        late_s = 0.0 if late is None else LATE_S if late.seconds is None else late.seconds
        duplicate = first(faults, FaultKind.WEBHOOK_DUPLICATE)
        pause_s = duplicate.seconds if duplicate is not None else None
        letter = Letter(
            url=url,
            content=self._content(event, item),
            wait_s=settings.delay_s + late_s,
            copies=settings.copies if duplicate is None else duplicate.copies,
            pause_s=DUPLICATE_PAUSE_S if pause_s is None else pause_s,
        )
        if settings.hold:
            self._held.append(letter)
            self.release()
            return
        if first(faults, FaultKind.WEBHOOK_BEFORE_ANSWER):
            self._urgent.append(letter)
        self._send_soon(letter)

    def release(self) -> None:
        """Send what is held, when it is enough."""
        settings = self._state.settings.notifications
        if not self._held or len(self._held) < settings.hold:
            return
        letters, self._held = self._held[::-1], []
        if settings.order == "shuffle":
            random.Random(self._state.engine.seed).shuffle(letters)  # noqa: S311 - to be replayed.
        self._start(self._send_in_turn(letters))

    async def before_answer(self) -> None:
        """Wait for what must arrive before the answer to the call that caused it."""
        while self._urgent:
            await self._urgent.pop().left.wait()

    def cancel(self) -> None:
        """Stop sending; what is on its way stays unsent."""
        for task in self._tasks:
            task.cancel()
        self._held.clear()

    async def stop(self) -> None:
        """Stop sending and wait until nothing runs."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _content(self, event: str, item: Payment | Refund) -> bytes:
        shown = self._state.shown(item)
        claimed = self._state.settings.notifications.reported_status
        if claimed is not None:
            shown["status"] = claimed
        return orjson.dumps({"type": "notification", "event": event, "object": shown})

    def _send_soon(self, letter: Letter) -> None:
        """Nobody waits for a letter whose sending ended, however it ended."""
        self._start(self._send(letter)).add_done_callback(lambda _task: letter.left.set())

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_in_turn(self, letters: Sequence[Letter]) -> None:
        """Each leaves when the one before it has arrived; repeats do not hold up the others."""
        for letter in letters:
            self._send_soon(letter)
            await letter.left.wait()

    async def _send(self, letter: Letter) -> None:
        if letter.wait_s:
            await asyncio.sleep(letter.wait_s)
        for number in range(letter.copies):
            if number:
                await asyncio.sleep(letter.pause_s)
            await self._deliver(letter)

    async def _deliver(self, letter: Letter) -> None:
        """One delivery with its repeats."""
        for delay_s in (0.0, *self._state.settings.notifications.retry_delays_s):
            if delay_s:
                await asyncio.sleep(delay_s)
            answered = await self._attempt(letter)
            letter.left.set()
            if answered:
                return
        self._state.stats.webhooks["given_up"] += 1

    async def _attempt(self, letter: Letter) -> bool:
        counts, settings = self._state.stats.webhooks, self._state.settings.notifications
        headers = {"Content-Type": "application/json"}
        if settings.forwarded_for is not None:
            headers["X-Forwarded-For"] = settings.forwarded_for
        async with self._places:
            counts["sent"] += 1
            try:
                async with self._state.session.post(
                    letter.url,
                    data=letter.content,
                    headers=headers,
                    timeout=ClientTimeout(total=settings.timeout_s),
                    allow_redirects=False,
                ) as answer:
                    await answer.read()
                    answered = answer.status == 200
            except (ClientError, OSError, TimeoutError, ValueError):
                answered = False
        counts["answered" if answered else "failed"] += 1
        return answered
