"""The simulated WaveSpeed does what ``wire.md`` documents."""

from __future__ import annotations

import asyncio
import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sandbox.wavespeed.settings import SECOND_KEY
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import BANANA, SEEDREAM, Client, png


async def test_a_task_runs_through_the_documented_states(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(created_s=0.1, processing_s=0.1)
    created = (await client.submit("a cat", size="1024*1024")).data
    assert len(created["id"]) == 32
    assert created["model"] == SEEDREAM
    assert created["status"] == "created"
    assert created["outputs"] == []
    assert created["urls"]["get"] == f"{sandbox.url}/api/v3/predictions/{created['id']}/result"
    seen = ["created"]
    while seen[-1] != "completed":
        data = await client.result(created["id"])
        if data["status"] != seen[-1]:
            seen.append(data["status"])
        assert bool(data["outputs"]) is (data["status"] == "completed")
        await asyncio.sleep(0.01)
    # A busy machine may miss a state between two looks, but never sees them in another order.
    assert seen in (["created", "processing", "completed"], ["created", "completed"])
    assert data["timings"]["inference"] > 0
    assert data["has_nsfw_contents"] == [False]
    assert data["input"] == {"prompt": "a cat", "size": "1024*1024"}
    assert datetime.fromisoformat(data["created_at"]).tzinfo is not None
    picture = await client.picture(data["outputs"][0])
    assert picture.size == (1024, 1024)


async def test_jobs_without_durations_are_done_at_the_first_look(client: Client) -> None:
    created = (await client.submit()).data
    assert created["status"] == "created"
    assert (await client.result(created["id"]))["status"] == "completed"


@pytest.mark.parametrize(
    ("model", "inputs", "size"),
    [
        (SEEDREAM, {}, (2048, 2048)),
        (SEEDREAM, {"size": "4096*1024"}, (4096, 1024)),
        (f"{BANANA}/text-to-image", {}, (1024, 1024)),
        (f"{BANANA}/text-to-image", {"aspect_ratio": "16:9"}, (1360, 768)),
        (f"{BANANA}-pro/text-to-image", {"resolution": "2k"}, (2048, 2048)),
        (f"{BANANA}-pro/text-to-image", {"resolution": "4k", "aspect_ratio": "21:9"}, (6256, 2688)),
    ],
)
async def test_pictures_have_the_size_that_was_asked_for(
    client: Client, model: str, inputs: dict[str, str], size: tuple[int, int]
) -> None:
    done = await client.make("a cat", model, **inputs)
    assert (await client.picture(done["outputs"][0])).size == size


async def test_output_formats_and_base64(client: Client) -> None:
    model = f"{BANANA}/text-to-image"
    jpeg = await client.make("a cat", model, output_format="jpeg")
    assert (await client.picture(jpeg["outputs"][0])).format == "JPEG"
    naked = await client.make("a cat", model, enable_base64_output=True)
    picture = Image.open(io.BytesIO(base64.b64decode(naked["outputs"][0], validate=True)))
    assert picture.size == (1024, 1024)


async def test_a_series_makes_and_costs_several(client: Client) -> None:
    before = await client.balance()
    done = await client.make("a cat", f"{SEEDREAM}/sequential", max_images=3, size="1024*1024")
    pictures = [(await client.picture(url)).tobytes() for url in done["outputs"]]
    assert len(set(pictures)) == 3
    assert before - await client.balance() == pytest.approx(3 * 0.027)


async def _upload(client: Client, content: bytes) -> str:
    form = aiohttp.FormData()
    form.add_field("file", content, filename="photo.png", content_type="image/png")
    async with client.session.post(
        "/api/v3/media/upload/binary",
        data=form,
        headers={"Authorization": f"Bearer {client.key}"},
    ) as answer:
        assert answer.status == 200
        data: dict[str, Any] = (await answer.json())["data"]
    assert data["type"] == "image"
    assert data["filename"] == "photo.png"
    assert data["size"] == len(content)
    return str(data["download_url"])


def _share(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    small = picture.convert("RGB").resize((64, 64), Image.Resampling.NEAREST)
    pixels = [small.getpixel((x, y)) for x in range(64) for y in range(64)]
    close = [
        isinstance(pixel, tuple) and max(abs(pixel[i] - colour[i]) for i in range(3)) < 30
        for pixel in pixels
    ]
    return sum(close) / len(close)


@pytest.mark.parametrize("way", ["url", "data", "base64"])
async def test_an_edit_shows_its_reference(client: Client, way: str) -> None:
    content = png((250, 0, 250))
    encoded = base64.b64encode(content).decode()
    image = {
        "url": await _upload(client, content),
        "data": f"data:image/png;base64,{encoded}",
        "base64": encoded,
    }[way]
    done = await client.make("make it so", f"{BANANA}/edit", images=[image])
    picture = await client.picture(done["outputs"][0])
    assert _share(picture, (250, 0, 250)) > 0.3
    plain = await client.make("make it so", f"{BANANA}/text-to-image")
    assert _share(await client.picture(plain["outputs"][0]), (250, 0, 250)) < 0.1


async def test_a_ticket_takes_exactly_its_file_once_and_without_a_key(client: Client) -> None:
    content = png()
    ask = {"filename": "a photo.png", "size": len(content), "content_type": "image/png"}
    ticket = (await client.call("POST", "/api/v3/media/uploads", ask)).data
    assert ticket["upload"]["method"] == "PUT"
    url, headers = ticket["upload"]["url"], ticket["upload"]["headers"]

    async def put(body: bytes, **extra: str) -> int:
        async with client.session.put(url, data=body, headers=headers | extra) as answer:
            return answer.status

    assert await put(content, Authorization=f"Bearer {client.key}") == 400
    assert await put(content) == 200
    assert await put(content) == 403
    assert (await client.picture(ticket["download_url"])).size == (64, 64)
    for body, extra in ((content + b"x", {}), (content, {"Content-Type": "image/gif"})):
        ticket = (await client.call("POST", "/api/v3/media/uploads", ask)).data
        url = ticket["upload"]["url"]
        assert await put(body, **extra) == 403


async def test_models_and_prices(client: Client, sandbox: Sandbox) -> None:
    models = {one["model_id"]: one for one in (await client.call("GET", "/api/v3/models")).data}
    schema = models[f"{BANANA}-pro/edit"]["api_schema"]["api_schemas"][0]
    assert schema["api_path"] == f"/api/v3/{BANANA}-pro/edit"
    assert schema["request_schema"]["required"] == ["prompt", "images"]
    assert schema["request_schema"]["properties"]["images"]["maxItems"] == 14
    await sandbox.settings(discount_rate=0.5)
    ask = {"model_id": f"{BANANA}-pro/text-to-image", "inputs": {"resolution": "4k"}}
    price = (await client.call("POST", "/api/v3/model/price", ask)).data
    assert price["price"] == pytest.approx(0.24)
    assert price["discounted_price"] == pytest.approx(0.12)
    legacy = (await client.call("POST", "/api/v3/model/pricing", ask)).data
    assert legacy == {"unit_price": pytest.approx(0.24)}
    before = await client.balance()
    await client.submit("a cat", f"{BANANA}-pro/text-to-image", resolution="4k")
    assert before - await client.balance() == pytest.approx(0.12)


async def test_the_list_filters_pages_and_hides_other_customers(client: Client) -> None:
    ids = [(await client.submit(f"cat {number}")).data["id"] for number in range(5)]
    await client.submit("banana", f"{BANANA}/text-to-image")
    await client.with_key(SECOND_KEY).submit("somebody else's")

    async def listed(**ask: object) -> list[str]:
        data = (await client.call("POST", "/api/v3/predictions", ask)).data
        return [item["id"] for item in data["items"]]

    assert await listed(model=SEEDREAM) == ids[::-1]
    assert await listed(model=SEEDREAM, page=2, page_size=2) == [ids[2], ids[1]]
    assert len(await listed(status="completed")) == 6
    assert await listed(status="failed") == []
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await listed(created_after=future) == []
    assert len(await listed(created_before=future)) == 6
    for bad in ({"page": 0}, {"page_size": 101}, {"page_size": "x"}, {"created_after": "soon"}):
        assert (await client.call("POST", "/api/v3/predictions", bad)).refusal == (400, 1401)


async def test_deleted_tasks_are_gone(client: Client, sandbox: Sandbox) -> None:
    done = await client.make()
    await sandbox.settings(processing_s=30)
    running = (await client.submit()).data["id"]
    other = (await client.with_key(SECOND_KEY).submit()).data["id"]
    ask = {"ids": [done["id"], running, other, "unknown"]}
    assert (await client.call("POST", "/api/v3/predictions/delete", ask)).data is None
    assert (await client.call("POST", "/api/v3/predictions", {})).data["items"] == []
    assert (await client.result(done["id"]))["status"] == "deleted"
    assert (await client.result(running))["status"] == "deleted"
    async with client.session.get(done["outputs"][0]) as answer:
        assert answer.status == 404
    assert (await client.with_key(SECOND_KEY).result(other))["status"] == "processing"


async def test_sync_mode_answers_with_the_result(client: Client) -> None:
    data = (await client.submit(enable_sync_mode=True)).data
    assert data["status"] == "completed"
    assert (await client.picture(data["outputs"][0])).size == (2048, 2048)


@pytest.mark.parametrize("shape", ["answer", "gateway"])
async def test_sync_mode_may_time_out_while_the_task_goes_on(
    client: Client, sandbox: Sandbox, shape: str
) -> None:
    await sandbox.settings(sync_timeout_s=0.1, sync_timeout_shape=shape, processing_s=0.5)
    answer = await client.submit(enable_sync_mode=True)
    if shape == "gateway":
        assert answer.refusal == (504, 504)
        job_id = (await client.call("POST", "/api/v3/predictions", {})).data["items"][0]["id"]
    else:
        assert answer.data["status"] == "processing"
        assert answer.data["code"] == 5004
        assert answer.data["error"].startswith("Sync mode timed out after 0.1 seconds")
        job_id = answer.data["id"]
    assert (await client.finished(job_id))["status"] == "completed"
    assert (await sandbox.stats())["accepted"] == 1


async def test_tasks_above_the_concurrency_wait(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(keys=[{"key": client.key, "concurrency": 1}])
    await sandbox.fault("stuck_processing", {"prompt_contains": "first"})
    first = (await client.submit("first")).data["id"]
    second = (await client.submit("second")).data["id"]
    assert (await client.result(first))["status"] == "processing"
    assert (await client.result(second))["status"] == "created"
    await client.call("POST", "/api/v3/predictions/delete", {"ids": [first]})
    assert (await client.finished(second))["status"] == "completed"


async def test_outputs_expire_when_told_to(client: Client, sandbox: Sandbox) -> None:
    done = await client.make()
    await sandbox.settings(output_ttl_s=0.001)
    await asyncio.sleep(0.01)
    async with client.session.get(done["outputs"][0]) as answer:
        assert answer.status == 404


async def test_it_remembers_a_bounded_number_of_tasks_and_counts_all(
    client: Client, sandbox: Sandbox
) -> None:
    await sandbox.settings(jobs_max=5)
    ids = [(await client.submit(f"cat {number % 4}")).data["id"] for number in range(20)]
    stats = await sandbox.stats()
    assert stats["jobs_in_memory"] == 5
    assert stats["accepted"] == 20
    assert stats["accepted_by_prompt"] == {f"cat {number}": 5 for number in range(4)}
    gone = await client.call("GET", f"/api/v3/predictions/{ids[0]}/result")
    assert gone.refusal == (404, 404)
