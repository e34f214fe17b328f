"""Every refusal as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from hamyon.kit.errors import HamyonError, InvalidInput, NotFound, Unavailable
from hamyon.kit.texts import Language, text
from hamyon.kit.web.body import BoundedBody
from hamyon.kit.web.errors import MethodNotAllowed
from hamyon.kit.web.exchange import SCOPE_KEY, Exchange, exchange_of
from hamyon.kit.web.routing import ADDRESS_LIMIT, Guard, count

_log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
DATABASE_RETRY_S: Final = 2
DATABASE_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)


class DatabaseAway(Unavailable):
    """The database did not answer; whether anything was written is told by asking again."""

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(DATABASE_RETRY_S)}


class ProblemResponse(Response):
    """A refusal. Where the body was not read to its end, the connection ends with it."""

    media_type = MEDIA_TYPE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope[SCOPE_KEY]
        assert isinstance(exchange, Exchange)
        # Where no route matched, nothing has looked at the body yet.
        body = exchange.body or BoundedBody(scope, receive, 0, 0)
        if body.is_read:
            await super().__call__(scope, receive, send)
            return
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        await body.linger()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def problem(error: HamyonError, exchange: Exchange) -> ProblemResponse:
    """The answer for a refusal, in the caller's language."""
    title = error.code.replace("_", " ").capitalize()
    content = {
        **error.facts,
        "type": f"urn:hamyon:problem:{error.code}",
        "title": title,
        "status": error.status,
        "detail": _sentence(exchange.language, error, title),
        "code": error.code,
        "request_id": exchange.request_id,
    }
    headers = error.headers()
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return ProblemResponse(body, error.status, headers)


def _sentence(language: Language, error: HamyonError, otherwise: str) -> str:
    try:
        return text(language, f"error.{error.code}", error.facts)
    except (KeyError, FileNotFoundError):
        _log.error("sentence_missing", code=error.code, language=language)
        return otherwise


def unexpected(error: Exception, exchange: Exchange) -> ProblemResponse:
    """The answer for our own mistake: nothing of it is shown, all of it is logged."""
    _log.error("unexpected_error", exc_info=error)
    return problem(HamyonError(), exchange)


def install_handlers(app: FastAPI) -> None:
    """Answer every error of the application as a problem; the edge answers the unexpected."""
    app.add_exception_handler(HamyonError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HamyonError)
    return problem(error, exchange_of(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [_field_error(item) for item in error.errors()]
    return problem(InvalidInput(errors=found), exchange_of(request))


def _field_error(item: Mapping[str, Any]) -> dict[str, str]:
    """Where and what, without the value: it may be somebody's secret."""
    where = [str(part) for part in item.get("loc", ())]
    if where[:1] in (["body"], ["query"], ["path"], ["header"]):
        where = where[1:]
    return {"field": ".".join(where), "message": str(item.get("msg", ""))}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    exchange = exchange_of(request)
    # A refusal that was raised while FastAPI read the body arrives wrapped in its own error.
    if isinstance(error.__cause__, HamyonError):
        return problem(error.__cause__, exchange)
    if error.status_code in {404, 405}:
        # No route counted this call, and guessing paths must not be free.
        guard: Guard = request.app.state.guard
        try:
            await count(guard.limiter, ADDRESS_LIMIT, exchange.address_key)
        except HamyonError as refusal:
            return problem(refusal, exchange)
    answer = problem(_of_status(error), exchange)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(_methods(request))
    return answer


def _methods(request: Request) -> list[str]:
    """Every method of the path; the framework names those of the first route only."""
    matching = (
        route.methods or ()
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    )
    return sorted({method for methods in matching for method in methods})


def _of_status(error: HTTPException) -> HamyonError:
    if error.status_code == 404:
        return NotFound()
    if error.status_code == 405:
        return MethodNotAllowed()
    if error.status_code < 500:
        return InvalidInput(errors=[{"field": "", "message": str(error.detail)}])
    return HamyonError()


async def _database_away(request: Request, error: Exception) -> Response:
    exchange = exchange_of(request)
    if isinstance(error, asyncpg.InterfaceError) and "clos" not in str(error):
        return unexpected(error, exchange)  # A mistake in how the driver is used.
    _log.warning("database_away", error=type(error).__name__, exc_info=error)
    return problem(DatabaseAway(), exchange)
