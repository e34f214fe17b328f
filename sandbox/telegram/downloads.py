"""The address where a file is, once getFile has told so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from sandbox.faults import Fault
from sandbox.telegram.door import authorize
from sandbox.telegram.envelope import RefusedError, failure
from sandbox.telegram.media import DOWNLOAD_BYTES_MAX
from sandbox.telegram.state import State


@dataclass(frozen=True, slots=True)
class Downloads:
    """``GET /file/bot<token>/<file_path>``."""

    state: State

    async def download(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """The bytes; no address is right for a file that is too big to be told of."""
        try:
            bot = authorize(self.state, request.match_info["token"])
        except RefusedError as error:
            return error.response()
        file = bot.files.at(request.match_info["path"])
        if file is None or len(file.content) > DOWNLOAD_BYTES_MAX:
            return failure(404, "Not Found")
        return web.Response(body=file.content, content_type="application/octet-stream")
