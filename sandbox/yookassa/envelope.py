"""The vendor's answers: a bare object, or its error object."""

from __future__ import annotations

import uuid

import orjson
from aiohttp import web

_CODES = {
    401: "invalid_credentials",
    403: "forbidden",
    404: "not_found",
    410: "gone",
    429: "too_many_requests",
}


class RefusedError(Exception):
    """A request that the vendor refuses: HTTP status, description, the parameter at fault."""

    def __init__(
        self, status: int, description: str, *, parameter: str | None = None, code: str = ""
    ) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameter = parameter
        self.code = code or _code(status)

    def response(self) -> web.Response:
        """The error as the vendor would answer it."""
        body = {
            "type": "error",
            "id": str(uuid.uuid4()),
            "code": self.code,
            "description": self.description,
        }
        if self.parameter is not None:
            body["parameter"] = self.parameter
        return json_response(body, self.status)


def invalid(parameter: str, description: str) -> RefusedError:
    """A parameter, a header or a step that is not allowed (400)."""
    return RefusedError(400, description, parameter=parameter)


def refusal(status: int, description: str) -> web.Response:
    """An error with the code that its HTTP status has."""
    return RefusedError(status, description).response()


def json_response(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _code(status: int) -> str:
    """405 and 415 are documented without a code; ``invalid_request`` is an assumption there."""
    if status >= 500:
        return "internal_server_error"
    return _CODES.get(status, "invalid_request")
