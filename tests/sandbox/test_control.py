"""The control API and the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import Client

PATIENCE_S = 30.0


async def _control(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with client.session.request(method, f"/_control/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def test_rules_are_listed_with_what_they_did(client: Client, sandbox: Sandbox) -> None:
    rule = {"match": {"operation": "submit", "nth": 2}, "fault": {"kind": "status", "status": 500}}
    status, added = await _control(client, "POST", "faults", [rule])
    assert (status, len(added)) == (200, 1)
    await client.submit()
    await client.submit()
    _, listed = await _control(client, "GET", "faults")
    assert listed["rules"] == [{"id": 1, "seen": 2, "fired": 1} | rule]
    assert listed["fired"] == {"status": 1}
    assert (await _control(client, "DELETE", "faults"))[0] == 200
    assert (await _control(client, "GET", "faults"))[1]["rules"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", [{"fault": {"kind": "earthquake"}}]),
        ("faults", {"mix": {"earthquake": 0.1}}),
        ("faults", "latency"),
        ("settings", {"gemini": {}}),
        ("settings", {"seed": "x"}),
        ("settings", []),
        ("settings", {"wavespeed": {"processing_s": -1}}),
        ("settings", {"wavespeed": {"colour": "red"}}),
        ("settings", {"wavespeed": {"webhooks": {"colour": "red"}}}),
    ],
)
async def test_bad_orders_change_nothing(client: Client, path: str, body: object) -> None:
    before = await _control(client, "GET", path)
    status, told = await _control(client, "POST", path, body)
    assert status == 400
    assert told["error"]
    assert await _control(client, "GET", path) == before


async def test_settings_are_merged_and_reset(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(seed=9, processing_s=1, webhooks={"delay_s": 2})
    _, shown = await _control(client, "GET", "settings")
    assert shown["seed"] == 9
    assert shown["wavespeed"]["created_s"] == 0
    assert shown["wavespeed"]["webhooks"]["delay_s"] == 2
    assert shown["wavespeed"]["webhooks"]["timeout_s"] == 5
    await client.submit()
    await sandbox.reset()
    _, shown = await _control(client, "GET", "settings")
    assert (shown["seed"], shown["wavespeed"]["created_s"]) == (0, 0.05)
    stats = await sandbox.stats()
    assert (stats["accepted"], stats["requests"], stats["jobs_in_memory"]) == (0, {}, 0)
    assert await client.balance() == 1_000_000


async def test_the_witness_names_what_was_paid_twice(client: Client, sandbox: Sandbox) -> None:
    for prompt in ("once", "twice", "twice"):
        await client.submit(prompt, webhook=f"https://127.0.0.1:1/{prompt}")
    stats = await sandbox.stats(brief=True)
    assert stats["accepted"] == 3
    assert stats["repeated_prompts"] == {"twice": 2}
    assert stats["repeated_webhooks"] == {"https://127.0.0.1:1/twice": 2}
    assert "accepted_by_prompt" not in stats


async def test_bytes_are_counted(client: Client, sandbox: Sandbox) -> None:
    done = await client.make()
    async with client.session.get(done["outputs"][0]) as answer:
        size = len(await answer.read())
    assert (await sandbox.stats())["bytes"] == {"outputs": size}


async def _command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"seed": 3, "rules": [{"fault": {"kind": "nsfw"}}]}))
    process = await _command("--port", "0", "--faults", str(faults))
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
    assert line.startswith("sandbox ready at http://127.0.0.1:")
    address = line.split()[3]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/_control/faults") as answer,
    ):
        told = await answer.json()
    assert (told["seed"], told["rules"][0]["fault"]) == (3, {"kind": "nsfw"})
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


@pytest.mark.parametrize("content", [None, "{", '[{"fault": {"kind": "earthquake"}}]'])
async def test_the_command_says_what_is_wrong_with_faults(
    tmp_path: Path, content: str | None
) -> None:
    faults = tmp_path / "faults.json"
    if content is not None:
        faults.write_text(content)
    process = await _command("--faults", str(faults))
    _, told = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert told.startswith(b"sandbox: ")


async def test_the_command_says_that_the_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await _command("--port", str(taken.getsockname()[1]))
        _, told = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert b"in use" in told
