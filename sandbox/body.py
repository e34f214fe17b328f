"""A request's body as JSON, read once: rules look at it before the handler does."""

from __future__ import annotations

import orjson
from aiohttp import web

_BODY: web.RequestKey[object] = web.RequestKey("parsed_body", object)


async def parsed_body(request: web.Request) -> object:
    """What the body says; nothing at all is an empty object, and what is no JSON is None."""
    if _BODY not in request:
        content = await request.read()
        try:
            request[_BODY] = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError:
            request[_BODY] = None
    return request[_BODY]
