"""kill -9 at every named point of the main road, in real processes; then a fresh worker.

Every order settles exactly once, and the provider is paid once: class A (offline) and class B (with
a callback) exactly, class C at most, with every unknown listed for operators.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hamyon.cli.parts import free_port
from hamyon.kit.crash import ORDER_POINTS
from tests.fixtures.database import Database, Databases
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import (
    Process,
    Processes,
    Service,
    assert_sound,
    eventually,
    forget_the_dead,
    hurried,
    launched,
    working,
)

pytestmark = pytest.mark.crash

USER = 777
PRICE = 27
OF_THE_API = {"webhook.stored"}
WITHOUT_POLLS = [
    point
    for point in ORDER_POINTS
    if point not in OF_THE_API and not point.startswith("poll.") and point != "submit.saved"
]
OF_WORKERS = [point for point in ORDER_POINTS if point not in OF_THE_API]
BEFORE_SENDING = {"claim.committed", "submit.before"}
BEFORE_SAVING = BEFORE_SENDING | {"submit.sent"}


async def _died(process: Process) -> None:
    """The process reached its point, and was killed there."""

    async def look() -> bool:
        return not process.is_alive

    await eventually(look)
    assert process.was_killed, process.said()


async def _crash_and_recover(
    database: Database,
    processes: Processes,
    home: Path,
    sandbox: Sandbox | None,
    point: str,
    *,
    webhooks: bool = False,
) -> dict[str, Any]:
    """How an order ended whose worker died at ``point``, after all clocks have run out."""
    # Nobody chats here, and every process that starts would load what chats need.
    async with launched(
        database, home, sandbox, worker=False, webhooks=webhooks, bot_token=None
    ) as service:
        await service.person(USER, 100)
        process = processes.start("worker", service.settings, HAMYON_CRASH_AT=point)
        order = await service.api.ordered(USER, point)
        async with hurried(service):
            await _died(process)
            await forget_the_dead(service)
            async with working(service):
                await _known(service, order, point)
        done = await _decided(service, order)
        await assert_sound(service.deps)
        charge = PRICE if done["status"] == "completed" else 0
        assert done["charged"] == charge
        assert await service.api.balance(USER) == (100 - charge, 0)
        assert len(await service.api.lines(USER)) == (1 if charge else 0)
        return done


async def _known(service: Service, order: str, point: str) -> None:
    """Wait until it is; when it never is, say how everything stands."""
    try:
        await eventually(lambda: _is_known(service, order))
    except TimeoutError:
        queue = await service.pool.fetch("SELECT * FROM pgqueuer")
        raise AssertionError(f"{point}: {await service.job(order)}, {queue}") from None


async def _is_known(service: Service, order: str) -> bool:
    """Settled, or known to be uncertain."""
    job = await service.job(order)
    return job["state"] == "uncertain" or job["finished_at"] is not None


async def _decided(service: Service, order: str) -> dict[str, Any]:
    done = await service.api.generation(USER, order)
    if done["status"] == "running":
        await service.past_deadline(order)
        listed = await service.api.call("GET", "/admin/orders?state=review", admin=True)
        (item,) = listed.body["items"]
        assert (item["id"], item["jobs"][0]["status"]) == (order, "uncertain")
        await service.past_review(order)
        done = {**await service.api.generation(USER, order), "listed": True}
    return done


async def _all(
    databases: Databases,
    processes: Processes,
    home: Path,
    sandbox: Sandbox | None,
    points: list[str],
    *,
    webhooks: bool = False,
) -> dict[str, dict[str, Any]]:
    """Every point at once, each with a database and a process of its own."""
    # Before and after, not meanwhile: dropping a database waits for every backend, also for one
    # that waits for this blocked loop to finish its sign-in.
    made = [databases.create() for _ in points]
    try:
        ends = await asyncio.gather(
            *(
                _crash_and_recover(
                    database, processes, home / point, sandbox, point, webhooks=webhooks
                )
                for database, point in zip(made, points, strict=True)
            )
        )
    finally:
        for database in made:
            databases.drop(database.name)
    return dict(zip(points, ends, strict=True))


async def test_class_a_repeats(databases: Databases, processes: Processes, tmp_path: Path) -> None:
    ends = await _all(databases, processes, tmp_path, None, WITHOUT_POLLS)
    assert {point: end["status"] for point, end in ends.items()} == dict.fromkeys(
        WITHOUT_POLLS, "completed"
    )


async def test_class_b_adopts(
    databases: Databases, processes: Processes, tmp_path: Path, quick: Sandbox
) -> None:
    ends = await _all(databases, processes, tmp_path, quick, OF_WORKERS, webhooks=True)
    accepted = (await quick.stats())["accepted_by_prompt"]
    assert isinstance(accepted, dict)
    for point, end in ends.items():
        sent = point not in BEFORE_SENDING
        assert end["status"] == ("completed" if sent else "failed"), point
        assert accepted.get(point, 0) == (1 if sent else 0), point
        assert ("listed" in end) is not sent, point


async def test_class_c_never_repeats(
    databases: Databases, processes: Processes, tmp_path: Path, quick: Sandbox
) -> None:
    ends = await _all(databases, processes, tmp_path, quick, OF_WORKERS)
    accepted = (await quick.stats())["accepted_by_prompt"]
    assert isinstance(accepted, dict)
    for point, end in ends.items():
        unknown = point in BEFORE_SAVING
        assert end["status"] == ("failed" if unknown else "completed"), point
        assert accepted.get(point, 0) == (0 if point in BEFORE_SENDING else 1), point
        assert ("listed" in end) is unknown, point


async def test_an_api_that_dies_behind_a_webhook(
    database: Database, processes: Processes, tmp_path: Path, quick: Sandbox
) -> None:
    """The event was stored with its queue entry, so nobody needs the API to go on."""
    await quick.fault("accepted_then_cut", {"operation": "submit"})
    port = free_port()
    async with launched(
        database, tmp_path, quick, worker=False, public_url=f"http://127.0.0.1:{port}"
    ) as service:
        await service.person(USER, 100)
        process = processes.start(
            "api", service.settings, HAMYON_CRASH_AT="webhook.stored", PORT=str(port)
        )
        await processes.ready(process)
        order = await service.api.ordered(USER)
        async with working(service):
            await _died(process)
            done = await service.api.ended(USER, order)
        assert (done["status"], done["charged"]) == ("completed", PRICE)
        assert (await quick.stats())["accepted"] == 1
        await assert_sound(service.deps)
