"""Uploads as rows and bytes: owners, life, shared bytes, and the sweep's races."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hamyon.kit.db import Pool, transaction
from hamyon.kit.errors import Unavailable
from hamyon.kit.ids import new_id
from hamyon.kit.picture_headers import PictureRefused
from hamyon.kit.pictures import TooManyPixels, UploadTooLarge
from hamyon.kit.storage import NoSuchFile, Storage
from hamyon.media import service, store
from hamyon.media.errors import UploadNotFound
from hamyon.media.service import GRACE, LIFE
from hamyon.media.types import Swept, Upload
from hamyon.users.errors import UserBlocked, UserNotFound
from tests.media.conftest import ALI, BLOCKED, BOTIR
from tests.media.pictures import GPS_MARK, bomb, gif, picture, random_bytes

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + LIFE + GRACE + timedelta(seconds=1)


async def put(
    pool: Pool, storage: Storage, user_id: int, *files: bytes | Path, now: datetime = NOW
) -> list[Upload]:
    return list(await service.upload(pool, storage, user_id=user_id, files=files, now=now))


def stored(files: Path) -> list[str]:
    return sorted(str(path.relative_to(files)) for path in files.rglob("*") if path.is_file())


async def test_a_picture_is_cleaned_and_lies_at_its_hash(
    people: Pool, storage: Storage, files: Path, tmp_path: Path
) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(picture())
    (upload,) = await put(people, storage, ALI, source)
    content = await storage.get(upload.path)
    assert upload.content_hash == hashlib.sha256(content).hexdigest()
    assert upload.path == f"uploads/{upload.content_hash[:2]}/{upload.content_hash}.jpg"
    assert stored(files) == [upload.path]
    assert (upload.width, upload.height, upload.mime) == (96, 64, "image/jpeg")
    assert upload.bytes == len(content)
    assert upload.expires_at == NOW + LIFE
    assert GPS_MARK in source.read_bytes()
    assert GPS_MARK not in content


async def test_the_same_picture_again_is_the_same_upload_with_a_new_life(
    people: Pool, storage: Storage
) -> None:
    first, twin = await put(people, storage, ALI, picture(), picture())
    assert first == twin
    tomorrow = NOW + timedelta(days=1)
    (again,) = await put(people, storage, ALI, picture(), now=tomorrow)
    assert again.id == first.id
    assert again.expires_at == tomorrow + LIFE
    await people.execute("UPDATE uploads SET expires_at = NULL")
    (used,) = await put(people, storage, ALI, picture(), now=tomorrow)
    assert used.expires_at is None


async def test_owners_have_rows_of_their_own_over_the_same_bytes(
    people: Pool, storage: Storage, files: Path
) -> None:
    (alis,) = await put(people, storage, ALI, picture())
    (botirs,) = await put(people, storage, BOTIR, picture())
    assert alis.id != botirs.id
    assert stored(files) == [alis.path] == [botirs.path]


async def test_only_ones_own_living_uploads_are_found(people: Pool, storage: Storage) -> None:
    mine, other = await put(people, storage, ALI, picture(seed=1), picture(seed=2))
    (foreign,) = await put(people, storage, BOTIR, picture(seed=3))
    got = await service.get_own(people, ALI, [other.id, mine.id], now=NOW)
    assert list(got) == [other, mine]
    refusals = []
    at_end = NOW + LIFE
    for wanted, now in ((foreign.id, NOW), (UUID(int=7), NOW), (mine.id, at_end)):
        with pytest.raises(UploadNotFound) as refused:
            await service.get_own(people, ALI, [wanted], now=now)
        assert refused.value.facts == {"upload_id": str(wanted)}
        refusals.append((refused.value.status, refused.value.code))
    assert set(refusals) == {(404, "upload_not_found")}
    await people.execute("UPDATE uploads SET expires_at = now() - interval '1 s'")
    with pytest.raises(UploadNotFound):
        await service.get_own(people, ALI, [mine.id])


@pytest.mark.parametrize(
    ("bad", "kind", "fact"),
    [
        (gif(), PictureRefused, ("format", "GIF")),
        (b"", PictureRefused, ("reason", "format")),
        (bomb(), TooManyPixels, ("width", 60_000)),
        (bytes(20 * 1024 * 1024 + 1), UploadTooLarge, ("limit_bytes", 20 * 1024 * 1024)),
    ],
)
async def test_one_bad_picture_refuses_them_all(
    people: Pool,
    storage: Storage,
    files: Path,
    bad: bytes,
    kind: type[PictureRefused],
    fact: tuple[str, object],
) -> None:
    with pytest.raises(kind) as refused:
        await put(people, storage, ALI, picture(seed=1), bad, picture(seed=2))
    assert refused.value.facts["file"] == 2
    assert refused.value.facts[fact[0]] == fact[1]
    assert stored(files) == []
    assert await people.fetchval("SELECT count(*) FROM uploads") == 0


async def test_strangers_and_blocked_people_upload_nothing(
    people: Pool, storage: Storage, files: Path
) -> None:
    with pytest.raises(UserNotFound):
        await put(people, storage, 999, picture())
    with pytest.raises(UserBlocked):
        await put(people, storage, BLOCKED, picture())
    assert stored(files) == []


async def test_a_storage_that_fails_gives_out_no_id_and_a_repetition_heals(
    people: Pool, storage: Storage, files: Path
) -> None:
    (files / "uploads").write_bytes(b"a file where a folder must be")
    with pytest.raises(Unavailable):
        await put(people, storage, ALI, picture())
    (files / "uploads").unlink()
    (upload,) = await put(people, storage, ALI, picture())
    assert len(await storage.get(upload.path)) == upload.bytes


# --- the sweep ------------------------------------------------------------------------------------


async def test_the_sweep_takes_bytes_with_their_last_row(
    people: Pool, storage: Storage, files: Path
) -> None:
    (alis,) = await put(people, storage, ALI, picture(seed=1))
    (alone,) = await put(people, storage, ALI, picture(seed=2))
    tomorrow = NOW + timedelta(days=1)
    (botirs,) = await put(people, storage, BOTIR, picture(seed=1), now=tomorrow)

    resting = NOW + LIFE + GRACE
    assert await service.delete_expired(people, storage, now=resting) == Swept(0, 0, 0)
    assert await service.delete_expired(people, storage, now=LATER) == Swept(2, 1, 0)
    assert stored(files) == [alis.path]
    with pytest.raises(NoSuchFile):
        await storage.get(alone.path)
    (left,) = await service.get_own(people, BOTIR, [botirs.id], now=tomorrow)
    assert len(await storage.get(left.path)) == left.bytes

    assert await service.delete_expired(people, storage, now=LATER + timedelta(days=1)) == Swept(
        1, 1, 0
    )
    assert stored(files) == []
    assert await people.fetchval("SELECT count(*) FROM uploads") == 0


async def test_what_an_order_uses_stays(people: Pool, storage: Storage, files: Path) -> None:
    (used,) = await put(people, storage, ALI, picture())
    await put(people, storage, BOTIR, picture())
    await people.execute("UPDATE uploads SET expires_at = NULL WHERE id = $1", used.id)
    assert await service.delete_expired(people, storage, now=LATER) == Swept(1, 0, 0)
    assert stored(files) == [used.path]


async def test_a_sweep_that_was_cut_short_is_finished_by_the_next(
    people: Pool, storage: Storage
) -> None:
    (upload,) = await put(people, storage, ALI, picture())
    await storage.delete(upload.path)  # The bytes went, the process died, the row is left.
    assert await service.delete_expired(people, storage, now=LATER) == Swept(1, 1, 0)


async def test_a_file_that_cannot_be_deleted_is_tried_again(
    people: Pool, storage: Storage, files: Path
) -> None:
    first, second = await put(people, storage, ALI, picture(seed=1), picture(seed=2))
    path = files / first.path
    path.unlink()
    path.mkdir()  # A folder in its place: deleting the file fails.
    (path / "x").touch()
    assert await service.delete_expired(people, storage, now=LATER) == Swept(1, 1, 1)
    assert await people.fetchval("SELECT id FROM uploads") == first.id
    (path / "x").unlink()
    path.rmdir()
    assert await service.delete_expired(people, storage, now=LATER) == Swept(1, 1, 0)
    assert not (files / second.path).exists()


async def test_the_sweep_more_contents_than_a_batch(
    people: Pool, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SWEEP_BATCH", 2)
    await put(people, storage, ALI, *(picture(seed=seed) for seed in range(5)))
    assert await service.delete_expired(people, storage, now=LATER) == Swept(5, 5, 0)


async def test_the_sweep_leaves_alone_what_is_being_uploaded(
    people: Pool, storage: Storage, files: Path
) -> None:
    """An upload of the same bytes has the lock: its row is not committed, so nobody sees it."""
    (alis,) = await put(people, storage, ALI, picture())
    async with transaction(people) as connection:
        await store.share_contents(connection, [alis.content_hash])
        assert await service.delete_expired(people, storage, now=LATER) == Swept(0, 0, 0)
    assert stored(files) == [alis.path]


async def test_an_upload_waits_for_a_sweep_of_the_same_bytes_and_writes_them_anew(
    people: Pool, storage: Storage
) -> None:
    """Stopped between its look and its deletion, the sweep cannot take a new upload's bytes."""
    (alis,) = await put(people, storage, ALI, picture())
    async with people.acquire() as sweeping:
        assert await store.try_own_content(sweeping, alis.content_hash)
        assert not await store.is_needed(sweeping, alis.content_hash, before=LATER - GRACE)
        uploading = asyncio.create_task(put(people, storage, BOTIR, picture(), now=LATER))
        await until_somebody_waits_for_the_lock(people)
        assert await people.fetchval("SELECT count(*) FROM uploads") == 1
        await storage.delete(alis.path)
        await store.delete_expired(sweeping, alis.content_hash, before=LATER - GRACE)
        await store.release_content(sweeping, alis.content_hash)
        (botirs,) = await uploading
    assert len(await storage.get(botirs.path)) == botirs.bytes
    assert await people.fetchval("SELECT user_id FROM uploads") == BOTIR


