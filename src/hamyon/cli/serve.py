"""One supervised start of whatever roles a process plays."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import uvicorn
from rich.console import Console
from rich.panel import Panel

from hamyon import __version__
from hamyon.cli import parts
from hamyon.cli.failure import Failure
from hamyon.kit import log, postgres
from hamyon.kit.settings import Settings
from hamyon.payments.types import STARS
from hamyon.surfaces.bot.run import create_bot
from hamyon.surfaces.bot.webhook import webhook_url
from hamyon.surfaces.http.app import create_app
from hamyon.surfaces.worker.run import create_worker
from hamyon.wiring import Deps

STOP_S: Final = 15.0
"""How long work in hand may take after Ctrl-C before it is left to the next start."""
BACKLOG: Final = 2048
SANDBOX_PERSON: Final = 777
GC_THRESHOLDS: Final = (20_000, 20, 20)


@dataclass(frozen=True, slots=True)
class Roles:
    """What a process does."""

    api: bool = False
    worker: bool = False
    bot: bool = False
    """Where ``BOT_TOKEN`` is set."""
    banner: bool = False


async def serve(settings: Settings, roles: Roles, *, sandbox: bool = False) -> None:
    """Run until SIGINT or SIGTERM, then stop cleanly. Raises Failure for a port that is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with running(settings, roles, sandbox=sandbox) as ready:
        if roles.banner and not stop.is_set():
            _banner(ready)
            if sandbox:
                _invite(ready.settings)
        stopping = asyncio.create_task(_until(stop), name="stop")
        done, _ = await asyncio.wait({stopping, *ready.tasks}, return_when=asyncio.FIRST_COMPLETED)
        if stopping not in done:
            stopping.cancel()
            raise Failure(_why_ended(done))
        if roles.banner:
            Console().print("\nStopping; work in hand is finished first.")


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


def _why_ended(tasks: set[asyncio.Task[None]]) -> str:
    """A part that ends by itself takes the process with it, so that its supervisor starts anew."""
    ended = next(iter(tasks))
    error = ended.exception()
    why = "" if error is None else f" ({str(error) or type(error).__name__})"
    return f"the {ended.get_name()} ended by itself{why}; start again, nothing is lost"


@dataclass(frozen=True, slots=True)
class Running:
    """What was started, with the settings that hold for it."""

    settings: Settings
    deps: Deps
    tasks: tuple[asyncio.Task[None], ...]
    """Each part's; none should end by itself."""


@asynccontextmanager
async def running(
    settings: Settings, roles: Roles, *, sandbox: bool = False
) -> AsyncIterator[Running]:
    """Everything that the roles need, started, and stopped again in the opposite order."""
    async with AsyncExitStack() as stack:
        listener = _listener(settings) if roles.api else None
        if listener is not None:
            stack.callback(listener.close)
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        if sandbox:
            settings = await stack.enter_async_context(parts.sandbox(settings))
        if roles.bot:
            _check_bot(settings)
        settings = parts.with_local_keys(settings)
        log.configure(settings, release=__version__)
        found = await stack.enter_async_context(parts.database(settings))
        deps = await stack.enter_async_context(parts.deps(settings, found.application))
        tasks: list[asyncio.Task[None]] = []
        if found.server is not None:
            tasks.append(asyncio.create_task(_watch(found.server), name="embedded database"))
            stack.callback(tasks[-1].cancel)
        if roles.worker:
            worker = create_worker(deps)
            tasks.append(asyncio.create_task(worker.run(), name="worker"))
            stack.push_async_callback(_stop, worker, tasks[-1])
        if listener is not None:
            server = _Server(_config(deps))
            tasks.append(asyncio.create_task(server.serve([listener]), name="api"))
            stack.push_async_callback(_stop_server, server, tasks[-1])
            await _listening(server, tasks[-1])
        if roles.bot and deps.bot is not None:
            bot = create_bot(deps)
            tasks.append(asyncio.create_task(bot.run(), name="bot"))
            stack.push_async_callback(_stop, bot, tasks[-1])
        # What was made so far stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield Running(settings, deps, tuple(tasks))


def _check_bot(settings: Settings) -> None:
    """Raises Failure for a webhook that Telegram could not reach."""
    wants_webhook = settings.bot_token is not None and settings.bot_mode == "webhook"
    if wants_webhook and webhook_url(settings) is None:
        raise Failure(
            "BOT_MODE=webhook needs a PUBLIC_URL that starts with https://; set it, or "
            "BOT_MODE=polling"
        )


