"""Uploaded pictures: cleaned, kept once by content, owned by whoever uploaded them.

How the bytes and the rows keep together without a transaction across both:

- An upload commits its row first and writes the bytes afterwards; its id is given out last. A
  crash in between leaves a row that nobody knows, which expires like any other.
- The sweep removes bytes first and rows afterwards, both while it owns the content's advisory
  lock. It does so only when every row of the content expired at least ``GRACE`` ago, and nothing
  but an upload revives an expired row. A crash in between leaves dead rows for the next sweep.
- An upload commits its row under the same lock, shared. So the row is there before the sweep
  looks, and the bytes stay; or it comes after the sweep is through, and the upload writes them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import structlog

from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.errors import Unavailable
from hamyon.kit.ids import new_id
from hamyon.kit.picture_headers import PictureRefused
from hamyon.kit.pictures import Picture, TooManyPixels, UploadTooLarge, inspect_and_clean
from hamyon.kit.storage import NoSuchFile, Storage, StorageFailed
from hamyon.media import store
from hamyon.media.errors import UploadNotFound
from hamyon.media.types import NewUpload, Swept, Upload, UploadId, storage_path
from hamyon.users.service.people import require_active

_log = structlog.get_logger(__name__)

FILES_MAX: Final = 14
FILE_BYTES_MAX: Final = 20 * 1024 * 1024
LIFE: Final = timedelta(days=7)
URL_LIFE: Final = timedelta(hours=1)
GRACE: Final = timedelta(hours=1)
"""An expired upload rests this long before it goes: longer than any request that just saw it."""
SWEEP_BATCH: Final = 200


async def upload(
    pool: Pool, storage: Storage, *, user_id: int, files: Sequence[bytes | Path], now: datetime
) -> Sequence[Upload]:
    """Clean and keep a person's pictures, all of them or none; the same one twice is one upload.

    Raises UploadTooLarge, PictureRefused and TooManyPixels, which say with ``file`` which one (from
    1) it was; UserNotFound, UserBlocked; and Unavailable when the storage fails.
    """
    await require_active(pool, user_id)
    for number, file in enumerate(files, 1):
        size_bytes = len(file) if isinstance(file, bytes) else file.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise UploadTooLarge(limit_bytes=FILE_BYTES_MAX, file=number)
    with TemporaryDirectory(prefix="hamyon-cleaned-") as folder:
        # One picture is in memory at a time; what is clean waits on disk for the rest to be.
        cleaned = [await _clean(file, number, Path(folder)) for number, file in enumerate(files, 1)]
        uploads = await in_transaction(
            pool, lambda connection: _insert(connection, cleaned, user_id, now)
        )
        for kept in {upload.content_hash: upload for upload in uploads}.values():
            await _write(storage, kept.path, Path(folder) / kept.content_hash)
    return uploads


async def _clean(file: bytes | Path, number: int, folder: Path) -> NewUpload:
    try:
        picture = await inspect_and_clean(file)
    except (PictureRefused, TooManyPixels) as refused:
        raise type(refused)(**refused.facts, file=number) from refused
    content_hash = await asyncio.to_thread(_set_aside, picture, folder)
    return NewUpload(
        UploadId(new_id()),
        content_hash,
        picture.mime,
        picture.width,
        picture.height,
        picture.size_bytes,
    )


def _set_aside(picture: Picture, folder: Path) -> str:
    content_hash = hashlib.sha256(picture.content).hexdigest()
    (folder / content_hash).write_bytes(picture.content)
    return content_hash


async def _insert(
    connection: Connection, cleaned: Sequence[NewUpload], user_id: int, now: datetime
) -> Sequence[Upload]:
    by_hash = {new.content_hash: new for new in cleaned}
    await store.share_contents(connection, list(by_hash))
    # Rows are locked in the order of their hashes too: two requests with the same pictures in
    # another order must not wait for each other.
    kept = {
        content_hash: await store.upsert_upload(
            connection, by_hash[content_hash], user_id=user_id, now=now, expires_at=now + LIFE
        )
        for content_hash in sorted(by_hash)
    }
    return [kept[new.content_hash] for new in cleaned]


async def _write(storage: Storage, path: str, cleaned: Path) -> None:
    try:
        try:
            await storage.head(path)
        except NoSuchFile:
            await storage.put(path, await asyncio.to_thread(cleaned.read_bytes))
    except StorageFailed as error:
        _log.warning("upload_not_stored", path=path, error=str(error))
        raise Unavailable from error


async def get_own(
    connection: Connection | Pool,
    user_id: int,
    ids: Sequence[UUID],
    *,
    now: datetime | None = None,
) -> Sequence[Upload]:
    """A person's uploads in the order of ``ids``; expired by the database's clock, or by ``now``.

    Raises UploadNotFound for the first that is foreign, absent or expired.
    """
    found = await store.own_uploads(connection, user_id=user_id, ids=ids, now=now)
    for upload_id in ids:
        if upload_id not in found:
            raise UploadNotFound(upload_id=str(upload_id))
    return [found[upload_id] for upload_id in ids]


async def get_live(
    connection: Connection | Pool, user_id: int, ids: Sequence[UUID], *, now: datetime
) -> Sequence[Upload]:
    """Those of ``ids`` that are a person's uploads and have not expired, in their order."""
    found = await store.own_uploads(connection, user_id=user_id, ids=ids, now=now)
    return [found[upload_id] for upload_id in ids if upload_id in found]


async def keep(connection: Connection, user_id: int, ids: Sequence[UUID]) -> Sequence[Upload]:
    """Let a person's uploads stay for good, for what refers to them from now on.

    Returns them in the order of ``ids``. Raises UploadNotFound for the first that is foreign,
    absent or expired.
    """
    kept = await store.keep_uploads(connection, user_id=user_id, ids=ids)
    for upload_id in ids:
        if upload_id not in kept:
            raise UploadNotFound(upload_id=str(upload_id))
    return [kept[upload_id] for upload_id in ids]


def url_of(storage: Storage, upload: Upload, *, now: datetime) -> str:
    """A signed URL to the picture, good for an hour."""
    return storage.sign(upload.path, now + URL_LIFE)


async def delete_expired(pool: Pool, storage: Storage, *, now: datetime) -> Swept:
    """Remove uploads that expired, and bytes that nobody needs any more. Safe at any time."""
    before = now - GRACE
    rows = files = failed = 0
    after = ""
    while contents := await store.expired_contents(
        pool, before=before, after=after, limit=SWEEP_BATCH
    ):
        for content_hash, mime in contents:
            try:
                gone = await _sweep(pool, storage, content_hash, mime, before)
            except StorageFailed as error:
                failed += 1
                _log.warning("upload_not_deleted", content_hash=content_hash, error=str(error))
                continue
            rows, files = rows + gone.rows, files + gone.files
        after = contents[-1][0]
    return Swept(rows, files, failed)


async def _sweep(
    pool: Pool, storage: Storage, content_hash: str, mime: str, before: datetime
) -> Swept:
    """One content. The storage is called with the lock held and no transaction open."""
    async with pool.acquire() as connection:
        if not await store.try_own_content(connection, content_hash):
            return Swept(0, 0, 0)
        try:
            needed = await store.is_needed(connection, content_hash, before=before)
            if not needed:
                await storage.delete(storage_path(content_hash, mime))
            rows = await store.delete_expired(connection, content_hash, before=before)
        finally:
            await store.release_content(connection, content_hash)
    return Swept(rows, 0 if needed else 1, 0)
