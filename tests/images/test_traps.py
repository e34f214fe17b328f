"""What the best-known bot of this kind fell into (contract/images.md, Traps); others of the list
stand where their subject is tested, each under the name ``test_trap_...``."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, API_KEY, Launch, eventually, hurried

USER = 777
PRICE = 27


async def test_trap_two_submits_at_once_freeze_nothing(launch: Launch, sandbox: Sandbox) -> None:
    """No lock is held while somebody outside is asked: the provider hangs, the door does not."""
    await sandbox.fault("hang", {"operation": "submit"})
    service = await launch(sandbox, database_pool_size=2)
    await service.person(USER, 1000)
    await service.person(USER + 1, 1000)
    answers = await asyncio.gather(service.api.submit(USER, "a"), service.api.submit(USER, "b"))
    assert [answer.status for answer in answers] == [202, 202]

    async def both_hang() -> bool:
        requests = (await sandbox.stats())["requests"]
        assert isinstance(requests, dict)
        return bool(requests.get("submit", 0) == 2)

    await eventually(both_hang)
    # Both calls are open now; the same person and others are served as ever.
    third = await service.api.submit(USER, "c")
    assert third.code == "too_many_active"
    assert (await service.api.submit(USER + 1)).status == 202
    for order in (answer.body["id"] for answer in answers):
        # The provider still hangs: nobody had to wait for the end of that.
        assert (await service.job(order))["state"] == "submitting"
    for order in (answer.body["id"] for answer in answers):
        await service.past_deadline(order)
        await service.past_review(order)
    assert await service.api.balance(USER) == (1000, 0)


async def test_trap_parallel_balance_reads_stall_nobody(launch: Launch) -> None:
    service = await launch(database_pool_size=2)
    await service.person(USER, 1000)
    reads = [asyncio.create_task(service.api.balance(USER)) for _ in range(320)]
    health = await service.api.call("GET", "/health")
    order = await service.api.ordered(USER)
    assert health.status == 200
    seen = set(await asyncio.gather(*reads))
    assert seen <= {(1000, 0), (1000 - PRICE, PRICE), (1000 - PRICE, 0)}
    await service.api.ended(USER, order)


async def test_trap_statistics_count_what_the_ledger_writes(launch: Launch) -> None:
    service = await launch()
    await service.person(USER, 1000)
    for _ in range(2):
        await service.api.ended(USER, await service.api.ordered(USER))
    answer = await service.api.call("GET", "/admin/stats?days=30", admin=True)
    assert answer.status == 200, answer.body
    told = json.dumps(answer.body)
    lines = await service.api.lines(USER)
    assert -sum(line["amount"] for line in lines) == 2 * PRICE
    assert _numbers_of(answer.body, "spent") == {2 * PRICE}, told


def _numbers_of(value: object, name: str) -> set[int]:
    """Every number under a name, however deep, that is not nothing."""
    found: set[int] = set()
    if isinstance(value, dict):
        for key, part in value.items():
            if name in key and isinstance(part, int):
                found.add(part)
            elif name in key and isinstance(part, dict):
                found |= {number for number in part.values() if isinstance(number, int)}
            else:
                found |= _numbers_of(part, name)
    elif isinstance(value, list):
        for part in value:
            found |= _numbers_of(part, name)
    return found - {0}


async def test_trap_no_token_is_logged_or_shown(
    launch: Launch, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither keys, nor our callback's token, nor the provider's own URLs."""
    await sandbox.settings(created_s=0, processing_s=0)
    await sandbox.fault("accepted_then_cut", {"operation": "submit", "nth": 1})
    await sandbox.fault("status", {"operation": "result", "times": 2}, status=500)
    service = await launch(sandbox, webhooks=True, log_level="DEBUG")
    await service.person(USER, 1000)
    answers = []
    async with hurried(service):
        for number in range(2):
            order = await service.api.ordered(USER, f"p{number}")
            await service.api.ended(USER, order)
            answers.append(json.dumps(await service.api.generation(USER, order)))
            listed = await service.api.call("GET", "/admin/orders?state=completed", admin=True)
            answers.append(json.dumps(listed.body))
    jobs = await service.pool.fetch("SELECT id FROM jobs")
    urls = [service.deps.callback_url("wavespeed", job["id"]) or "" for job in jobs]
    tokens = [url.rpartition("=")[2] for url in urls]
    assert len(tokens) == 2
    assert all(tokens)
    logged = "".join(capfd.readouterr())
    assert "unknown submission" in logged  # The log was on.
    for secret in (sandbox.key, API_KEY, ADMIN_KEY, *tokens):
        assert secret not in logged
        assert all(secret not in answer for answer in answers)
    assert all(sandbox.url not in answer for answer in answers)
