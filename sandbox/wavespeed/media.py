"""Uploads: the old way (multipart) and the new one (a ticket, then a PUT), and downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from sandbox.faults import Fault
from sandbox.wavespeed.door import authorize, read_object
from sandbox.wavespeed.envelope import RefusedError, success
from sandbox.wavespeed.files import StoredFile, UploadRefusedError, media_type
from sandbox.wavespeed.models import INVALID_PARAMETER, MISSING_PARAMETER
from sandbox.wavespeed.state import State


@dataclass(frozen=True, slots=True)
class Media:
    """Handlers of ``/media/...``."""

    state: State

    async def upload(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """Multipart with the field ``file``."""
        authorize(self.state, request)
        if not request.content_type.startswith("multipart/"):
            raise _refused("multipart/form-data is required")
        try:
            form = await request.post()
        except (web.HTTPRequestEntityTooLarge, ValueError) as error:
            raise RefusedError(413, "file too large") from error
        field = form.get("file")
        if not isinstance(field, web.FileField):
            raise RefusedError(400, "file is required", code=MISSING_PARAMETER)
        content = field.file.read()
        if len(content) > self.state.settings.upload_bytes_max:
            raise RefusedError(413, "file too large")
        declared = field.content_type
        if declared == "application/octet-stream":
            declared = ""
        try:
            kind, mime = media_type(field.filename, declared or None)
            stored = self.state.files.store(field.filename, mime, content)
        except UploadRefusedError as error:
            raise _refused(str(error)) from error
        self.state.stats.bytes["uploaded"] += len(content)
        return success(
            {
                "type": kind,
                "download_url": _origin(request) + stored.path,
                "filename": stored.filename,
                "size": len(content),
            }
        )

    async def ticket(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """Where to PUT a file, and where it will be found."""
        authorize(self.state, request)
        body = await read_object(request)
        filename, size, declared = body.get("filename"), body.get("size"), body.get("content_type")
        if not isinstance(filename, str) or not filename:
            raise RefusedError(400, "filename is required", code=MISSING_PARAMETER)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise _refused("size must be a positive integer")
        if size > self.state.settings.upload_bytes_max:
            raise RefusedError(413, "file too large")
        try:
            kind, mime = media_type(filename, declared if isinstance(declared, str) else None)
        except UploadRefusedError as error:
            raise _refused(str(error)) from error
        ticket = self.state.files.ticket(filename, size, mime)
        return success(
            {
                "type": kind,
                "download_url": f"{_origin(request)}/media/{ticket.token}/{ticket.filename}",
                "filename": ticket.filename,
                "size": size,
                "upload": {
                    "method": "PUT",
                    "url": f"{_origin(request)}/media-uploads/{ticket.token}",
                    "headers": {"Content-Type": mime},
                },
            }
        )

    async def put(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """The file of a ticket: exactly its headers, its size, and no ``Authorization``."""
        if "Authorization" in request.headers:
            raise RefusedError(400, "Authorization must not be sent to the upload URL")
        content = await request.read()
        try:
            self._fulfil(request.match_info["token"], request.headers.get("Content-Type"), content)
        except UploadRefusedError as error:
            raise RefusedError(403, str(error)) from error
        self.state.stats.bytes["uploaded"] += len(content)
        return web.Response(status=200)

    def _fulfil(self, token: str, content_type: str | None, content: bytes) -> None:
        """Raises ``UploadRefusedError`` when the file is not the one that the ticket promised."""
        ticket = self.state.files.redeem(token)
        if content_type != ticket.mime:
            raise UploadRefusedError("headers differ from upload.headers")
        if len(content) != ticket.size:
            raise UploadRefusedError("size differs from the ticket")
        self.state.files.store(ticket.filename, ticket.mime, content, ticket.token)

    async def get(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """An uploaded file, to everybody who has the link."""
        stored: StoredFile | None = self.state.files.get(request.match_info["file"])
        if stored is None or stored.filename != request.match_info["name"]:
            raise RefusedError(404, "file not found")
        return web.Response(body=stored.content, content_type=stored.mime)


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _refused(message: str) -> RefusedError:
    return RefusedError(400, message, code=INVALID_PARAMETER)
