"""The vendor's own SDK works against the simulator: an independent reading of the protocol."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import aiohttp
import pytest
import wavespeed
from PIL import Image

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import BANANA, SEEDREAM, png


def _sdk(sandbox: Sandbox, key: str | None = None) -> wavespeed.Client:
    return wavespeed.Client(
        api_key=key or sandbox.key, base_url=sandbox.url, max_retries=0, retry_interval=0.01
    )


async def _picture(url: str) -> Image.Image:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return Image.open(io.BytesIO(await answer.read()))


@pytest.mark.parametrize("sync", [False, True])
async def test_run(sandbox: Sandbox, *, sync: bool) -> None:
    done = await asyncio.to_thread(
        _sdk(sandbox).run,
        SEEDREAM,
        {"prompt": "a cat", "size": "1024*1536"},
        poll_interval=0.05,
        enable_sync_mode=sync,
    )
    assert (await _picture(done["outputs"][0])).size == (1024, 1536)
    assert (await sandbox.stats())["accepted"] == 1


async def test_upload_and_edit(sandbox: Sandbox, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png((0, 0, 250)))
    sdk = _sdk(sandbox)
    url = await asyncio.to_thread(sdk.upload, str(photo))
    inputs = {"prompt": "make it so", "images": [url]}
    done = await asyncio.to_thread(sdk.run, f"{BANANA}/edit", inputs, poll_interval=0.05)
    picture = (await _picture(done["outputs"][0])).convert("RGB")
    assert picture.getpixel((512, 400)) == pytest.approx((0, 0, 250), abs=12)


async def test_upload_from_memory(sandbox: Sandbox) -> None:
    stream = io.BytesIO(png())
    stream.name = "photo.png"
    url = await asyncio.to_thread(_sdk(sandbox).upload, stream)
    assert (await _picture(url)).size == (64, 64)


async def test_failures(sandbox: Sandbox) -> None:
    sdk = _sdk(sandbox)
    await sandbox.fault("failed", code=1403, message="no luck")
    with pytest.raises(RuntimeError, match="no luck"):
        await asyncio.to_thread(sdk.run, SEEDREAM, {"prompt": "a"}, poll_interval=0.05)
    with pytest.raises(RuntimeError, match="HTTP 401"):
        await asyncio.to_thread(_sdk(sandbox, "unknown").run, SEEDREAM, {"prompt": "a"})
    with pytest.raises(RuntimeError, match="HTTP 400"):
        await asyncio.to_thread(sdk.run, SEEDREAM, {})


async def test_sync_timeout_is_understood(sandbox: Sandbox) -> None:
    await sandbox.settings(sync_timeout_s=0.1, processing_s=20)
    told = await asyncio.to_thread(
        _sdk(sandbox).run_no_throw, SEEDREAM, {"prompt": "a"}, enable_sync_mode=True
    )
    assert told["status"] == "processing"
    assert len(told["task_id"]) == 32


async def test_a_cut_submit_is_not_repeated(sandbox: Sandbox) -> None:
    await sandbox.fault("accepted_then_cut", {"operation": "submit"})
    with pytest.raises(RuntimeError, match="may already"):
        await asyncio.to_thread(_sdk(sandbox).run, SEEDREAM, {"prompt": "a"})
    assert (await sandbox.stats())["accepted"] == 1
