"""kill -9 at every named point of messages, in a real worker; then another one goes on.

What was told in a transaction is told, and nothing comes twice but the one message that had left
when the worker died and was not written down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hamyon.kit.crash import MESSAGE_POINTS
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import (
    Processes,
    assert_sound,
    eventually,
    forget_the_dead,
    hurried,
    launched,
    working,
)
from tests.messages.post import ALI, Post

pytestmark = pytest.mark.crash

ARRIVALS = {"notice.passed_on": (0, 1), "deliver.claimed": (0, 1), "deliver.sent": (1, 2)}
"""How many messages have come when the worker is dead, and when all is done."""


def test_every_point_is_reached() -> None:
    """The test below reaches each of them."""
    assert set(ARRIVALS) == set(MESSAGE_POINTS)


@asynccontextmanager
async def _post(database: Database, home: Path, sandbox: Sandbox) -> AsyncIterator[Post]:
    async with launched(database, home, sandbox, worker=False) as service:
        await service.person(ALI)
        yield Post(service, sandbox)
        await assert_sound(service.deps)


@pytest.mark.parametrize("point", MESSAGE_POINTS)
async def test_another_worker_goes_on(
    database: Database, processes: Processes, tmp_path: Path, sandbox: Sandbox, point: str
) -> None:
    async with _post(database, tmp_path, sandbox) as post:
        process = processes.start("worker", post.service.settings, HAMYON_CRASH_AT=point)
        await post.tell("a", "order_refunded")

        async def died() -> bool:
            return not process.is_alive

        await eventually(died)
        assert process.was_killed, process.said()
        before, after = ARRIVALS[point]
        assert (await post.counts()).get(ALI, 0) == before
        await forget_the_dead(post.service)
        await post.service.as_owner("UPDATE deliveries SET lease_until = now() - interval '1 s'")
        async with hurried(post.service), working(post.service):
            assert await post.ended(1) == {"sent": 1}
        assert await post.counts() == {ALI: after}
