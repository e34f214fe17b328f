"""Hostile uploads over HTTP: a typed answer, nothing charged, and memory that stays bounded.

Memory is that of a real API process and whatever it starts, looked at all the while.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from PIL import Image

from hamyon.kit.db import Pool, transaction
from tests.fixtures.database import Database
from tests.fixtures.service import API_KEY, Process, Processes, settings_for
from tests.ledger.money import deposit, wallet
from tests.media.pictures import (
    SCRIPT,
    bomb,
    gif,
    heic,
    picture,
    png_chunk,
    polyglot,
    random_bytes,
    ten_thousand_frames,
)

USER = 71_001
GROWTH_MAX_BYTES = 200 * 1024 * 1024
MIB = 1024 * 1024


def flat(width: int, height: int, mode: str = "RGB") -> bytes:
    """A PNG of one colour: a few kilobytes that are decoded to megabytes, and a right one."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned, which takes the memory again.
    Image.new(mode, (width, height)).save(out, "PNG", exif=exif)
    return out.getvalue()


def encoded(format_: str, width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    image = Image.effect_noise((width // 8, height // 8), 90).resize((width, height))
    image.convert("RGB").save(out, format_, **options)
    return out.getvalue()


def animated(format_: str, frames: int) -> bytes:
    out = io.BytesIO()
    images = [Image.new("RGB", (16, 16), (n % 256, n // 256, 9)) for n in range(frames)]
    images[0].save(out, format_, save_all=True, append_images=images[1:], duration=20)
    return out.getvalue()


def text_bomb() -> bytes:
    """A PNG whose comment is 64 MB when unpacked."""
    still = picture("PNG")
    end_of_header = still.index(b"IHDR") + 4 + 13 + 4
    comment = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * MIB)))
    profile = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(64 * MIB)))
    return still[:end_of_header] + comment + profile + still[end_of_header:]


def half_bomb() -> bytes:
    """Says 4096 x 4096 and unpacks to far more than that needs."""
    header = struct.pack(">IIBBBBB", 4096, 4096, 16, 6, 0, 0, 1)
    data = zlib.compress(bytes(200 * MIB), 9)
    chunks = (b"IHDR", header), (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


HOSTILE: dict[str, tuple[bytes, set[tuple[int, str]]]] = {
    "a pixel bomb": (bomb(), {(422, "too_many_pixels")}),
    "a bomb of one pixel's height": (bomb(2**31 - 1, 1), {(422, "too_many_pixels")}),
    "just over the limit": (bomb(7072, 7072), {(422, "too_many_pixels")}),
    "10,000 frames in a PNG": (ten_thousand_frames(), {(422, "unsupported_picture")}),
    "10,000 frames in a GIF": (animated("GIF", 10_000), {(422, "unsupported_picture")}),
    "500 frames in a WebP": (animated("WEBP", 500), {(422, "unsupported_picture")}),
    "a GIF": (gif(), {(422, "unsupported_picture")}),
    "a HEIC": (heic(), {(422, "unsupported_picture")}),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {(422, "unsupported_picture")}),
    "a page": (b"<html>" + SCRIPT, {(422, "unsupported_picture")}),
    "an archive": (b"PK\x03\x04" + bytes(1000), {(422, "unsupported_picture")}),
    "a program": (b"\x7fELF" + bytes(1000), {(422, "unsupported_picture")}),
    "nothing": (b"", {(422, "unsupported_picture")}),
    "noise": (random_bytes(100_000), {(422, "unsupported_picture")}),
    "the magic of a PNG and noise": (
        b"\x89PNG\r\n\x1a\n" + random_bytes(100_000),
        {(422, "unsupported_picture")},
    ),
    "the magic of a JPEG and noise": (
        b"\xff\xd8\xff\xe0" + random_bytes(100_000),
        {(422, "unsupported_picture")},
    ),
    "a PNG with a GIF's magic": (b"GIF89a" + picture("PNG")[6:], {(422, "unsupported_picture")}),
    "half a picture": (picture("JPEG")[:-400], {(422, "unsupported_picture")}),
    "a polyglot": (polyglot(), {(201, "")}),
    "comments that unpack to 128 MB": (text_bomb(), {(201, ""), (422, "unsupported_picture")}),
    "data that unpack beyond the picture": (half_bomb(), {(201, ""), (422, "unsupported_picture")}),
    "one byte too many": (
        picture("JPEG") + bytes(20 * MIB),
        {(413, "upload_too_large")},
    ),
    # The heaviest that are allowed.
    "the largest PNG, turned": (flat(4096, 4096), {(201, "")}),
    "the largest PNG with alpha, turned": (flat(4096, 4096, "RGBA"), {(201, "")}),
    "a PNG of 50 megapixels": (flat(7070, 7070, "L"), {(422, "too_many_pixels")}),
    "a JPEG of 50 megapixels": (encoded("JPEG", 8000, 6248, quality=70), {(201, "")}),
    "a JPEG of many scans": (
        encoded("JPEG", 5600, 4200, quality=70, progressive=True, subsampling=0),
        {(201, ""), (422, "too_many_pixels")},
    ),
    "the largest WebP": (encoded("WEBP", 3840, 2160, method=0), {(201, "")}),
    "the largest WebP without loss": (
        encoded("WEBP", 2048, 2048, method=0, lossless=True),
        {(201, "")},
    ),
}  # fmt: skip


class Memory:
    """The peak of a process and all that it started."""

    def __init__(self, process: Process) -> None:
        self._root = psutil.Process(process.popen.pid)
        self.start = self.peak = self._now()

    def _now(self) -> int:
        total = 0
        with suppress(psutil.NoSuchProcess):
            for one in [self._root, *self._root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    total += one.memory_info().rss
        return total

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        async def watch() -> None:
            while True:
                self.peak = max(self.peak, self._now())
                await asyncio.sleep(0.01)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
async def api(
    database: Database, processes: Processes, pool: Pool, tmp_path: Path
) -> AsyncIterator[Process]:
    """A real API process, warm, with a person who has 100 credits; whose money stays."""
    settings = settings_for(database, tmp_path / "home", None, database_pool_size=4)
    process = await processes.ready(processes.start("api", settings))
    async with aiohttp.ClientSession() as session:
        body = {"telegram_id": USER}
        headers = {"api-key": API_KEY}
        async with session.post(
            f"{process.url}/api/v1/users/sync", json=body, headers=headers
        ) as answer:
            assert answer.status == 200
    async with transaction(pool) as connection:
        await deposit(connection, USER, 100, "stars:uploads")
    for seed in range(4):
        assert (await put(process, picture(seed=seed)))[0] == 201
    yield process
    assert await wallet(pool, USER) == (100, 0)
    assert await pool.fetchval("SELECT count(*) FROM transfers") == 1
    assert process.is_alive


async def put(process: Process, *files: bytes) -> tuple[int, str]:
    """Status and code of an upload."""
    form = aiohttp.FormData({"telegram_id": str(USER)})
    for data in files:
        form.add_field("file", data, filename="a.png")
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{process.url}/api/v1/media/upload", data=form, headers={"api-key": API_KEY}
        ) as answer,
    ):
        body = await answer.json(content_type=None)
        return answer.status, body.get("code", "")