async def _watch(server: postgres.Running) -> None:
    """Returns when the embedded database ends, which only we should make it do."""
    await server.wait()


class _Server(uvicorn.Server):
    """Leaves the signals to the supervisor, which stops the worker, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(deps: Deps) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(deps),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(STOP_S),
    )


def _listener(settings: Settings) -> socket.socket:
    """Bound before anything is started, so that a taken port is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY on the connections of a listener that says TCP, and on no other:
    # without it every answer of two pieces waits 40 ms for the client's delayed ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Failure(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "stop what uses the port, or set PORT to another one"
        ) from None
    return listener


async def _listening(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.005)
    if task.done():
        task.result()


async def _stop_server(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    server.should_exit = True
    await _finished(task)


class _Part(Protocol):
    def stop(self) -> None:
        """Take nothing more; its task ends when what is in hand is done."""
        ...


async def _stop(part: _Part, task: asyncio.Task[None]) -> None:
    part.stop()
    await _finished(task)


async def _finished(task: asyncio.Task[None]) -> None:
    """Wait for a part; one that takes too long is cut off, and its work is found again later."""
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(STOP_S):
            await task


def _banner(ready: Running) -> None:
    settings = ready.settings
    at = parts.address(settings)
    engines = ", ".join(sorted(ready.deps.engines))
    lines = [
        f"[bold]Documentation[/]  {at}/docs",
        f"[bold]Health[/]         {at}/health",
        f"[bold]Engines[/]        {engines}",
        f"[bold]Files[/]          {settings.hamyon_home.resolve()}",
    ]
    if ready.deps.bot is not None:
        lines.append(f"[bold]Bot[/]            {_bot_line(settings)}")
    lines += ["", "A person, the first picture, which is free, and where it lies:"]
    key = settings.api_key.get_secret_value() if settings.api_key else "YOUR_API_KEY"
    picture = {"telegram_id": 777, "model": "seedream-v4", "prompt": "a fox in the snow"}
    curl = [
        *_post(at, key, "/users/sync", {"telegram_id": 777, "first_name": "Ali"}),
        *_post(at, key, "/generations/submit", picture),
        f"curl -s '{at}/api/v1/generations?telegram_id=777' -H 'api-key: {key}'",
    ]
    console = Console()
    console.print(Panel("\n".join(lines), title=f"Hamyon {__version__}", expand=False))
    # Printed bare, so that the lines can be copied.
    console.print("\n".join(curl), highlight=False, markup=False, soft_wrap=True)
    buying = _buying(ready, at, key)
    if buying:
        console.print("\nBuy credits: each answer has a link to pay at.")
        console.print("\n".join(buying), highlight=False, markup=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything.")


def _invite(settings: Settings) -> None:
    """The bot of the sandbox in a browser, opened where there is a screen."""
    person = parts.chat_page(settings, SANDBOX_PERSON)
    operator = parts.chat_page(settings, settings.admin_telegram_ids[0])
    console = Console()
    console.print("\nChat with the bot in a browser, as a person and as an operator (/admin):")
    console.print(f"{person}\n{operator}", highlight=False, markup=False, soft_wrap=True)
    has_screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if sys.stdout.isatty() and has_screen:
        webbrowser.open(person)


def _bot_line(settings: Settings) -> str:
    name = f"@{settings.telegram_bot_username}, " if settings.telegram_bot_username else ""
    return f"{name}by {settings.bot_mode}"


def _buying(ready: Running, at: str, key: str) -> list[str]:
    """How to buy at every gateway that can sell now."""
    connected = {name for name, found in ready.deps.gateways.items() if found.is_connected}
    lines: list[str] = []
    if STARS in connected and ready.settings.stars_enabled:
        lines += _post(at, key, "/payments/stars/invoice", {"telegram_id": 777, "stars": 70})
    for gateway in sorted(connected - {STARS}):
        wish = {"telegram_id": 777, "gateway": gateway, "package": "credits_1000"}
        lines += _post(at, key, "/payments/checkout", wish)
    return lines


def _post(at: str, key: str, path: str, body: dict[str, object]) -> list[str]:
    """A line for a terminal, in three of its lines."""
    return [
        f"curl -s {at}/api/v1{path} -H 'api-key: {key}' \\",
        "  -H 'content-type: application/json' \\",
        f"  -d '{json.dumps(body)}'",
    ]
