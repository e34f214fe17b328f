"""A seeded supervisor that kills API and worker processes at random under submitters.

The gate runs it small, ``tests/long/crash.py`` as large as one likes. A run prints its seed and its
counts; the same seed chooses the same victims and pauses again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hamyon.kit import pictures
from hamyon.kit.storage import StorageFailed
from hamyon.orders.service import deadlines
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import (
    API_KEY,
    UNHEARD,
    Process,
    Processes,
    Service,
    assert_sound,
    eventually,
)

PRICE = 27
PEACE_S = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    seed: int
    kills: int = 20
    orders: int = 300
    submitters: int = 20
    apis: int = 2
    workers: int = 3
    pause_s: tuple[float, float] = (0.2, 1.2)


@dataclass(slots=True)
class Run:
    """One run; ``service`` looks on from outside and serves nobody."""

    plan: Plan
    service: Service
    sandbox: Sandbox
    processes: Processes
    ports: Sequence[int]
    taken: dict[str, str] = field(default_factory=dict)
    living: list[Process] = field(default_factory=list)
    coming: set[asyncio.Task[None]] = field(default_factory=set)
    killed: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    async def go(self) -> dict[str, Any]:
        """Everything, with all that must be true afterwards. Returns the counts."""
        for user in range(1, self.plan.submitters + 1):
            await self.service.person(user, self.plan.orders * PRICE)
        for port in self.ports:
            self._start("api", port)
        for _ in range(self.plan.workers):
            self._start("worker")
        await asyncio.gather(*self.coming)
        began = time.monotonic()
        await asyncio.gather(self._submit_all(), self._kill_at_random())
        war_s = time.monotonic() - began
        began = time.monotonic()
        await self._peace()
        report = await self._check()
        return report | {
            "seed": self.plan.seed,
            "war_s": round(war_s, 1),
            "peace_s": round(time.monotonic() - began, 1),
        }

    def _start(self, role: str, port: int | None = None) -> None:
        more = {} if port is None else {"PORT": str(port)}
        started = self.processes.start(role, self.service.settings, **more)
        coming = asyncio.create_task(self._come_up(started))
        self.coming.add(coming)
        coming.add_done_callback(self.coming.discard)

    async def _come_up(self, process: Process) -> None:
        """From now on it may be killed."""
        self.living.append(await self.processes.ready(process, self.service.database))

    async def _kill_at_random(self) -> None:
        """One after another; each is started again at once, and given time to come up."""
        chance = random.Random(self.plan.seed)
        for _ in range(self.plan.kills):
            await asyncio.sleep(chance.uniform(*self.plan.pause_s))
            await eventually(self._somebody_lives)
            victim = self.living.pop(chance.randrange(len(self.living)))
            assert victim.is_alive, victim.said()
            victim.kill()
            self.killed[victim.role] += 1
            self._start(victim.role, victim.port if victim.role == "api" else None)

    async def _somebody_lives(self) -> bool:
        for task in self.coming:
            if task.done():
                task.result()
        return bool(self.living)

    async def _submit_all(self) -> None:
        """The orders are spread over the kills, so that each kill meets work in hand."""
        numbers = iter(range(self.plan.orders))
        timeout = aiohttp.ClientTimeout(total=5)
        per_kill = self.plan.orders / (self.plan.kills + 1)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def submitter(user: int) -> None:
                for number in numbers:
                    while self.killed.total() < int(number / per_kill):
                        await asyncio.sleep(0.05)
                    prompt = f"order {number}"
                    self.taken[prompt] = await self._submit(session, user, prompt)

            async with asyncio.TaskGroup() as group:
                for user in range(1, self.plan.submitters + 1):
                    group.create_task(submitter(user))

    async def _submit(self, session: aiohttp.ClientSession, user: int, prompt: str) -> str:
        """Until it is acknowledged, with the same key, at whichever API answers."""
        wish = {
            "telegram_id": user,
            "model": "seedream-v4",
            "prompt": prompt,
            "size": "1024*1024",
            "use_trial": False,
        }
        headers = {"api-key": API_KEY, "Idempotency-Key": prompt}
        for attempt in range(1000):
            port = self.ports[(user + attempt) % len(self.ports)]
            url = f"http://127.0.0.1:{port}/api/v1/generations/submit"
            with suppress(*UNHEARD):
                async with session.post(url, json=wish, headers=headers) as answer:
                    body = await answer.json(content_type=None)
                    if answer.status == 202:
                        return str(body["id"])
                    assert body["code"] == "too_many_active", body
            self.repeated += 1
            await asyncio.sleep(0.1)
        raise AssertionError(f"{prompt} was never taken")

    async def _peace(self) -> None:
        """All terminal within a minute; the deadlines of what stays uncertain are moved near."""

        async def all_ended() -> bool:
            await self.service.as_owner(
                """
                UPDATE orders o SET deadline_at = now() FROM jobs j
                WHERE j.order_id = o.id AND j.state = 'uncertain' AND o.state = 'running'
                """
            )
            await self.service.as_owner(
                "UPDATE orders SET review_until = now() WHERE state = 'review'"
            )
            await deadlines.sweep(self.service.deps)
            return not await self.service.pool.fetchval(
                "SELECT count(*) FROM orders WHERE settled_at IS NULL"
            )

        await asyncio.sleep(2)
        await eventually(all_ended, patience_s=PEACE_S, pause_s=1.0)

    async def _check(self) -> dict[str, Any]:
        await assert_sound(self.service.deps)
        rows = await self.service.pool.fetch(
            """
            SELECT o.id, o.state, o.charged, o.input->>'prompt' AS prompt, j.outputs,
                   o.review_until IS NOT NULL AS was_reviewed
            FROM orders o JOIN jobs j ON j.order_id = o.id
            """
        )
        assert len(rows) == self.plan.orders
        stats = await self.sandbox.stats()
        accepted = stats["accepted_by_prompt"]
        assert isinstance(accepted, dict)
        for row in rows:
            prompt = row["prompt"]
            assert self.taken[prompt] == str(row["id"]), f"{prompt} was acknowledged otherwise"
            times = accepted.get(prompt, 0)
            if row["state"] == "completed":
                # A picture that came after the review of peace had let go of the money is a gift.
                is_gift = row["was_reviewed"] and row["charged"] == 0
                assert (row["charged"], times) == (0 if is_gift else PRICE, 1), prompt
                await self._assert_stored(row["outputs"])
            else:
                assert (row["state"], row["charged"]) == ("failed", 0), prompt
                assert times <= 1, prompt
        settled = await self.service.pool.fetchval(
            "SELECT count(*) FROM notices WHERE key LIKE 'settled:%'"
        )
        assert settled == self.plan.orders
        return {
            "kills": dict(self.killed),
            "orders": dict(Counter(row["state"] for row in rows)),
            "accepted": stats["accepted"],
            "submits_repeated": self.repeated,
        }

    async def _assert_stored(self, outputs: list[dict[str, Any]]) -> None:
        assert outputs
        for output in outputs:
            try:
                content = await self.service.deps.storage.get(output["path"])
            except StorageFailed as failure:
                raise AssertionError(f"charged for {output['path']}") from failure
            picture = await pictures.probe(content)
            assert (picture.width, picture.height) == (output["width"], output["height"])
