"""Files: a local folder by default, an S3 bucket when configured, and our own signed URLs.

Paths are ``/``-separated names below one root. Which path a file gets (its content's hash, an
order's id) is the caller's business; a written file appears whole or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

PIECE_BYTES: Final = 256 * 1024
PATH_LENGTH_MAX: Final = 512
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\\#?%*:|\"<>]|[\ud800-\udfff]")

_Store: TypeAlias = LocalStore | S3Store


class StorageFailed(Exception):
    """The disk or the bucket did not do it; nothing that was written can be seen."""


class NoSuchFile(StorageFailed):
    """There is no file at that path."""


class UnsafePath(StorageFailed):
    """The path could leave the root or name two things on two systems."""


class FileTooLarge(StorageFailed):
    """The pieces were more than ``limit_bytes``; nothing was kept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of a file without reading it."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """A file, or the bytes ``start`` up to ``end`` (exclusive) of it, in pieces."""

    file: StoredFile
    start: int
    end: int
    pieces: AsyncIterator[bytes]


class Storage:
    """One root, and the key that signs URLs to what lies in it.

    Methods raise NoSuchFile, UnsafePath, and StorageFailed for whatever the store does wrong.
    """

    def __init__(self, store: _Store, *, base_url: str, signing_key: bytes) -> None:
        if len(signing_key) < 16:
            raise ValueError("the signing key must have at least 16 bytes")
        self._store = store
        self._base_url = base_url.rstrip("/")
        self._key = signing_key

    # --- files ------------------------------------------------------------------------------------

    async def put(self, path: str, content: bytes) -> StoredFile:
        """Write ``content``, over what was there."""
        _check(path)
        try:
            await obstore.put_async(self._store, path, content)
        except (BaseError, OSError) as error:
            raise StorageFailed(f"writing {path}: {error}") from error
        return await self.head(path)

    async def put_stream(
        self, path: str, chunks: AsyncIterable[bytes], limit_bytes: int
    ) -> StoredFile:
        """Write ``chunks`` as they come. Raises FileTooLarge, and what ``chunks`` raises itself."""
        _check(path)
        measured = _Measured(chunks, limit_bytes)
        try:
            await obstore.put_async(self._store, path, measured.pieces(), use_multipart=True)
        except (BaseError, OSError) as error:
            if measured.failure is not None:
                raise measured.failure from None
            raise StorageFailed(f"writing {path}: {error}") from error
        except Exception:
            if measured.failure is not None:
                raise measured.failure from None
            raise
        return await self.head(path)

    async def get(self, path: str) -> bytes:
        """The file whole."""
        _check(path)
        try:
            result = await obstore.get_async(self._store, path)
            return bytes(await result.bytes_async())
        except (BaseError, OSError) as error:
            raise _failure(path, error) from error

    async def open(self, path: str, *, start: int = 0, end: int | None = None) -> Stream:
        """The file, or its bytes from ``start`` up to ``end`` (exclusive), without holding it all.

        ``end`` beyond the file is its end. Raises ValueError when nothing lies in the range.
        """
        file = await self.head(path)
        stop = file.size_bytes if end is None else min(end, file.size_bytes)
        if file.size_bytes == 0:
            return Stream(file, 0, 0, _nothing())
        if not 0 <= start < stop:
            raise ValueError(f"no bytes from {start} to {stop} in {file.size_bytes}")
        try:
            result = await obstore.get_async(self._store, path, options={"range": (start, stop)})
        except (BaseError, OSError) as error:
            raise _failure(path, error) from error
        return Stream(file, start, stop, _pieces(path, result))

    async def head(self, path: str) -> StoredFile:
        """What is known of a file."""
        _check(path)
        try:
            meta = await obstore.head_async(self._store, path)
        except (BaseError, OSError) as error:
            raise _failure(path, error) from error
        return StoredFile(path, int(meta["size"]), meta["last_modified"])

    async def delete(self, path: str) -> None:
        """Remove a file; an absent one is removed already."""
        _check(path)
        try:
            await obstore.delete_async(self._store, path)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise StorageFailed(f"deleting {path}: {error}") from error

    async def check(self) -> None:
        """Raises StorageFailed when the store cannot be written and read at this moment."""
        await self.put(".check", b"ok")
        if await self.get(".check") != b"ok":
            raise StorageFailed("what was written does not come back")

    # --- URLs -------------------------------------------------------------------------------------

    def sign(self, path: str, expires_at: datetime) -> str:
        """A URL of our own ``/files`` route that works until ``expires_at`` (whole seconds)."""
        _check(path)
        expires = int(expires_at.timestamp())
        signature = self._signature(path, expires)
        return f"{self._base_url}/files/{quote(path)}?expires={expires}&signature={signature}"

    def verify(self, path: str, expires: str, signature: str, now: datetime) -> bool:
        """Whether ``sign`` gave these for ``path`` and the time is not over."""
        if not re.fullmatch(r"[0-9]{1,12}", expires, re.ASCII):
            return False
        expected = self._signature(path, int(expires))
        genuine = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return genuine and now.timestamp() < int(expires)

    def _signature(self, path: str, expires: int) -> str:
        message = f"files\n{expires}\n{path}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self._key, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def open_storage(url: str | None, home: Path, *, base_url: str, signing_key: bytes) -> Storage:
    """The storage that ``STORAGE_URL`` names, else the folder ``files`` of ``home``.

    An S3 bucket takes its credentials, region and endpoint from the usual ``AWS_*`` variables.
    Raises ValueError for a URL that is none of ours.
    """
    if not url:
        root = home / "files"
        root.mkdir(parents=True, exist_ok=True)
        store: _Store = LocalStore(root.resolve(), automatic_cleanup=True)
    elif matched := re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,62})(?:/(.*))?", url):
        store = S3Store(matched[1], prefix=(matched[2] or "").strip("/") or None)
    else:
        raise ValueError("STORAGE_URL must look like s3://bucket/prefix")
    return Storage(store, base_url=base_url, signing_key=signing_key)


class _Measured:
    """Counts pieces, and remembers what went wrong: the store would wrap it beyond recognition."""

    def __init__(self, chunks: AsyncIterable[bytes], limit_bytes: int) -> None:
        self._chunks = chunks
        self._limit_bytes = limit_bytes
        self.failure: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        taken = 0
        try:
            async for chunk in self._chunks:
                taken += len(chunk)
                if taken > self._limit_bytes:
                    raise FileTooLarge(self._limit_bytes)  # noqa: TRY301 -- kept just below
                yield chunk
        except Exception as error:
            self.failure = error
            raise


def _check(path: str) -> None:
    parts = path.split("/")
    if len(path.encode("utf-8", "replace")) > PATH_LENGTH_MAX or _UNSAFE.search(path):
        raise UnsafePath(f"unsafe path of {len(path)} characters")
    if any(part in {"", ".", ".."} or part != part.strip() for part in parts):
        raise UnsafePath(f"unsafe path {path!r}")


def _failure(path: str, error: Exception) -> StorageFailed:
    if isinstance(error, NotFoundError | FileNotFoundError):
        return NoSuchFile(path)
    return StorageFailed(f"reading {path}: {error}")


async def _pieces(path: str, result: obstore.GetResult) -> AsyncIterator[bytes]:
    try:
        async for piece in result.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)
    except (BaseError, OSError) as error:
        raise _failure(path, error) from error


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece
