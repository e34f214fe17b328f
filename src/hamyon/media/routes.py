"""Uploading pictures, and serving what signed URLs point to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi import Path as PathParameter
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.responses import StreamingResponse

from hamyon.kit.errors import InvalidInput, NotFound, Unavailable
from hamyon.kit.picture_headers import PictureRefused
from hamyon.kit.pictures import EXTENSION, TooManyPixels, UploadTooLarge
from hamyon.kit.storage import NoSuchFile, Storage, StorageFailed, Stream, UnsafePath
from hamyon.kit.web.models import INT64_MAX, JSON, AnswerModel
from hamyon.kit.web.permission import OPEN, Service, ServiceOrUser, User, acting_for, allow
from hamyon.kit.web.routing import Router, ServiceOrUserCaller
from hamyon.media import service
from hamyon.media.service import FILE_BYTES_MAX, FILES_MAX
from hamyon.media.types import Needs, Upload
from hamyon.users.errors import UserBlocked, UserNotFound

UPLOADS_LIMIT: Final = "uploads"
"""A limit that wiring must declare: uploads cost decoding time and disk."""

BODY_BYTES_MAX: Final = FILES_MAX * FILE_BYTES_MAX + 64 * 1024
BODY_TIMEOUT_S: Final = 300.0
FIELD_BYTES_MAX: Final = 64
FLUSH_BYTES: Final = 1024 * 1024

SHOWN_TYPES: Final = {ending: mime for mime, ending in EXTENSION.items()}

api = Router("/api/v1/media", tags=["media"])
files = Router("/files", tags=["media"])


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


NeedsDependency = Annotated[Needs, Depends(_needs)]


class UploadItem(AnswerModel):
    """One upload. ``expires_at`` is null when an order uses it; ``url`` works for an hour."""

    upload_id: UUID
    url: str
    mime: str
    width: int
    height: int
    bytes: int
    expires_at: datetime | None


class UploadedItems(AnswerModel):
    """What was uploaded, in the order of the files."""

    items: list[UploadItem]


FORM_SCHEMA: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": FILES_MAX,
                        "items": {"type": "string", "format": "binary"},
                        "description": "At most 20 MB each. JPEG of up to 50 megapixels (stored "
                        "smaller where it has more than 16), PNG of 16.7, WebP of 8.2 "
                        "(4.1 without loss).",
                    },
                    "telegram_id": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": INT64_MAX,
                        "description": "Whose pictures they are; needed when a service calls.",
                    },
                },
            }
        }
    },
}


@api.post(
    "/upload",
    status_code=201,
    response_model=UploadedItems,
    openapi_extra={"requestBody": FORM_SCHEMA},
)
@allow(
    ServiceOrUser("media"),
    body_bytes_max=BODY_BYTES_MAX,
    body_timeout_s=BODY_TIMEOUT_S,
    limit=UPLOADS_LIMIT,
    raises=(UploadTooLarge, PictureRefused, TooManyPixels, UserNotFound, UserBlocked),
)
async def upload_pictures(
    request: Request, caller: ServiceOrUserCaller, needs: NeedsDependency
) -> JSON:
    """Upload one picture or several, all or none. Kept for 7 days unless an order uses them."""
    now = needs.clock.now()
    with TemporaryDirectory(prefix="hamyon-upload-") as folder:
        form = await _received(request, Path(folder))
        user_id = acting_for(caller, form.telegram_id(caller))
        uploads = await service.upload(
            needs.pool, needs.storage, user_id=user_id, files=form.files, now=now
        )
    return JSON({"items": _items(needs.storage, uploads, now)}, 201)


def _items(storage: Storage, uploads: Sequence[Upload], now: datetime) -> list[dict[str, object]]:
    return [
        {
            "upload_id": str(upload.id),
            "url": service.url_of(storage, upload, now=now),
            "mime": upload.mime,
            "width": upload.width,
            "height": upload.height,
            "bytes": upload.bytes,
            "expires_at": upload.expires_at,
        }
        for upload in uploads
    ]


# --- the multipart body ---------------------------------------------------------------------------


class _Form:
    """A multipart body as it comes: files go to disk piece by piece and end at their limit.

    Starlette's own form parser would take every file whole before anybody could measure it.
    Raises UploadTooLarge and InvalidInput.
    """

    def __init__(self, boundary: bytes, folder: Path) -> None:
        self.files: list[Path] = []
        self._folder = folder
        self._fields: dict[str, bytearray] = {}
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._sink: Path | bytearray = bytearray()
        self._file_bytes = 0
        self._waiting: list[tuple[Path, bytes]] = []
        self._waiting_bytes = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    async def write(self, chunk: bytes) -> None:
        """Take the next piece of the body."""
        self._parser.write(chunk)
        if self._waiting_bytes >= FLUSH_BYTES:
            await self._flush()

    async def finish(self) -> None:
        """The body is over."""
        if not self._ended:
            raise _invalid("", "the body ends before its last boundary")
        if not self.files:
            raise _invalid("file", "at least one picture is needed")
        await self._flush()

    def telegram_id(self, caller: Service | User) -> int:
        """Whose pictures they are: a user's own unless he says so, a service has to say."""
        given = self._fields.get("telegram_id")
        if given is None and isinstance(caller, User):
            return caller.user_id
        text = (given or b"").decode("ascii", "replace")
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= INT64_MAX):
            raise _invalid("telegram_id", "a Telegram id is needed")
        return int(text)

    async def _flush(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        await asyncio.to_thread(_append, waiting)

    def _begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = bytes(self._header[1])
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or name not in {"file", "telegram_id"}:
            raise _invalid(name[:64], "unknown field")
        if name == "telegram_id":
            if name in self._fields:
                raise _invalid(name, "given twice")
            self._sink = self._fields[name] = bytearray()
            return
        if len(self.files) == FILES_MAX:
            raise _invalid(name, f"at most {FILES_MAX} pictures at once")
        self._sink, self._file_bytes = self._folder / str(len(self.files)), 0
        self.files.append(self._sink)
        self._waiting.append((self._sink, b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if isinstance(self._sink, bytearray):
            self._sink.extend(data[start:end])
            if len(self._sink) > FIELD_BYTES_MAX:
                raise _invalid("telegram_id", "a Telegram id is needed")
            return
        self._file_bytes += end - start
        if self._file_bytes > FILE_BYTES_MAX:
            raise UploadTooLarge(limit_bytes=FILE_BYTES_MAX, file=len(self.files))
        self._waiting.append((self._sink, data[start:end]))
        self._waiting_bytes += end - start

    def _end(self) -> None:
        self._ended = True


async def _received(request: Request, folder: Path) -> _Form:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _invalid("", "the body must be multipart/form-data")
    try:
        form = _Form(boundary, folder)
        async for chunk in request.stream():
            await form.write(chunk)
        await form.finish()
    except FormParserError as error:
        raise _invalid("", "the body is not well-formed multipart/form-data") from error
    return form


def _append(pieces: Sequence[tuple[Path, bytes]]) -> None:
    for path, data in pieces:
        with path.open("ab") as file:
            file.write(data)


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(errors=[{"field": field, "message": message}])


# --- serving --------------------------------------------------------------------------------------


@files.get(
    "/{path:path}",
    response_class=StreamingResponse,
    responses={200: {"description": "The file.", "content": {kind: {} for kind in EXTENSION}}},
)
@allow(OPEN, raises=(NotFound,))
async def serve_file(
    needs: NeedsDependency,
    path: Annotated[str, PathParameter()],
    expires: str = "",
    signature: str = "",
) -> StreamingResponse:
    """A file of ours by a signed URL; a wrong one and an absent file are the same 404."""
    now = needs.clock.now()
    if not needs.storage.verify(path, expires, signature, now):
        raise NotFound
    stream = await _opened(needs.storage, path)
    return _answer(stream, seconds_left=math.floor(int(expires) - now.timestamp()))


async def _opened(storage: Storage, path: str) -> Stream:
    try:
        return await storage.open(path)
    except (NoSuchFile, UnsafePath):
        raise NotFound from None
    except StorageFailed as error:
        raise Unavailable from error


def _answer(stream: Stream, *, seconds_left: int) -> StreamingResponse:
    """Pictures are shown; anything else is only saved, so that no page of ours runs it."""
    name = stream.file.path.rsplit("/", 1)[-1].encode("ascii", "replace").decode()
    mime = SHOWN_TYPES.get(name.rpartition(".")[2])
    disposition = "attachment" if mime is None else "inline"
    headers = {
        "Content-Length": str(stream.file.size_bytes),
        "Content-Disposition": f'{disposition}; filename="{name}"',
        "Cache-Control": f"private, max-age={seconds_left}, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return StreamingResponse(
        stream.pieces, headers=headers, media_type=mime or "application/octet-stream"
    )
