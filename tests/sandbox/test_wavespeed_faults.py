"""Every fault on request, seen by a real client; and what was accepted in spite of it."""

from __future__ import annotations

import asyncio
import base64
import io

import aiohttp
import pytest
from PIL import Image, UnidentifiedImageError

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import BANANA, SEEDREAM, Client

SUBMIT = {"vendor": "wavespeed", "operation": "submit"}
BRIEF = aiohttp.ClientTimeout(total=0.3)


async def _accepted(sandbox: Sandbox) -> object:
    return (await sandbox.stats())["accepted"]


async def _content(client: Client, url: str) -> tuple[str, bytes]:
    async with client.session.get(url) as answer:
        assert answer.status == 200
        return answer.content_type, await answer.read()


# --- the request and its answer ---------------------------------------------------------------


async def test_latency(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("latency", SUBMIT | {"prompt_contains": "slow"}, seconds=0.5)
    order: list[str] = []

    async def submit(prompt: str) -> None:
        assert (await client.submit(prompt)).status == 200
        order.append(prompt)

    await asyncio.gather(submit("slow"), submit("quick"))
    assert order == ["quick", "slow"]


async def test_a_caller_who_leaves_during_latency_pays_nothing(
    client: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("latency", SUBMIT, seconds=1)
    with pytest.raises(TimeoutError):
        await client.call("POST", f"/api/v3/{SEEDREAM}", {"prompt": "a"}, timeout=BRIEF)
    await asyncio.sleep(1)
    assert await _accepted(sandbox) == 0


async def test_latency_after_acceptance(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("latency", SUBMIT, seconds=30, accepted=True)
    with pytest.raises(TimeoutError):
        await client.call("POST", f"/api/v3/{SEEDREAM}", {"prompt": "a"}, timeout=BRIEF)
    assert await _accepted(sandbox) == 1


@pytest.mark.parametrize("retry_after", [None, 7])
async def test_status_429(client: Client, sandbox: Sandbox, retry_after: int | None) -> None:
    options = {} if retry_after is None else {"retry_after": retry_after}
    await sandbox.fault("status", SUBMIT | {"times": 1}, status=429, **options)
    answer = await client.submit()
    assert answer.refusal == (429, 429)
    assert answer.headers.get("Retry-After") == (None if retry_after is None else "7")
    assert await _accepted(sandbox) == 0
    assert (await client.submit()).status == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("accepted", [False, True])
async def test_status_5xx(client: Client, sandbox: Sandbox, status: int, *, accepted: bool) -> None:
    await sandbox.fault("status", SUBMIT, status=status, message="Oops", accepted=accepted)
    answer = await client.submit()
    assert answer.refusal == (status, status)
    assert answer.body["message"] == "Oops"
    assert await _accepted(sandbox) == int(accepted)


@pytest.mark.parametrize("accepted", [False, True])
async def test_hang(client: Client, sandbox: Sandbox, *, accepted: bool) -> None:
    await sandbox.fault("hang", SUBMIT, accepted=accepted)
    with pytest.raises(TimeoutError):
        await client.call("POST", f"/api/v3/{SEEDREAM}", {"prompt": "a"}, timeout=BRIEF)
    assert await _accepted(sandbox) == int(accepted)


async def test_a_hang_may_end_in_a_cut(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("hang", SUBMIT, seconds=0.05)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await client.submit()


async def test_refuse(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("refuse", SUBMIT)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await client.submit()
    assert await _accepted(sandbox) == 0


async def test_accepted_then_cut(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("accepted_then_cut", SUBMIT)
    before = await client.balance()
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await client.submit("paid but unheard")
    stats = await sandbox.stats()
    assert stats["accepted_by_prompt"] == {"paid but unheard": 1}
    assert before - await client.balance() == pytest.approx(0.027)
    items = (await client.call("POST", "/api/v3/predictions", {})).data["items"]
    assert (await client.finished(items[0]["id"]))["status"] == "completed"


async def test_answer_truncated(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("answer_truncated", SUBMIT)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.submit()
    assert await _accepted(sandbox) == 1


@pytest.mark.parametrize("accepted", [False, True])
async def test_not_json(client: Client, sandbox: Sandbox, *, accepted: bool) -> None:
    await sandbox.fault("not_json", SUBMIT, accepted=accepted)
    headers = {"Authorization": f"Bearer {client.key}"}
    async with client.session.post(
        f"/api/v3/{SEEDREAM}", json={"prompt": "a"}, headers=headers
    ) as answer:
        assert answer.status == 200
        assert (await answer.text()).startswith("<html>")
    assert await _accepted(sandbox) == int(accepted)


async def test_faults_of_other_operations(client: Client, sandbox: Sandbox) -> None:
    job_id = (await client.submit("slow cat")).data["id"]
    await sandbox.fault("status", {"operation": "result", "prompt_contains": "slow", "nth": 2})
    path = f"/api/v3/predictions/{job_id}/result"
    answers = [(await client.call("GET", path)).status for _ in range(3)]
    assert answers == [200, 503, 200]
    await sandbox.fault("status", {"operation": "balance"}, status=500)
    assert (await client.call("GET", "/api/v3/balance")).status == 500
    stats = await sandbox.stats()
    assert stats["requests"] == {"submit": 1, "result": 3, "balance": 1}
    assert stats["answers"] == {"submit 200": 1, "result 200": 2, "result 503": 1, "balance 500": 1}


async def test_a_rule_for_a_model_and_a_prompt(client: Client, sandbox: Sandbox) -> None:
    banana = f"{BANANA}/text-to-image"
    await sandbox.fault("status", {"model": banana, "prompt_contains": "bad"}, status=500)
    assert (await client.submit("bad", banana)).status == 500
    assert (await client.submit("good", banana)).status == 200
    assert (await client.submit("bad")).status == 200


# --- the job ----------------------------------------------------------------------------------


async def test_completed_without_outputs(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("completed_without_outputs")
    done = await client.make()
    assert (done["status"], done["outputs"]) == ("completed", [])


async def test_nsfw(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("nsfw", {"times": 1})
    await sandbox.fault("nsfw", {"nth": 2}, flagged=True)
    before = await client.balance()
    failed = await client.make()
    assert (failed["status"], failed["code"], failed["outputs"]) == ("failed", 1200, [])
    assert await client.balance() == before
    flagged = await client.make()
    assert (flagged["status"], flagged["has_nsfw_contents"]) == ("completed", [True])
    assert await client.balance() < before


@pytest.mark.parametrize("state", ["failed", "cancelled", "timeout"])
async def test_failed(client: Client, sandbox: Sandbox, state: str) -> None:
    await sandbox.fault("failed", code=5003, message="no workers", state=state)
    failed = await client.make()
    assert (failed["status"], failed["code"], failed["error"]) == (state, 5003, "no workers")
    assert (await sandbox.stats())["finished"] == {state: 1}


async def test_failed_tasks_may_stay_paid(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(refund_failed=False)
    await sandbox.fault("failed")
    before = await client.balance()
    assert (await client.make())["code"] == 1405
    assert before - await client.balance() == pytest.approx(0.027)


async def test_stuck_processing(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("stuck_processing", {"prompt_contains": "forever"})
    await sandbox.fault("stuck_processing", {"prompt_contains": "a while"}, seconds=0.1)
    stuck = (await client.submit("forever")).data["id"]
    assert (await client.make("a while"))["status"] == "completed"
    assert (await client.result(stuck))["status"] == "processing"


# --- what it made -----------------------------------------------------------------------------


async def test_output_broken(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_broken")
    mime, content = await _content(client, (await client.make())["outputs"][0])
    assert mime == "image/png"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content))
    naked = await client.make(enable_base64_output=True)
    assert base64.b64decode(naked["outputs"][0]) == content


async def test_output_truncated(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_truncated")
    _, content = await _content(client, (await client.make())["outputs"][0])
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(content)).load()


async def test_output_cut_while_it_is_sent(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_truncated", cut=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await _content(client, (await client.make())["outputs"][0])


async def test_output_huge(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_huge", {"times": 1})
    url = (await client.make())["outputs"][0]
    got = 0
    async with client.session.get(url) as answer:
        assert "Content-Length" not in answer.headers
        async for piece in answer.content.iter_any():
            got += len(piece)
            if got > 30_000_000:
                break
        answer.close()
    assert got > 30_000_000
    await sandbox.fault("output_huge", bytes=1_000_000)
    _, content = await _content(client, (await client.make())["outputs"][0])
    assert 1_000_000 <= len(content) < 1_100_000


async def test_output_bomb(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_bomb")
    _, content = await _content(client, (await client.make())["outputs"][0])
    assert len(content) < 5_000_000
    assert content[16:24] == (12_000).to_bytes(4, "big") * 2


@pytest.mark.parametrize(("kind", "beginning"), [("html", b"<html>"), ("gif", b"GIF8")])
async def test_output_wrong_type(
    client: Client, sandbox: Sandbox, kind: str, beginning: bytes
) -> None:
    await sandbox.fault("output_wrong_type", content=kind)
    mime, content = await _content(client, (await client.make())["outputs"][0])
    assert mime == "image/png"
    assert content.startswith(beginning)


async def test_output_404_for_all_downloads_or_for_one(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("output_404", {"prompt_contains": "gone"})
    await sandbox.fault("output_404", {"operation": "output", "prompt_contains": "late", "nth": 1})

    async def statuses(prompt: str) -> list[int]:
        url = (await client.make(prompt))["outputs"][0]
        seen = []
        for _ in range(2):
            async with client.session.get(url) as answer:
                seen.append(answer.status)
        return seen

    assert await statuses("gone") == [404, 404]
    assert await statuses("late") == [404, 200]


# --- by seed ----------------------------------------------------------------------------------


async def test_a_seed_replays_over_http(client: Client, sandbox: Sandbox) -> None:
    async def run(seed: int) -> list[str]:
        await sandbox.clear_faults()
        await sandbox.faults(seed=seed, mix={"status": 0.2, "nsfw": 0.2, "failed": 0.2})

        async def one(number: int) -> str:
            answer = await client.submit(f"prompt {number}")
            if answer.status != 200:
                return str(answer.status)
            done = await client.finished(answer.data["id"])
            return f"{done['status']} {done.get('code', 0)}"

        return list(await asyncio.gather(*(one(number) for number in range(40))))

    first = await run(5)
    assert await run(5) == first
    assert await run(6) != first
    assert len(set(first)) == 4
