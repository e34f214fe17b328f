"""The calls that a message of files takes: what goes together, and as what (wire.md, 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hamyon.messages.types import ALBUM_MAX, File, FileKind

MB: Final = 1024 * 1024
PHOTO_BYTES_MAX: Final = 10 * MB
PHOTO_SIDES_MAX: Final = 10_000
PHOTO_RATIO_MAX: Final = 20
UPLOAD_BYTES_MAX: Final = 50 * MB
_METHODS: Final = {
    FileKind.PHOTO: "sendPhoto",
    FileKind.VIDEO: "sendVideo",
    FileKind.DOCUMENT: "sendDocument",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A file and its place in the message."""

    number: int
    file: File

    @property
    def is_photo(self) -> bool:
        """Whether it goes as a photo."""
        return self.file.kind is FileKind.PHOTO

    @property
    def field(self) -> str:
        """The name of the upload."""
        return f"file{self.number}"

    @property
    def upload_bytes(self) -> int:
        """What must be uploaded of it."""
        return self.file.bytes if self.file.ref is None else 0


def is_oversized(file: File) -> bool:
    """Whether no bot can send it: it is not with Telegram yet, and too large to bring there."""
    return file.ref is None and file.bytes > UPLOAD_BYTES_MAX


def fits_photo(file: File) -> bool:
    """Whether Telegram takes a file as a photo. Unknown sides are left to Telegram to judge."""
    if file.bytes > PHOTO_BYTES_MAX:
        return False
    if not file.width or not file.height:
        return True
    ratio = max(file.width, file.height) / min(file.width, file.height)
    return file.width + file.height <= PHOTO_SIDES_MAX and ratio <= PHOTO_RATIO_MAX


def planned(items: Sequence[Item]) -> list[list[Item]]:
    """The parts, one call each: photos and videos first, then documents, as much as one takes."""
    fit = [one if not one.is_photo or fits_photo(one.file) else _document(one) for one in items]
    seen = [one for one in fit if one.file.kind is not FileKind.DOCUMENT]
    papers = [one for one in fit if one.file.kind is FileKind.DOCUMENT]
    return _batched(seen) + _batched(papers)


def as_documents(items: Sequence[Item]) -> list[Item]:
    """The same with no photo among them."""
    return [_document(one) if one.is_photo else one for one in items]


def without_refs(items: Sequence[Item]) -> list[Item]:
    """The same, to be uploaded."""
    return [replace(one, file=replace(one.file, ref=None)) for one in items]


def described(part: Sequence[Item], caption: str) -> tuple[str, dict[str, object]]:
    """The method for a part, and what it says of the files; the caption stands at the first."""
    words: dict[str, object] = {"caption": caption, "parse_mode": "HTML"} if caption else {}
    if len(part) > 1:
        album = [{"type": one.file.kind.value, "media": _media(one), **_shape(one)} for one in part]
        album[0] |= words
        return "sendMediaGroup", {"media": album}
    only = part[0]
    content = {only.file.kind.value: _media(only), **_shape(only), **words}
    return _METHODS[only.file.kind], content


def _document(item: Item) -> Item:
    return replace(item, file=replace(item.file, kind=FileKind.DOCUMENT))


def _batched(items: Sequence[Item]) -> list[list[Item]]:
    """In their order, at most ten and 50 MB to upload in a batch."""
    batches: list[list[Item]] = []
    room = 0
    for one in items:
        is_full = not batches or len(batches[-1]) == ALBUM_MAX or one.upload_bytes > room
        if is_full:
            batches.append([])
            room = UPLOAD_BYTES_MAX
        batches[-1].append(one)
        room -= one.upload_bytes
    return batches


def _media(item: Item) -> str:
    return item.file.ref if item.file.ref is not None else f"attach://{item.field}"


def _shape(item: Item) -> dict[str, object]:
    """What Telegram does not find out of a film by itself."""
    file = item.file
    if file.kind is not FileKind.VIDEO:
        return {}
    shape = {"width": file.width, "height": file.height}
    known: dict[str, object] = {name: side for name, side in shape.items() if side}
    return known | {"supports_streaming": True}
