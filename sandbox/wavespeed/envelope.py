"""The two forms of the vendor's answers: ``{code, message, data}`` and an error without data."""

from __future__ import annotations

import orjson
from aiohttp import web


class RefusedError(Exception):
    """A request that the vendor refuses: HTTP status, its own code, a message."""

    def __init__(
        self, status: int, message: str, *, code: int | None = None, error_code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = status if code is None else code
        self.error_code = error_code

    def response(self) -> web.Response:
        """The error as the vendor would answer it."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.error_code is not None:
            body["error_code"] = self.error_code
        return json_response(body, self.status)


def success(data: object = None) -> web.Response:
    """HTTP 200 with the documented envelope."""
    return json_response({"code": 200, "message": "success", "data": data})


def refusal(status: int, message: str) -> web.Response:
    """An error whose code is its HTTP status."""
    return RefusedError(status, message).response()


def json_response(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
