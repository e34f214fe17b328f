"""A seeded broadcast through workers that are killed while they send it.

The gate runs it small, ``tests/long/broadcast.py`` as large as one likes. The simulated Telegram
counts every message and enforces its limit in an exact window: it is the witness.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil

from hamyon.kit.db import connect
from tests.fixtures.service import Process, Processes, eventually
from tests.messages.desk import Desk

MARK = "Broadcast of the crash test"
PLACES = 10
"""What one process has in flight at most, at the pace that costs nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. ``gone`` is how many in a thousand have blocked the bot, ``floods``
    how many calls in a thousand hear 429 though the pace was kept."""

    seed: int
    people: int = 300
    kills: int = 3
    workers: int = 2
    gone: int = 30
    floods: int = 0
    per_second: int = 30
    patience_s: float = 120.0


@dataclass(slots=True)
class Run:
    """One run; the desk's own service looks on and sends nothing."""

    plan: Plan
    desk: Desk
    processes: Processes
    living: list[Process] = field(default_factory=list)
    in_flight: int = 0
    """What the dead can have sent without anybody knowing, in all."""

    async def go(self) -> dict[str, Any]:
        """Everything, with all that must be true afterwards. Returns the counts."""
        plan, desk = self.plan, self.desk
        chance = random.Random(plan.seed)
        await desk.limits(per_second=plan.per_second)
        await desk.people(plan.people)
        blocked = set(chance.sample(range(1, plan.people + 1), plan.people * plan.gone // 1000))
        for user in blocked:
            await desk.block(user)
        if plan.floods:
            await desk.sandbox.faults(
                {
                    "match": {
                        "vendor": "telegram",
                        "operation": "sendMessage",
                        "probability": plan.floods / 1000,
                    },
                    "fault": {"kind": "status", "status": 429, "retry_after": 1},
                },
                seed=plan.seed,
            )
        for _ in range(plan.workers):
            self._start()
        began = time.monotonic()
        number = await desk.started({"type": "text", "text": MARK})
        for kill in range(plan.kills):
            await self._kill(number, chance, (kill + 1) * plan.people // (plan.kills + 1))
        await eventually(lambda: self._is_over(number), patience_s=plan.patience_s, pause_s=0.2)
        took_s = time.monotonic() - began
        return await self._check(number, blocked) | {
            "seed": plan.seed,
            "took_s": round(took_s, 1),
        }

    def _start(self) -> None:
        self.living.append(self.processes.start("worker", self.desk.service.settings))

    async def _kill(self, number: int, chance: random.Random, at: int) -> None:
        """Kill the one who sends when about so many have it, and start another in his place."""

        async def is_time() -> bool:
            return sum((await self.desk.counts(MARK)).values()) >= at

        await eventually(is_time, patience_s=self.plan.patience_s, pause_s=0.05)
        await asyncio.sleep(chance.uniform(0, 0.3))
        victim: Process = await eventually(self._sender, patience_s=self.plan.patience_s)
        victim.kill()
        assert (await self.desk.shown(number))["state"] == "running", "killed too late"
        self.living.remove(victim)
        self.in_flight += PLACES
        self._start()

    async def _sender(self) -> Process | None:
        """The process whose connections write what became of recipients."""
        connection = await connect(self.desk.service.database.superuser_dsn, role=None)
        try:
            rows = await connection.fetch(
                """
                SELECT client_port FROM pg_stat_activity
                WHERE query ILIKE '%broadcast_recipients%' OR query ILIKE '%broadcast_pumps SET%'
                """
            )
        finally:
            await connection.close()
        ports = {row["client_port"] for row in rows}
        for process in self.living:
            assert process.is_alive, process.said()
            links = psutil.Process(process.popen.pid).net_connections()
            if any(link.laddr.port in ports for link in links):
                return process
        return None

    async def _is_over(self, number: int) -> bool:
        for process in self.living:
            assert process.is_alive, process.said()
        return bool((await self.desk.shown(number))["state"] == "completed")

    async def _check(self, number: int, blocked: set[int]) -> dict[str, Any]:
        plan, desk = self.plan, self.desk
        counts = Counter(await desk.counts(MARK))
        expected = {*range(1, plan.people + 1)} - blocked
        missed = expected - counts.keys()
        assert not missed, f"missed: {sorted(missed)[:20]}"
        assert counts.keys() == expected
        duplicates = counts.total() - len(expected)
        assert duplicates <= self.in_flight, f"{duplicates} for {self.in_flight} in flight"
        done = await desk.shown(number)
        assert (done["sent"], done["blocked"], done["failed"]) == (
            len(expected), len(blocked), 0,
        )  # fmt: skip
        (facts,) = await desk.told("broadcast_finished")
        assert (facts["sent"], facts["recipients"]) == (len(expected), plan.people)
        pace = await desk.pace()
        # Notices to operators would be among them; there are no operators here.
        assert pace["most_in_any_second"] <= plan.per_second, pace
        assert pace["refused_429"] == 0, pace
        return {
            "people": plan.people,
            "kills": plan.kills,
            "missed": 0,
            "duplicates": duplicates,
            "in_flight_at_kills": self.in_flight,
            "blocked": len(blocked),
            **pace,
        }
