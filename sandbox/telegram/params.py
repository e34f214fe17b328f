"""What a call says: from the query, a form, multipart or JSON, in one shape.

As the Bot API does it, everything is text first: JSON values of other types are taken as their
JSON, and nested values may come as JSON or as text that holds JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, ClientResponse, MultipartReader, web

from sandbox.telegram.envelope import RefusedError, bad_request

UPLOAD_BYTES_MAX = 50 * 1024 * 1024
TOO_LARGE = "Request Entity Too Large"
CHUNK_BYTES = 256 * 1024
_INTEGER = re.compile(r"[ \t]*(-?[0-9]{1,18})")
_TRUE = frozenset({"true", "yes", "1"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a call."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Params:
    """Texts and files by name. What is absent is the empty text, as with the Bot API."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def required(self, name: str) -> str:
        """Raises ``RefusedError`` (400) for an empty one."""
        text = self.text(name)
        if not text:
            raise bad_request(f'parameter "{name}" is required')
        return text

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """The digits that the text begins with, brought between the bounds; none of them: 0."""
        text = self.text(name)
        value = (_leading_integer(text) or 0) if text else default
        return max(least, min(most, value))

    def user_id(self, name: str = "user_id") -> int:
        """Raises ``RefusedError`` (400)."""
        value = _leading_integer(self.text(name))
        if value is None or value <= 0:
            raise bad_request(f"invalid {name} specified")
        return value

    def flag(self, name: str) -> bool:
        return self.text(name).strip().lower() in _TRUE

    def parsed(self, name: str) -> object:
        """The JSON that the text holds. Raises ``RefusedError`` (400)."""
        try:
            return orjson.loads(self.text(name))
        except orjson.JSONDecodeError as error:
            raise bad_request(f"can't parse {name} JSON object") from error


async def read_params(request: web.Request) -> Params:
    """Query and body; what stands in the query wins. Raises ``RefusedError`` (400, 413)."""
    files: dict[str, Upload] = {}
    content_type = request.content_type
    try:
        if content_type == "multipart/form-data":
            body = await _parts(await request.multipart(), files)
        else:
            body = from_content(content_type, await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise RefusedError(413, TOO_LARGE) from error
    except ValueError as error:
        raise bad_request("can't parse the request") from error
    if request.query_string:
        body |= request.query
    return Params(body, files)


async def read_reply(answer: ClientResponse) -> Params:
    """What a webhook's answer asks for. Raises ``RefusedError`` (413), and ``ValueError`` for what
    cannot be read."""
    if answer.content_type == "multipart/form-data":
        files: dict[str, Upload] = {}
        return Params(await _parts(MultipartReader(answer.headers, answer.content), files), files)
    return Params(from_content(answer.content_type, await answer.read()))


def from_content(content_type: str, content: bytes) -> dict[str, str]:
    """Texts by name out of JSON or a form; other types say nothing. Raises ``ValueError``."""
    if content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    if content_type != "application/json" or not content.strip():
        return {}
    body = orjson.loads(content)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - A bad body, not a bug.
    return {name: _as_text(value) for name, value in body.items() if value is not None}


async def _parts(reader: MultipartReader, files: dict[str, Upload]) -> dict[str, str]:
    """The fields of a multipart body; its files are put into ``files``.

    Raises ``RefusedError`` (413), ``ValueError``.
    """
    texts: dict[str, str] = {}
    left = UPLOAD_BYTES_MAX
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or not part.name:
            continue
        content = bytearray()
        while chunk := await part.read_chunk(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise RefusedError(413, TOO_LARGE)
            content += chunk
        if part.filename is None:
            texts[part.name] = content.decode()
        else:
            mime = part.headers.get("Content-Type", "application/octet-stream")
            files[part.name] = Upload(part.filename, mime.partition(";")[0], bytes(content))
    return texts


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _leading_integer(text: str) -> int | None:
    found = _INTEGER.match(text)
    return int(found.group(1)) if found else None
