"""Calling others: one shared client whose failures say whether the request may have arrived.

Neither an exception nor a log line of this module carries a URL's path or query: vendors put
tokens there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace, TracebackType
from typing import Final, Self

import aiohttp
import orjson
from aiohttp.typedefs import LooseHeaders
from yarl import URL

CONNECT_TIMEOUT_S: Final = 10.0
CONNECTIONS_MAX: Final = 200
KEEPALIVE_S: Final = 15.0
"""Shorter than servers' usual limits, so that we rarely write into a connection just closed."""
PIECE_BYTES: Final = 64 * 1024


class FailureKind(StrEnum):
    """What is known about a request without a whole answer."""

    NOT_SENT = "not_sent"
    """No connection was made: the other side surely knows nothing of it."""
    UNKNOWN = "unknown"
    """A connection was there, and then time ran out or it was cut: anything may have happened."""
    TOO_LARGE = "too_large"
    """The answer was longer than we take; the request was received."""


class HttpFailure(Exception):
    """No whole answer; ``kind`` says what that means. The message names the host and no more."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, of any status. ``headers`` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON. Raises ValueError when it is none."""
        value: object = orjson.loads(self.body)
        return value


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """An answer whose body comes in pieces; reading them raises HttpFailure."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


@dataclass(slots=True)
class _Progress:
    connected: bool = False


class HttpClient:
    """The process's one client. Opened by its first request; close it with ``close``."""

    def __init__(self, *, user_agent: str = "hamyon") -> None:
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        limit_bytes: int,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: bytes | aiohttp.FormData | None = None,
    ) -> Response:
        """Send once and read the answer whole; redirects are answers. Raises HttpFailure.

        A POST is never repeated by itself; a GET may be sent again when the kept connection that it
        went out on turns out to be closed.
        """
        async with self.stream(
            url,
            method=method,
            headers=headers,
            json=json,
            data=data,
            timeout_s=timeout_s,
            limit_bytes=limit_bytes,
            redirects_max=0,
        ) as answer:
            body = b"".join([piece async for piece in answer.pieces])
        return Response(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        timeout_s: float,
        limit_bytes: int,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: bytes | aiohttp.FormData | None = None,
        redirects_max: int = 3,
    ) -> AsyncIterator[StreamedResponse]:
        """Send once and read the answer in pieces. Raises HttpFailure, also while reading.

        ``timeout_s`` is for everything until the last byte.
        """
        all_headers = dict(headers or {})
        if json is not None:
            data = orjson.dumps(json)
            all_headers.setdefault("Content-Type", "application/json")
        progress = _Progress()
        try:
            target = _target(url)
            async with self._opened().request(
                method,
                target,
                headers=all_headers,
                data=data,
                timeout=_timeout(timeout_s),
                allow_redirects=redirects_max > 0,
                max_redirects=max(redirects_max, 1),
                trace_request_ctx=progress,
            ) as answer:
                yield StreamedResponse(
                    answer.status, answer.headers.copy(), _limited(answer, limit_bytes)
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failure(error, url, progress) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(
                aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_S),
                {"User-Agent": self._user_agent},
            )
        return self._session


def open_session(connector: aiohttp.TCPConnector, headers: LooseHeaders) -> aiohttp.ClientSession:
    """A session that keeps no cookies, believes no proxy variables, and notes when it connected."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_note_connection)
    trace.on_connection_reuseconn.append(_note_connection)
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
        trust_env=False,
    )


async def _note_connection(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: object
) -> None:
    """From here on the request may be on its way; before, it surely was not."""
    if isinstance(context.trace_request_ctx, _Progress):
        context.trace_request_ctx.connected = True


def _target(url: str) -> URL:
    """Ready-made URLs stay as they are: another spelling would break a vendor's signature."""
    return URL(url, encoded=url.isascii())


def _timeout(timeout_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=timeout_s, sock_connect=min(timeout_s, CONNECT_TIMEOUT_S), ceil_threshold=1e9
    )


async def _limited(answer: aiohttp.ClientResponse, limit_bytes: int) -> AsyncIterator[bytes]:
    host = answer.url.host or "?"
    if (answer.content_length or 0) > limit_bytes:
        answer.close()
        raise HttpFailure(FailureKind.TOO_LARGE, f"{host} announced over {limit_bytes} bytes")
    taken = 0
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        taken += len(piece)
        if taken > limit_bytes:
            answer.close()
            raise HttpFailure(FailureKind.TOO_LARGE, f"{host} sent over {limit_bytes} bytes")
        yield piece


def _failure(error: Exception, url: str, progress: _Progress) -> HttpFailure:
    kind = FailureKind.UNKNOWN if progress.connected else FailureKind.NOT_SENT
    return HttpFailure(kind, f"{type(error).__name__} at {_host(url)}")


def _host(url: str) -> str:
    try:
        return URL(url).host or "no host"
    except ValueError:
        return "no URL"
