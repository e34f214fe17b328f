"""Uploading and serving over real HTTP, by friends and by others."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from PIL import Image

from hamyon.kit.db import Pool
from hamyon.kit.storage import Storage
from tests.media.conftest import ALI, BLOCKED, BOTIR, Door
from tests.media.pictures import (
    SCRIPT,
    bomb,
    gif,
    heic,
    noise,
    picture,
    polyglot,
    random_bytes,
    ten_thousand_frames,
)

MIB = 1024 * 1024


async def post(
    http: aiohttp.ClientSession,
    door: Door,
    headers: Mapping[str, str],
    *files: bytes,
    **fields: str,
) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value)
    for number, content in enumerate(files):
        form.add_field("file", content, filename=f"фото {number}.png", content_type="image/png")
    async with http.post(f"{door.url}/api/v1/media/upload", data=form, headers=headers) as answer:
        return answer.status, await answer.json()


def on(door: Door, url: str) -> str:
    """A signed URL at the address where the test serves it."""
    parts = urlsplit(url)
    return f"{door.url}{parts.path}?{parts.query}"


async def rows(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM uploads")
    return count


async def test_a_person_uploads_and_sees_his_picture(
    door: Door, http: aiohttp.ClientSession
) -> None:
    status, answer = await post(http, door, door.ali, picture("PNG"), picture("WEBP"))
    assert status == 201
    first, second = answer["items"]
    assert set(first) == {
        "upload_id",
        "url",
        "mime",
        "width",
        "height",
        "bytes",
        "expires_at",
    }
    assert (first["mime"], second["mime"]) == ("image/png", "image/webp")
    expires_at = datetime.fromisoformat(first["expires_at"])
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    async with http.get(on(door, first["url"])) as shown:
        content = await shown.read()
        assert shown.status == 200
        assert shown.headers["Content-Type"] == "image/png"
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert shown.headers["Content-Disposition"].startswith('inline; filename="')
        assert shown.headers["Content-Disposition"].endswith('.png"')
        assert "sandbox" in shown.headers["Content-Security-Policy"]
        assert "immutable" in shown.headers["Cache-Control"]
        assert int(shown.headers["Content-Length"]) == first["bytes"] == len(content)
    assert Image.open(io.BytesIO(content)).size == (first["width"], first["height"])


async def test_a_service_uploads_for_somebody(
    people: Pool, door: Door, http: aiohttp.ClientSession
) -> None:
    status, answer = await post(http, door, door.service, picture(), telegram_id=str(BOTIR))
    assert status == 201
    assert await people.fetchval("SELECT user_id FROM uploads") == BOTIR
    # The field may stand behind the file as well.
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("file", picture(), filename="a.jpg")
    form.add_field("telegram_id", str(BOTIR))
    url = f"{door.url}/api/v1/media/upload"
    async with http.post(url, data=form, headers=door.service) as again:
        assert (await again.json())["items"][0]["upload_id"] == answer["items"][0]["upload_id"]


@pytest.mark.parametrize("given", [None, "", "0", "-5", "1.5", "٣", "9" * 19, "9" * 65, "abc"])
async def test_a_service_has_to_say_for_whom(
    people: Pool, door: Door, http: aiohttp.ClientSession, given: str | None
) -> None:
    fields = {} if given is None else {"telegram_id": given}
    status, answer = await post(http, door, door.service, picture(), **fields)
    assert (status, answer["code"]) == (422, "invalid_input")
    assert answer["errors"][0]["field"] == "telegram_id"
    assert await rows(people) == 0


async def test_who_may_not_upload(people: Pool, door: Door, http: aiohttp.ClientSession) -> None:
    cases: list[tuple[Mapping[str, str], int, int, str]] = [
        ({}, ALI, 401, "unauthenticated"),
        (door.narrow, ALI, 403, "permission_denied"),
        (door.ali, BOTIR, 404, "not_found"),
        (door.service, 999, 404, "user_not_found"),
        (door.service, BLOCKED, 403, "user_blocked"),
    ]
    for headers, telegram_id, status, code in cases:
        got, answer = await post(http, door, headers, picture(), telegram_id=str(telegram_id))
        assert (got, answer["code"]) == (status, code)
    status, _ = await post(http, door, door.ali, picture(), telegram_id=str(ALI))
    assert status == 201
    assert await rows(people) == 1


# --- hostile files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status", "code", "facts"),
    [
        (gif(), 422, "unsupported_picture", {"reason": "format", "format": "GIF"}),
        (heic(), 422, "unsupported_picture", {"reason": "format", "format": "HEIC"}),
        (SCRIPT, 422, "unsupported_picture", {"reason": "format"}),
        (b"", 422, "unsupported_picture", {"reason": "format"}),
        (b"\x89PNG\r\n\x1a\n" + random_bytes(2000), 422, "unsupported_picture", {}),
        (b"\xff\xd8\xff\xe0" + random_bytes(2000), 422, "unsupported_picture", {}),
        (picture()[:900], 422, "unsupported_picture", {"reason": "damaged"}),
        (bomb(), 422, "too_many_pixels", {"width": 60_000, "height": 60_000}),
        (ten_thousand_frames(), 422, "unsupported_picture", {"reason": "animated"}),
        (bytes(20 * MIB + 1), 413, "upload_too_large", {"limit_bytes": 20 * MIB}),
    ],
)
async def test_hostile_files_are_refused_and_leave_nothing(
    people: Pool,
    door: Door,
    files: Path,
    scratch: Path,
    http: aiohttp.ClientSession,
    content: bytes,
    status: int,
    code: str,
    facts: dict[str, object],
) -> None:
    got, answer = await post(http, door, door.ali, picture(seed=1), content, picture(seed=2))
    assert (got, answer["code"]) == (status, code)
    assert facts.items() <= answer.items()
    assert answer["file"] == 2
    assert await rows(people) == 0
    assert [path for path in files.rglob("*") if path.is_file()] == []
    assert list(scratch.iterdir()) == []


async def test_a_polyglot_loses_its_other_half(door: Door, http: aiohttp.ClientSession) -> None:
    hostile = polyglot()
    assert SCRIPT in hostile
    status, answer = await post(http, door, door.ali, hostile)
    assert status == 201
    async with http.get(on(door, answer["items"][0]["url"])) as shown:
        content = await shown.read()
    assert SCRIPT not in content
    assert b"PK\x03\x04" not in content
    assert Image.open(io.BytesIO(content)).format == "JPEG"


def resident_bytes() -> int:
    """What this process, server and client, holds in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_an_endless_file_ends_at_the_limit(
    people: Pool, door: Door, scratch: Path, http: aiohttp.ClientSession
) -> None:
    """The answer comes while the client still sends, and nothing piles up in memory."""
    sent, most_bytes = 0, 0
    before_bytes = resident_bytes()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent, most_bytes
        yield (
            b"--edge\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n"
            b"\x89PNG\r\n\x1a\n"
        )
        piece = bytes(MIB)
        while sent < 400 * MIB:
            yield piece
            sent += len(piece)
            most_bytes = max(most_bytes, resident_bytes())

    headers = {**door.ali, "Content-Type": "multipart/form-data; boundary=edge"}
    url = f"{door.url}/api/v1/media/upload"
    async with http.post(url, data=endless(), headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json())["code"] == "upload_too_large"
    assert sent < 60 * MIB
    assert most_bytes - before_bytes < 100 * MIB
    assert await rows(people) == 0
    assert list(scratch.iterdir()) == []


