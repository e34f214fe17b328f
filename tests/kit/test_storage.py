"""Files come back whole or not at all, stay below their root, and their URLs cannot be forged."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from hamyon.kit.storage import (
    FileTooLarge,
    NoSuchFile,
    Storage,
    StorageFailed,
    UnsafePath,
    open_storage,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(None, tmp_path, base_url="https://h.example/", signing_key=KEY)


async def pieces(*parts: bytes, failure: BaseException | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part
    if failure is not None:
        raise failure


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_what_is_put_comes_back(storage: Storage, tmp_path: Path) -> None:
    stored = await storage.put_stream("outputs/aa/расм 1.png", pieces(b"one", b"two"), 10)
    assert stored.size_bytes == 6
    assert await storage.get("outputs/aa/расм 1.png") == b"onetwo"
    assert (await storage.head("outputs/aa/расм 1.png")).path == "outputs/aa/расм 1.png"
    assert (tmp_path / "files/outputs/aa/расм 1.png").read_bytes() == b"onetwo"


async def test_a_second_put_replaces(storage: Storage) -> None:
    await storage.put("a", b"first")
    await storage.put("a", b"2")
    assert await storage.get("a") == b"2"


async def test_large_files_stream_both_ways(storage: Storage) -> None:
    parts = [bytes([index]) * 1_000_000 for index in range(23)]
    await storage.put_stream("large", pieces(*parts), 23_000_000)
    stream = await storage.open("large")
    digest, count = hashlib.sha256(), 0
    async for piece in stream.pieces:
        digest.update(piece)
        count += 1
    assert digest.digest() == hashlib.sha256(b"".join(parts)).digest()
    assert count > 5


@pytest.mark.parametrize(("start", "end", "expected"), [
    (0, None, b"0123456789"), (3, None, b"3456789"), (2, 5, b"234"), (8, 99, b"89"), (9, 10, b"9"),
])  # fmt: skip
async def test_ranges(storage: Storage, start: int, end: int | None, expected: bytes) -> None:
    await storage.put("digits", b"0123456789")
    stream = await storage.open("digits", start=start, end=end)
    assert b"".join([piece async for piece in stream.pieces]) == expected
    assert stream.end - stream.start == len(expected)


@pytest.mark.parametrize(("start", "end"), [(10, None), (5, 5), (-1, 3), (7, 2)])
async def test_empty_ranges(storage: Storage, start: int, end: int | None) -> None:
    await storage.put("digits", b"0123456789")
    with pytest.raises(ValueError):
        await storage.open("digits", start=start, end=end)


async def test_an_empty_file(storage: Storage) -> None:
    await storage.put("empty", b"")
    stream = await storage.open("empty")
    assert [piece async for piece in stream.pieces] == []


async def test_too_much_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    for size in (11, 12_000_000):
        with pytest.raises(FileTooLarge) as caught:
            await storage.put_stream("big", pieces(*[bytes(size // 2 + 1)] * 2), size)
        assert caught.value.limit_bytes == size
    with pytest.raises(NoSuchFile):
        await storage.get("big")
    assert files_below(tmp_path) == []


async def test_a_broken_source_leaves_the_old_file(storage: Storage, tmp_path: Path) -> None:
    await storage.put("a", b"old")
    with pytest.raises(KeyError):
        await storage.put_stream("a", pieces(bytes(6_000_000), failure=KeyError("x")), 10_000_000)
    assert await storage.get("a") == b"old"
    assert len(files_below(tmp_path)) == 1


async def test_delete(storage: Storage) -> None:
    await storage.put("a/b", b"x")
    await storage.delete("a/b")
    await storage.delete("a/b")
    with pytest.raises(NoSuchFile):
        await storage.open("a/b")


@pytest.mark.parametrize("path", [
    "", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "a\\..\\b", "a\x00b",
    "C:/x", "a#1", "%2e%2e/x", "a\nb", "x" * 513, "..", "a/ /b", "a?b", "\ud800",
])  # fmt: skip
async def test_unsafe_paths(storage: Storage, path: str) -> None:
    for call in (
        storage.put(path, b"x"),
        storage.put_stream(path, pieces(b"x"), 10),
        storage.get(path),
        storage.head(path),
        storage.open(path),
        storage.delete(path),
    ):
        with pytest.raises(UnsafePath):
            await call
    with pytest.raises(UnsafePath):
        storage.sign(path, NOW)


async def test_an_unwritable_root_is_a_typed_failure(tmp_path: Path) -> None:
    storage = open_storage(None, tmp_path, base_url="https://h.example", signing_key=KEY)
    (tmp_path / "files/taken").write_bytes(b"a file where a folder must be")
    with pytest.raises(StorageFailed):
        await storage.put("taken/x", b"x")
    with pytest.raises(StorageFailed):
        await storage.put_stream("taken/x", pieces(b"x"), 10)
    await storage.check()


def signed(storage: Storage, path: str, expires_at: datetime) -> tuple[str, str, str]:
    url = urlsplit(storage.sign(path, expires_at))
    assert url.netloc == "h.example"
    query = parse_qs(url.query)
    return unquote(url.path).removeprefix("/files/"), query["expires"][0], query["signature"][0]


def test_signed_urls_work_until_they_expire(storage: Storage) -> None:
    path, expires, signature = signed(storage, "outputs/rasm суратим.png", NOW + timedelta(hours=1))
    assert path == "outputs/rasm суратим.png"
    assert storage.verify(path, expires, signature, NOW)
    assert storage.verify(path, expires, signature, NOW + timedelta(minutes=59))
    assert not storage.verify(path, expires, signature, NOW + timedelta(hours=1))


def test_signed_urls_cannot_be_bent(storage: Storage, tmp_path: Path) -> None:
    path, expires, signature = signed(storage, "outputs/a.png", NOW + timedelta(hours=1))
    later = str(int(expires) + 3600)
    other = open_storage(None, tmp_path, base_url="https://h.example", signing_key=KEY[::-1])
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert not storage.verify("outputs/b.png", expires, signature, NOW)
    assert not storage.verify(path, later, signature, NOW)
    assert not other.verify(path, expires, signature, NOW)
    for forged in (flipped, "", signature + "=", signature[:-1], "é", "\ud800", signature.upper()):
        assert not storage.verify(path, expires, forged, NOW)
    for odd in ("", "-1", "1e9", " " + expires, expires + ".0", "٣" * 10, "9" * 40):
        assert not storage.verify(path, odd, signature, NOW)


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        open_storage(None, tmp_path, base_url="https://h.example", signing_key=b"short")


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "s3:/x", "/srv/files", "s3://UPPER/x"])
def test_an_unknown_storage_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError):
        open_storage(url, tmp_path, base_url="https://h.example", signing_key=KEY)
