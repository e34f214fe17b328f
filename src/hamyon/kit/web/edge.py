"""The outermost layer: request ids, client addresses, the access line, metrics, last answers.

Pure ASGI and short, because it runs on every request.
"""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hamyon.kit import log
from hamyon.kit.limits import Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.settings import Settings
from hamyon.kit.web.exchange import SCOPE_KEY, Exchange, Networks
from hamyon.kit.web.openapi import install_openapi
from hamyon.kit.web.permission import Anonymous, Authenticator
from hamyon.kit.web.problems import install_handlers, unexpected
from hamyon.kit.web.routing import Guard, check_permissions

PATH_CHARACTERS_MAX: Final = 200
CLIENT_LEFT_STATUS: Final = 499
UNMATCHED: Final = "(none)"
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


class Edge:
    """Wraps the application. ``https`` says whether people reach us over TLS."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, trusted: Networks, https: bool) -> None:
        self.app = app
        self._metrics = metrics
        self._trusted = trusted
        self._log: Any = structlog.get_logger("hamyon.access").bind()
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]
        if https:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = scope[SCOPE_KEY] = Exchange(scope, self._trusted)
        own = [*self._headers, (b"x-request-id", exchange.request_id.encode())]
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *own]
                if type(exchange.caller) is not Anonymous:
                    headers += _privacy(headers)
                message["headers"] = headers
            await send(message)

        bound = log.bind(request_id=exchange.request_id)
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if status:
                # Half an answer is out; only ending the connection can tell the client so.
                unexpected(error, exchange)
                raise
            await unexpected(error, exchange)(scope, receive, answer)
        finally:
            self._finish(scope, exchange, status, time.perf_counter() - started)
            log.unbind(bound)

    def _finish(self, scope: Scope, exchange: Exchange, status: int, duration_s: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path_format", None) or UNMATCHED
        status = status or CLIENT_LEFT_STATUS
        self._metrics.http(method, route, status, duration_s)
        write = self._log.info if status < 500 else self._log.warning
        write(
            "request",
            method=method,
            path=scope["path"][:PATH_CHARACTERS_MAX],
            status=status,
            ms=round(duration_s * 1000, 1),
            address=exchange.address,
        )


def _privacy(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What is somebody's own is kept by no cache, unless the handler says otherwise."""
    if any(name.lower() == b"cache-control" for name, _ in headers):
        return []
    return [(b"cache-control", b"no-store")]


def install(
    app: FastAPI,
    *,
    settings: Settings,
    authenticator: Authenticator,
    limiter: Limiter,
    metrics: Metrics,
) -> None:
    """Make ``app`` ready to serve; call it once, after its routes were included.

    Raises UndeclaredPermission. Origins that browsers may call from are ``CORS_ORIGINS``.
    """
    app.router.redirect_slashes = False
    check_permissions(app, limiter.names)
    app.state.guard = Guard(authenticator, limiter)
    install_handlers(app)
    install_openapi(app)
    app.add_middleware(
        Edge,
        metrics=metrics,
        trusted=settings.proxy_networks,
        https=settings.base_url.startswith("https://"),
    )
    if settings.cors_origins:
        # Outside of the edge, so that a browser can read its answers to our own mistakes, too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )
