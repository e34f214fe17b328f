"""The way into every simulated operation: counts it, and does to it what a fault says."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from sandbox.counters import Stats
from sandbox.faults import Call, Fault, FaultEngine, FaultKind

HANG_S = 3600.0
LATENCY_S = 1.0
GONE_CHECK_S = 0.2

Handler = Callable[[web.Request, Sequence[Fault]], Awaitable[web.StreamResponse]]
Describe = Callable[[web.Request], Awaitable[Call]]
Refusal = Callable[[int, str], web.Response]
"""An error in the vendor's own form, from a status and a message."""

NOT_JSON = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def always(call: Call) -> Describe:
    """The description of a route whose every call is the same to the rules."""

    async def described(_request: web.Request) -> Call:
        return call

    return described


def cut(request: web.Request) -> web.StreamResponse:
    """End the connection at once, with a reset where the system allows it."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with suppress(OSError, AttributeError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return _Nothing()


async def sleep_while_connected(request: web.Request, seconds: float) -> bool:
    """Wait, but not longer than the caller; False when he has left."""
    end = asyncio.get_running_loop().time() + seconds
    while request.transport is not None and not request.transport.is_closing():
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return True
        await asyncio.sleep(min(left, GONE_CHECK_S))
    return False


class _Nothing(web.Response):
    """What a handler returns when there is nobody left to answer."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


@dataclass(frozen=True, slots=True)
class Gate:
    """Wraps a vendor's handlers."""

    engine: FaultEngine
    stats: Stats
    refusal: Refusal

    def wrap(
        self, describe: Describe, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler that the router calls."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            call = await describe(request)
            self.stats.requests[call.operation] += 1
            epoch = self.stats.epoch
            faults = self.engine.pick(call)
            response = await self._before(request, faults)
            if response is None:
                response = await handler(request, faults)
                response = await self._after(request, response, faults)
            # What was asked before a reset may be answered after it, and is nobody's count then.
            if not isinstance(response, _Nothing) and epoch == self.stats.epoch:
                self.stats.answers[f"{call.operation} {response.status}"] += 1
            return response

        return guarded

    async def _before(
        self, request: web.Request, faults: Sequence[Fault]
    ) -> web.StreamResponse | None:
        """Faults of a request that is never handled; None lets it through."""
        for fault in faults:
            if fault.accepted:
                continue
            if fault.kind is FaultKind.LATENCY:
                if not await sleep_while_connected(request, _seconds(fault, LATENCY_S)):
                    return cut(request)
            elif fault.kind is FaultKind.REFUSE:
                return cut(request)
            elif fault.kind is FaultKind.STATUS:
                return self._status(fault)
            elif fault.kind is FaultKind.HANG:
                await sleep_while_connected(request, _seconds(fault, HANG_S))
                return cut(request)
            elif fault.kind is FaultKind.NOT_JSON and fault.accepted is False:
                return web.Response(text=NOT_JSON, content_type="text/html")
        return None

    async def _after(
        self, request: web.Request, response: web.StreamResponse, faults: Sequence[Fault]
    ) -> web.StreamResponse:
        """Faults of the answer: what was asked has happened."""
        for fault in faults:
            if fault.kind is FaultKind.ACCEPTED_THEN_CUT:
                return cut(request)
            if fault.kind is FaultKind.ANSWER_TRUNCATED:
                return await half_an_answer(request, response)
            if fault.kind is FaultKind.NOT_JSON:
                return web.Response(text=NOT_JSON, content_type="text/html")
            if not fault.accepted:
                continue
            if fault.kind is FaultKind.LATENCY:
                await sleep_while_connected(request, _seconds(fault, LATENCY_S))
            elif fault.kind is FaultKind.STATUS:
                return self._status(fault)
            elif fault.kind is FaultKind.HANG:
                await sleep_while_connected(request, _seconds(fault, HANG_S))
                return cut(request)
        return response

    def _status(self, fault: Fault) -> web.Response:
        status = fault.status or 503
        response = self.refusal(status, fault.message or f"Simulated error {status}")
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response


async def half_an_answer(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send the full length in the headers and half of the bytes, then close."""
    body = response.body if isinstance(response, web.Response) else None
    content = bytes(body) if isinstance(body, bytes | bytearray) else b""
    if len(content) < 2:
        return cut(request)
    partial = web.StreamResponse(status=response.status)
    partial.content_type = response.content_type
    partial.content_length = len(content)
    with suppress(ConnectionError):
        await partial.prepare(request)
        await partial.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return _Nothing()


def _seconds(fault: Fault, default: float) -> float:
    return default if fault.seconds is None else fault.seconds