async def test_hostile_files_are_refused_and_memory_is_bounded(api: Process, pool: Pool) -> None:
    memory = Memory(api)
    wrong = []
    peaks = {}
    async with memory.watched():
        for name, (data, allowed) in HOSTILE.items():
            memory.peak = 0
            got = await put(api, data)
            peaks[name] = (memory.peak - memory.start) // MIB
            if got not in allowed:
                wrong.append(f"{name}: {got}")
        memory.peak = 0
        await asyncio.gather(*(put(api, data) for data, _ in HOSTILE.values()))
        peaks["all at once"] = (memory.peak - memory.start) // MIB
    assert not wrong, "\n".join(wrong)
    assert max(peaks.values()) < GROWTH_MAX_BYTES // MIB, peaks
    refused = sum(all(status != 201 for status, _ in allowed) for _, allowed in HOSTILE.values())
    assert await pool.fetchval("SELECT count(*) FROM uploads") <= len(HOSTILE) - refused + 4


async def raw(process: Process, head: str, chunks: AsyncIterator[bytes]) -> tuple[int, int]:
    """Send until somebody has enough: the answer's status, and how much was sent."""
    address = urlsplit(process.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    sent = 0
    writer.write(
        f"POST /api/v1/media/upload HTTP/1.1\r\nHost: a\r\napi-key: {API_KEY}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n{head}\r\n\r\n".encode()
    )
    answer = asyncio.create_task(reader.readline())
    try:
        async for chunk in chunks:
            if answer.done():
                break
            writer.write(chunk)
            sent += len(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    async with asyncio.timeout(30):
        line = await answer
    writer.close()
    return int(line.split()[1]), sent


async def endless(start: bytes, more: bytes, *, framed: bool) -> AsyncIterator[bytes]:
    while True:
        for part in (start, more):
            yield b"%x\r\n%s\r\n" % (len(part), part) if framed else part
            await asyncio.sleep(0)
        start = more


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
HEADERS = b'--b\r\nContent-Disposition: form-data; name="file"; a="'


@pytest.mark.parametrize(
    ("head", "start", "more", "status"),
    [
        ("Transfer-Encoding: chunked", PART, bytes(256 * 1024), 413),
        ("Content-Length: 99999999999", PART, bytes(256 * 1024), 413),
        ("Content-Length: 280000000", PART, bytes(256 * 1024), 413),
        ("Transfer-Encoding: chunked", HEADERS, b"a" * 65_536, 422),
        ("Transfer-Encoding: chunked", PART, (b"x\r\n" + PART) * 50, 422),
        ("Transfer-Encoding: chunked", b"x", b"x" * 65_536, 422),
    ],
    ids=["chunked", "huge", "long", "headers", "parts", "preamble"],
)
async def test_endless_bodies_end(
    api: Process, head: str, start: bytes, more: bytes, status: int
) -> None:
    memory = Memory(api)
    async with memory.watched():
        got, sent = await raw(api, head, endless(start, more, framed="chunked" in head))
    assert (got, sent < 64 * MIB) == (status, True)
    assert memory.peak - memory.start < GROWTH_MAX_BYTES


async def test_slow_bodies_hold_nobody_up(api: Process) -> None:
    """Whoever drips, waits for himself: others upload meanwhile, and memory does not grow."""
    address = urlsplit(api.url)
    lines = []
    memory = Memory(api)
    async with memory.watched():
        for _ in range(200):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(
                f"POST /api/v1/media/upload HTTP/1.1\r\nHost: a\r\napi-key: {API_KEY}\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\n"
                "Content-Length: 1000000\r\n\r\n".encode()
                + PART
            )
            lines.append((reader, writer))
        for seed in range(5):
            assert (await put(api, picture(seed=seed)))[0] == 201
    assert memory.peak - memory.start < GROWTH_MAX_BYTES
    for _, writer in lines:
        writer.close()


async def test_a_slow_body_ends_in_time(api: Process) -> None:
    """The routes that take JSON give a body 15 s; an upload has longer, by the same code."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        f"POST /api/v1/users/sync HTTP/1.1\r\nHost: a\r\napi-key: {API_KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n".encode()
    )
    started = time.monotonic()
    async with asyncio.timeout(60):
        while not reader._buffer:  # type: ignore[attr-defined]  # asyncio's own; nothing is read
            with suppress(ConnectionError):
                writer.write(b" ")
                await writer.drain()
            await asyncio.sleep(0.5)
            assert time.monotonic() - started < 40
        head = await reader.readuntil(b"\r\n\r\n")
        body = json.loads(await reader.readline() or b"{}") if b" 408 " in head else {}
    assert b" 408 " in head.split(b"\r\n", 1)[0]
    assert body["code"] == "body_timeout"
