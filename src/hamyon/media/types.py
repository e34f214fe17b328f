"""What other slices may hold of an uploaded picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol
from uuid import UUID

from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.pictures import EXTENSION
from hamyon.kit.storage import Storage

UploadId = NewType("UploadId", UUID)


@dataclass(frozen=True, slots=True)
class Upload:
    """One person's claim on a cleaned picture; people who uploaded the same one share its bytes.

    ``content_hash`` is the SHA-256 of the cleaned bytes. ``expires_at`` None: an order uses it.
    """

    id: UploadId
    user_id: int
    content_hash: str
    mime: str
    width: int
    height: int
    bytes: int
    created_at: datetime
    expires_at: datetime | None

    @property
    def path(self) -> str:
        """Where its bytes lie in storage."""
        return storage_path(self.content_hash, self.mime)


def storage_path(content_hash: str, mime: str) -> str:
    """Where bytes with this hash lie in storage."""
    return f"uploads/{content_hash[:2]}/{content_hash}.{EXTENSION[mime]}"


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A cleaned picture on its way to becoming an upload."""

    id: UploadId
    content_hash: str
    mime: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep of expired uploads removed, and how many contents it must try again."""

    rows: int
    files: int
    failed: int


class Needs(Protocol):
    """What the routes of this slice take from the application's state."""

    @property
    def pool(self) -> Pool: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def clock(self) -> Clock: ...