async def test_a_body_that_says_it_is_too_long_is_not_read(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = f"{door.url}/api/v1/media/upload"
    headers = {**door.ali, "Content-Type": "multipart/form-data; boundary=edge"}
    parts = urlsplit(door.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"POST {urlsplit(url).path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, f"Content-Length: {10**10}", "", ""]).encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


async def test_fourteen_pictures_and_no_more(
    people: Pool, door: Door, http: aiohttp.ClientSession
) -> None:
    many = [picture(seed=seed) for seed in range(15)]
    status, answer = await post(http, door, door.ali, *many)
    assert (status, answer["code"]) == (422, "invalid_input")
    assert await rows(people) == 0
    status, answer = await post(http, door, door.ali, *many[:14])
    assert status == 201
    assert len({item["upload_id"] for item in answer["items"]}) == 14


async def test_a_large_honest_picture(door: Door, http: aiohttp.ClientSession) -> None:
    photo = noise(2000)
    assert len(photo) > 11 * MIB
    status, answer = await post(http, door, door.ali, photo)
    assert status == 201
    item = answer["items"][0]
    assert (item["width"], item["height"]) == (2000, 2000)
    async with http.get(on(door, item["url"])) as shown:
        served = Image.open(io.BytesIO(await shown.read())).tobytes()
    assert served == Image.open(io.BytesIO(photo)).tobytes()


PART = b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("content_type", "body", "field"),
    [
        ("application/json", b"{}", ""),
        ("multipart/form-data", FILE, ""),
        ("multipart/form-data; boundary=edge", b"", ""),
        ("multipart/form-data; boundary=edge", b"no boundary at all", ""),
        ("multipart/form-data; boundary=edge", FILE + picture(), ""),
        ("multipart/form-data; boundary=edge", FILE + picture() + b"\r\n", ""),
        (
            "multipart/form-data; boundary=edge",
            PART % (b"telegram_id", b"101") + b"--edge--",
            "file",
        ),
        ("multipart/form-data; boundary=edge", PART % (b"price", b"0") + b"--edge--", "price"),
        ("multipart/form-data; boundary=edge", b"--edge\r\n\r\nx\r\n--edge--", ""),
        (
            "multipart/form-data; boundary=edge",
            2 * (PART % (b"telegram_id", b"101")) + b"--edge--",
            "telegram_id",
        ),
    ],
)
async def test_forms_that_are_none(
    people: Pool,
    door: Door,
    http: aiohttp.ClientSession,
    content_type: str,
    body: bytes,
    field: str,
) -> None:
    headers = {**door.ali, "Content-Type": content_type}
    url = f"{door.url}/api/v1/media/upload"
    async with http.post(url, data=body, headers=headers) as answer:
        told = await answer.json()
    assert (answer.status, told["code"]) == (422, "invalid_input")
    assert told["errors"][0]["field"] == field
    assert await rows(people) == 0


# --- serving --------------------------------------------------------------------------------------


async def test_only_a_genuine_url_opens_a_file(
    door: Door, storage: Storage, http: aiohttp.ClientSession
) -> None:
    now = door.clock.now()
    path = "results/a b/ё.png"
    await storage.put(path, picture("PNG"))
    await storage.put("results/other.png", picture("PNG", seed=9))
    good = on(door, storage.sign(path, now + timedelta(hours=1)))
    other = on(door, storage.sign("results/other.png", now + timedelta(hours=1)))
    signature = good.rpartition("=")[2]
    bad = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace("expires=", "expires=1"),
        good.replace(signature, other.rpartition("=")[2]),
        good.partition("?")[0],
        good.partition("&")[0],
        good.replace("expires=", "expires=%D9%A3"),
        on(door, storage.sign(path, now - timedelta(seconds=1))),
        on(door, storage.sign("results/absent.png", now + timedelta(hours=1))),
        f"{door.url}/files/",
        f"{door.url}/files/%00?expires=9&signature=x",
        f"{door.url}/files/..%2f..%2fetc/passwd?expires=9999999999&signature=x",
    ]
    async with http.get(good) as shown:
        assert shown.status == 200
    answers = set()
    for url in bad:
        async with http.get(url) as refused:
            told = await refused.json()
            answers.add((refused.status, told["code"], told["detail"]))
    assert len(answers) == 1
    assert answers.pop()[:2] == (404, "not_found")
    door.clock.advance(hours=2)
    async with http.get(good) as late:
        assert late.status == 404


async def test_what_is_no_picture_is_only_saved(
    door: Door, storage: Storage, http: aiohttp.ClientSession
) -> None:
    await storage.put("results/page.html", SCRIPT)
    url = on(door, storage.sign("results/page.html", door.clock.now() + timedelta(hours=1)))
    async with http.get(url) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="page.html"'
        assert await answer.read() == SCRIPT


async def test_a_large_file_is_streamed(
    door: Door, storage: Storage, http: aiohttp.ClientSession
) -> None:
    content = random_bytes(9 * MIB)
    await storage.put("results/big.png", content)
    url = on(door, storage.sign("results/big.png", door.clock.now() + timedelta(hours=1)))
    async with http.get(url) as answer:
        assert await answer.read() == content
