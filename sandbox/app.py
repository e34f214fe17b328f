"""The sandbox: every vendor's simulator on one port, and its control API.

Nothing here knows Hamyon; it is the other side of the wire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.control import Control, apply_order
from sandbox.faults import FaultEngine, FaultOrder
from sandbox.telegram.vendor import Telegram
from sandbox.types import Vendor
from sandbox.wavespeed.envelope import refusal
from sandbox.wavespeed.vendor import WaveSpeed
from sandbox.yookassa.envelope import refusal as yookassa_refusal
from sandbox.yookassa.vendor import YooKassa

BODY_BYTES_MAX = 64 * 1024 * 1024
SHUTDOWN_S = 0.2


def build_app(*, seed: int = 0, order: FaultOrder | None = None) -> web.Application:
    """The application with all vendors. Raises ``ValueError`` for a bad order of faults."""
    engine = FaultEngine(seed=seed)
    if order is not None:
        apply_order(engine, order)
    vendors: list[Vendor] = [WaveSpeed(engine), YooKassa(engine), Telegram(engine)]
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_unknown_paths])
    Control(engine, vendors).mount(app)
    for vendor in vendors:
        vendor.mount(app)

    async def running(_app: web.Application) -> AsyncIterator[None]:
        for vendor in vendors:
            await vendor.start()
        yield
        for vendor in vendors:
            await vendor.stop()

    app.cleanup_ctx.append(running)
    return app


@asynccontextmanager
async def serving(
    app: web.Application, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address. Raises ``OSError`` when the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        bound = runner.addresses[0]
        yield f"http://{host}:{bound[1]}"
    finally:
        await runner.cleanup()


@web.middleware
async def _unknown_paths(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What no vendor serves is answered in JSON, as the vendors do."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if request.path.startswith("/v3/"):
            return yookassa_refusal(error.status, error.reason)
        return refusal(error.status, error.reason)