async def until_somebody_waits_for_the_lock(pool: Pool) -> None:
    async with asyncio.timeout(20):
        while not await pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ):
            await asyncio.sleep(0.01)


async def test_uploads_and_sweeps_of_the_same_bytes_at_once(people: Pool, storage: Storage) -> None:
    """Whatever the order of things, a living row has its bytes."""
    moments = [NOW + number * (LIFE + 2 * GRACE) for number in range(12)]

    async def sweeps(now: datetime) -> None:
        for _ in range(4):
            await service.delete_expired(people, storage, now=now)

    for now in moments:
        made, *_ = await asyncio.gather(
            put(people, storage, ALI, picture(seed=1), picture(seed=2), now=now),
            put(people, storage, BOTIR, picture(seed=2), picture(seed=1), now=now),
            sweeps(now),
            sweeps(now),
        )
        for upload in made:
            (found,) = await service.get_own(people, ALI, [upload.id], now=now)
            assert len(await storage.get(found.path)) == found.bytes


async def test_racing_uploads_of_one_picture_are_one_row(people: Pool, storage: Storage) -> None:
    made = await asyncio.gather(*(put(people, storage, ALI, picture()) for _ in range(8)))
    assert len({upload.id for (upload,) in made}) == 1
    assert await people.fetchval("SELECT count(*) FROM uploads") == 1


async def test_wrong_bytes_are_never_taken_for_a_picture(people: Pool, storage: Storage) -> None:
    for length in (1, 100, 10_000):
        with pytest.raises(PictureRefused):
            await put(people, storage, ALI, random_bytes(length))
    with pytest.raises(UploadNotFound):
        await service.get_own(people, ALI, [new_id()], now=NOW)
