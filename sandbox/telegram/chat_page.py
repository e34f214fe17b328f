"""The page on which a person chats with the bot in a browser, and the files that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

STATIC: Final = Path(__file__).parent / "static"
PAGE = "chat.html"
KINDS: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ChatPage:
    """``GET /telegram/chat?user=777&lang=ru&start=ref_5``, and its scripts and style sheets.

    The page itself knows nothing of anybody: what is shown comes from ``ChatApi``.
    """

    def __init__(self) -> None:
        self._parts = {path.name: path.read_bytes() for path in STATIC.iterdir()}

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/telegram/chat", self.show)
        app.router.add_get("/telegram/chat/static/{name}", self.part)

    async def show(self, _request: web.Request) -> web.StreamResponse:
        return self._response(PAGE)

    async def part(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._parts:
            raise web.HTTPNotFound
        return self._response(name)

    def _response(self, name: str) -> web.Response:
        kind = KINDS[Path(name).suffix]
        body = self._parts[name]
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)
