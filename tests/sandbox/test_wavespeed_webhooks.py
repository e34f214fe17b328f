"""Webhooks of the simulated WaveSpeed: form, signature, repeats and faults."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Any

import orjson
import pytest

from sandbox.wavespeed.settings import SECOND_KEY
from sandbox.wavespeed.webhooks import sign
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import Client, Hook, Hooks


def test_signature_vector() -> None:
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    )
    assert signature == "v3,10b86a1b42aed60c0e7357f88f229da774851852c039d27d6efa562dc8826a42"


async def _secret(client: Client) -> str:
    secret = (await client.call("GET", "/api/v3/webhook/secret")).data["secret"]
    assert secret.startswith("whsec_")
    return str(secret)


def _valid(hook: Hook, secret: str) -> bool:
    """The documented check, written anew."""
    message = f"{hook.headers['webhook-id']}.{hook.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(secret[6:].encode("ascii"), message + hook.body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(hook.headers["webhook-timestamp"])) <= 300
    return fresh and hook.headers["webhook-signature"] == f"v3,{digest}"


async def _webhooks(sandbox: Sandbox) -> Any:
    return (await sandbox.stats())["webhooks"]


async def _eventually(sandbox: Sandbox, name: str, count: int) -> Any:
    async with asyncio.timeout(20):
        while (counts := await _webhooks(sandbox)).get(name, 0) < count:
            await asyncio.sleep(0.02)
    return counts


async def test_it_sends_the_bare_prediction_signed(
    client: Client, sandbox: Sandbox, hooks: Hooks
) -> None:
    url = f"{hooks.url}%3Fjob=7"
    job_id = (await client.submit("a cat", webhook=url)).data["id"]
    hook = (await hooks.wait_for(1))[0]
    body = orjson.loads(hook.body)
    assert (body["id"], body["status"]) == (job_id, "completed")
    assert body["input"] == {"prompt": "a cat"}
    assert body["outputs"] == (await client.result(job_id))["outputs"]
    assert "data" not in body
    assert "message" not in body
    assert hook.headers["content-type"] == "application/json"
    assert _valid(hook, await _secret(client))
    counts = await _eventually(sandbox, "answered", 1)
    assert counts == {"sent": 1, "answered": 1, "failed": 0}
    stats = await sandbox.stats()
    assert stats["accepted_by_webhook"] == {f"{hooks.url}?job=7": 1}


async def test_every_key_has_its_own_secret(client: Client, hooks: Hooks) -> None:
    other = client.with_key(SECOND_KEY)
    await other.submit(webhook=hooks.url)
    hook = (await hooks.wait_for(1))[0]
    assert _valid(hook, await _secret(other))
    assert not _valid(hook, await _secret(client))


async def test_a_failed_task_is_told_too(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.fault("failed", code=1403)
    await client.submit(webhook=hooks.url)
    body = orjson.loads((await hooks.wait_for(1))[0].body)
    assert (body["status"], body["code"], body["outputs"]) == ("failed", 1403, [])


async def test_it_repeats_until_it_is_answered(
    client: Client, sandbox: Sandbox, hooks: Hooks
) -> None:
    await sandbox.settings(webhooks={"retry_delays_s": [0.01, 0.01, 0.01]})
    hooks.statuses = [500, 302]
    await client.submit(webhook=hooks.url)
    received = await hooks.wait_for(3)
    assert len({hook.headers["webhook-id"] for hook in received}) == 1
    assert len({hook.body for hook in received}) == 1
    counts = await _eventually(sandbox, "answered", 1)
    assert (counts["sent"], counts["failed"]) == (3, 2)


async def test_repeats_can_be_switched_off(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.settings(webhooks={"retry_delays_s": []})
    hooks.statuses = [500]
    await client.submit(webhook=hooks.url)
    counts = await _eventually(sandbox, "given_up", 1)
    assert (counts["sent"], counts["answered"]) == (1, 0)


async def test_nobody_listens(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(webhooks={"retry_delays_s": [0.01]})
    await client.submit(webhook="http://127.0.0.1:1/hook")
    counts = await _eventually(sandbox, "given_up", 1)
    assert (counts["sent"], counts["failed"]) == (2, 2)


async def test_duplicate(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.fault("webhook_duplicate", copies=3, seconds=0)
    await client.submit(webhook=hooks.url)
    received = await hooks.wait_for(3)
    assert len({(hook.headers["webhook-id"], hook.body) for hook in received}) == 1


async def test_late(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.fault("webhook_late", seconds=1)
    await client.make()
    assert not hooks.received
    job_id = (await client.submit(webhook=hooks.url)).data["id"]
    assert (await client.finished(job_id))["status"] == "completed"
    assert not hooks.received
    assert len(await hooks.wait_for(1)) == 1


async def test_lost(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.fault("webhook_lost", {"prompt_contains": "lost"})
    await client.submit("lost", webhook=hooks.url)
    await client.submit("found", webhook=hooks.url)
    received = await hooks.wait_for(1)
    assert [orjson.loads(hook.body)["input"]["prompt"] for hook in received] == ["found"]
    assert (await _eventually(sandbox, "lost", 1))["sent"] == 1


async def test_bad_signature(client: Client, sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.fault("webhook_bad_signature")
    await client.submit(webhook=hooks.url)
    hook = (await hooks.wait_for(1))[0]
    assert hook.headers["webhook-signature"].startswith("v3,")
    assert not _valid(hook, await _secret(client))


@pytest.mark.parametrize("status", [200, 500])
async def test_before_the_answer(
    client: Client, sandbox: Sandbox, hooks: Hooks, status: int
) -> None:
    await sandbox.settings(created_s=60, processing_s=60)
    await sandbox.fault("webhook_before_answer")
    hooks.statuses = [status]
    answer = await client.submit(webhook=hooks.url)
    assert len(hooks.received) == 1
    body = orjson.loads(hooks.received[0].body)
    assert (body["id"], body["status"]) == (answer.data["id"], "completed")
    assert answer.data["status"] == "created"


async def test_an_accepted_job_whose_answer_was_cut_still_calls_back(
    client: Client, sandbox: Sandbox, hooks: Hooks
) -> None:
    await sandbox.fault("accepted_then_cut")
    with pytest.raises(OSError):  # aiohttp's connection errors are OSErrors.
        await client.submit(webhook=hooks.url)
    assert orjson.loads((await hooks.wait_for(1))[0].body)["status"] == "completed"
