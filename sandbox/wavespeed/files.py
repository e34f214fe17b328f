"""Uploaded files and the tickets to upload them, in bounded memory."""

from __future__ import annotations

import io
import mimetypes
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from PIL import Image

from sandbox.pictures import UNREADABLE

FILES_BYTES_MAX = 256 * 1024 * 1024
TICKETS_MAX = 10_000
TICKET_TTL_S = 900.0
FILE_TTL_S = 7 * 24 * 3600.0
"""Uploads are deleted after seven days (wavespeed.ai/docs/upload-files)."""


class UploadRefusedError(Exception):
    """A file or a ticket that the vendor does not take."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A permission to put one file of exactly this size and type."""

    token: str
    filename: str
    size: int
    mime: str
    opened_at: float


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    id: str
    filename: str
    mime: str
    content: bytes
    stored_at: float

    @property
    def path(self) -> str:
        return f"/media/{self.id}/{self.filename}"


def media_type(filename: str, content_type: str | None) -> tuple[str, str]:
    """(``image``|``video``|``audio``, mime). Raises ``UploadRefusedError`` for other files."""
    mime = content_type or mimetypes.guess_type(filename)[0] or ""
    kind = mime.split("/", maxsplit=1)[0]
    if kind not in {"image", "video", "audio"}:
        raise UploadRefusedError(f"unsupported file type: {mime or filename}")
    return kind, mime


def safe_name(filename: str) -> str:
    """A file name that can stand in a URL."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in filename)
    return name.strip(".")[-100:] or "upload"


@dataclass(slots=True)
class Files:
    """What was uploaded; the oldest goes when memory is full."""

    _files: OrderedDict[str, StoredFile] = field(default_factory=OrderedDict)
    _tickets: OrderedDict[str, Ticket] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def ticket(self, filename: str, size: int, mime: str) -> Ticket:
        """Promise a place; the download URL is known before the file comes."""
        ticket = Ticket(secrets.token_hex(16), safe_name(filename), size, mime, time.monotonic())
        self._tickets[ticket.token] = ticket
        if len(self._tickets) > TICKETS_MAX:
            self._tickets.popitem(last=False)
        return ticket

    def redeem(self, token: str) -> Ticket:
        """The ticket, once. Raises ``UploadRefusedError`` when used, expired or unknown."""
        ticket = self._tickets.pop(token, None)
        if ticket is None or time.monotonic() - ticket.opened_at > TICKET_TTL_S:
            raise UploadRefusedError("unknown or expired upload URL")
        return ticket

    def store(self, filename: str, mime: str, content: bytes, file_id: str = "") -> StoredFile:
        """Keep a file. Raises ``UploadRefusedError`` when an image does not look like one."""
        if mime.startswith("image/"):
            try:
                with Image.open(io.BytesIO(content)):
                    pass
            except UNREADABLE as error:
                raise UploadRefusedError("the file is not an image") from error
        name = safe_name(filename)
        stored = StoredFile(file_id or secrets.token_hex(16), name, mime, content, time.monotonic())
        self._files[stored.id] = stored
        self._bytes += len(content)
        while self._bytes > FILES_BYTES_MAX and len(self._files) > 1:
            _, dropped = self._files.popitem(last=False)
            self._bytes -= len(dropped.content)
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        stored = self._files.get(file_id)
        if stored is not None and time.monotonic() - stored.stored_at > FILE_TTL_S:
            return None
        return stored
