"""The two forms of the Bot API's answers: ``{ok: true, result}`` and an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from aiohttp import web

RETRY_AFTER_S = 1


class RefusedError(Exception):
    """A call that the Bot API refuses; ``status`` is its ``error_code``, too."""

    def __init__(
        self, status: int, description: str, parameters: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def response(self) -> web.Response:
        """The error as the Bot API would answer it."""
        return failure(self.status, self.description, self.parameters)


def bad_request(text: str) -> RefusedError:
    """Error 400 in the server's words, which follow ``Bad Request:``."""
    return RefusedError(400, f"Bad Request: {text}")


class FloodError(RefusedError):
    """Too fast: try again after so many seconds."""

    def __init__(self, retry_after_s: int) -> None:
        text = f"Too Many Requests: retry after {retry_after_s}"
        super().__init__(429, text, {"retry_after": retry_after_s})
        self.retry_after_s = retry_after_s

    def response(self) -> web.Response:
        answer = super().response()
        answer.headers["Retry-After"] = str(self.retry_after_s)
        return answer


@dataclass(frozen=True, slots=True)
class Told:
    """A result with a description beside it, which few methods have."""

    result: object
    description: str


def success(result: object) -> web.Response:
    """HTTP 200 with a result."""
    if isinstance(result, Told):
        body = {"ok": True, "result": result.result, "description": result.description}
        return json_response(body)
    return json_response({"ok": True, "result": result})


def failure(
    status: int, description: str, parameters: Mapping[str, object] | None = None
) -> web.Response:
    """An error; ``parameters`` tell the machine what the description tells people."""
    body: dict[str, object] = {"ok": False, "error_code": status, "description": description}
    if parameters is not None:
        body["parameters"] = parameters
    return json_response(body, status)


def struck(status: int, message: str) -> web.Response:
    """A fault's error. Without words of its own it has those that Telegram would use."""
    if message == f"Simulated error {status}":
        message = _reason(status)
    return failure(status, message)


def with_retry_after(response: web.Response) -> web.Response:
    """A 429 as Telegram answers it: its seconds are in the header, the text and the parameters."""
    given = response.headers.get("Retry-After", "")
    seconds = int(given) if given.isascii() and given.isdecimal() else RETRY_AFTER_S
    return FloodError(seconds).response()


def json_response(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _reason(status: int) -> str:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Internal Server Error: restart"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Error {status}"
