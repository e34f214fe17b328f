"""``/docs``, ``/redoc`` and ``/openapi.json``: guarded like every route, and nothing from outside.

The pages' programs come from the package ``fastapi-offline``, of which only the files are used:
Swagger UI (Apache License 2.0) and Redoc (MIT).
"""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from importlib import resources
from typing import Final

import orjson
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from hamyon.kit.errors import NotFound
from hamyon.kit.web.permission import OPEN, allow
from hamyon.kit.web.routing import Router

OPENAPI_PATH: Final = "/openapi.json"
ASSETS_PATH: Final = "/docs/assets"
# Both programs write their styles into the page, and Redoc searches in a worker made of a blob.
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
_FROM_PACKAGE: Final = frozenset(
    ["favicon.png", "redoc.standalone.js", "swagger-ui-bundle.js", "swagger-ui.css"]
)
_OWN: Final = {
    "swagger-start.js": f"""\
window.addEventListener("load", () => SwaggerUIBundle({{
  url: "{OPENAPI_PATH}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
}}));
""",
}
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{favicon}">
{head}
</head>
<body>
{body}
</body>
</html>
"""

router = Router(tags=["service"])


@router.get(OPENAPI_PATH, include_in_schema=False)
@allow(OPEN)
async def openapi(request: Request) -> Response:
    """Everything there is to call, for programs."""
    return Response(orjson.dumps(request.app.openapi()), media_type="application/json")


@router.get("/docs", include_in_schema=False)
@allow(OPEN)
async def swagger(request: Request) -> HTMLResponse:
    """Everything there is to call, to try out."""
    head = f'<link rel="stylesheet" href="{_url("swagger-ui.css")}">'
    body = (
        '<div id="swagger-ui"></div>\n'
        f'<script src="{_url("swagger-ui-bundle.js")}"></script>\n'
        f'<script src="{_url("swagger-start.js")}"></script>'
    )
    return _page(request, head, body)


@router.get("/redoc", include_in_schema=False)
@allow(OPEN)
async def redoc(request: Request) -> HTMLResponse:
    """Everything there is to call, to read."""
    body = (
        f'<redoc spec-url="{OPENAPI_PATH}"></redoc>\n'
        f'<script src="{_url("redoc.standalone.js")}"></script>'
    )
    return _page(request, "<style>body { margin: 0 }</style>", body)


@router.get(ASSETS_PATH + "/{name}", include_in_schema=False)
@allow(OPEN)
async def asset(name: str) -> Response:
    """A file of the pages; its address changes with its content, so it may be kept forever."""
    if name not in _FROM_PACKAGE and name not in _OWN:
        raise NotFound
    return Response(_content(name), media_type=_TYPES[name.rpartition(".")[2]], headers=_FOREVER)


def _page(request: Request, head: str, body: str) -> HTMLResponse:
    content = _PAGE.format(
        title=escape(request.app.title), favicon=_url("favicon.png"), head=head, body=body
    )
    return HTMLResponse(content, headers=_HEADERS)


@cache
def _url(name: str) -> str:
    return f"{ASSETS_PATH}/{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


@cache
def _content(name: str) -> bytes:
    if name in _OWN:
        return _OWN[name].encode()
    return resources.files("fastapi_offline").joinpath("static", name).read_bytes()
