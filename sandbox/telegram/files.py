"""Files that bots and people have sent, and photos in the sizes that Telegram makes of them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from PIL import ExifTags, Image, ImageOps

from sandbox.pictures import UNREADABLE

FILES_BYTES_MAX = 512 * 1024 * 1024
SIDES = (90, 320, 800, 1280)
SIZES_MAX = 3
SIDES_SUM_MAX = 10_000
RATIO_MAX = 20
TURNED = frozenset({5, 6, 7, 8})
"""Values of EXIF's orientation with which width and height change places."""
PREFIXES = {
    "photo": "AgACAgIAAxk",
    "video": "BAACAgIAAxk",
    "animation": "CgACAgIAAxk",
    "document": "BQACAgIAAxk",
}
KINDS = tuple(PREFIXES)
FOLDERS = {"photo": "photos", "video": "videos", "animation": "animations"}
SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}


class NotAPhotoError(Exception):
    """The bytes do not decode as a picture."""


class PhotoDimensionsError(Exception):
    """A picture whose sides are too long, or one side too long for the other."""


@dataclass(slots=True)
class File:
    """``kind`` is ``photo``, ``document``, ``video`` or ``animation``; ``path`` is where it can be
    downloaded once getFile has told so. ``sizes`` are those of the photo that it belongs to."""

    file_id: str
    file_unique_id: str
    kind: str
    content: bytes
    mime: str
    name: str
    width: int
    height: int
    path: str
    duration_s: int = 0
    sizes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """What every kind of file tells of itself."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.file_unique_id,
            "file_size": len(self.content),
        }

    def as_size(self) -> dict[str, object]:
        """A PhotoSize."""
        return self.as_json() | {"width": self.width, "height": self.height}

    def as_document(self) -> dict[str, object]:
        """A Document."""
        named = {"file_name": self.name} if self.name else {}
        return named | {"mime_type": self.mime} | self.as_json()

    def as_video(self) -> dict[str, object]:
        """A Video, or an Animation. Films are not decoded: what the caller said is repeated."""
        shape = {"duration": self.duration_s, "width": self.width, "height": self.height}
        return shape | self.as_document()


@dataclass(slots=True)
class Files:
    """One bot's files by id: another bot's ids mean nothing to it. The oldest go first when they
    are too many bytes, and are then ``wrong file_id or the file is temporarily unavailable``."""

    by_id: OrderedDict[str, File] = field(default_factory=OrderedDict)
    by_path: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    _count: int = 0

    def add(
        self,
        content: bytes,
        mime: str,
        name: str,
        width: int = 0,
        height: int = 0,
        kind: str = "document",
    ) -> File:
        """Keep a file; its bytes stay untouched."""
        self._count += 1
        path = f"{FOLDERS.get(kind, 'documents')}/file_{self._count}{SUFFIXES.get(mime, '')}"
        file_id = PREFIXES[kind] + secrets.token_urlsafe(36)
        unique_id = "AQAD" + hashlib.blake2b(content, digest_size=9).hexdigest()
        file = File(file_id, unique_id, kind, content, mime, name, width, height, path)
        self.by_id[file_id] = file
        self.by_path[path] = file_id
        self.size_bytes += len(content)
        while self.size_bytes > FILES_BYTES_MAX:
            _, oldest = self.by_id.popitem(last=False)
            del self.by_path[oldest.path]
            self.size_bytes -= len(oldest.content)
        return file

    async def add_photo(self, content: bytes) -> list[File]:
        """Keep a photo in two or three sizes, the smallest first, none of them the bytes given.

        Raises ``NotAPhotoError``, ``PhotoDimensionsError``.
        """
        return self.keep_sizes(await asyncio.to_thread(resized, content))

    def keep_sizes(self, sizes: list[tuple[bytes, int, int]]) -> list[File]:
        """Keep what ``resized`` has made of one photo."""
        kept = [
            self.add(content, "image/jpeg", "photo.jpg", width, height, "photo")
            for content, width, height in sizes
        ]
        ids = tuple(one.file_id for one in kept)
        for one in kept:
            one.sizes = ids
        return kept

    def find(self, file_id: str) -> File | None:
        return self.by_id.get(file_id)

    def photo(self, file: File) -> list[File]:
        """All sizes of the photo that this one belongs to."""
        found = [self.by_id.get(file_id) for file_id in file.sizes]
        return [one for one in found if one is not None]

    def at(self, path: str) -> File | None:
        """The file that getFile has given this path."""
        return self.by_id.get(self.by_path.get(path, ""))


def resized(content: bytes) -> list[tuple[bytes, int, int]]:
    """A photo as Telegram keeps it: upright JPEGs without the camera's notes, small to large.

    Raises ``NotAPhotoError``, ``PhotoDimensionsError``.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            shape = opened.size
            if sum(shape) > SIDES_SUM_MAX or max(shape) > RATIO_MAX * min(shape):
                raise PhotoDimensionsError
            if opened.getexif().get(ExifTags.Base.Orientation, 1) in TURNED:
                shape = (shape[1], shape[0])
            opened.draft("RGB", (SIDES[-1], SIDES[-1]))
            picture = _flat(ImageOps.exif_transpose(opened))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoDimensionsError from error
    except UNREADABLE as error:
        raise NotAPhotoError(str(error)) from error
    longest = max(shape)
    sides = {side for side in SIDES if side < longest} | {min(longest, SIDES[-1])}
    return [_size(picture, shape, side) for side in sorted(sides)[-SIZES_MAX:]]


def _flat(picture: Image.Image) -> Image.Image:
    """Without transparency: a JPEG has none, and Telegram shows white in its place."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    clear = picture.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(ground, clear).convert("RGB")


def _size(picture: Image.Image, shape: tuple[int, int], side: int) -> tuple[bytes, int, int]:
    longest = max(shape)
    width, height = (max(1, round(one * side / longest)) for one in shape)
    small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue(), width, height
