"""What several commands start: the database with its migrations, the sandbox, keys for a laptop."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from pydantic import SecretStr

from hamyon.cli.failure import Failure
from hamyon.kit import postgres
from hamyon.kit.http import HttpClient, HttpFailure
from hamyon.kit.migrations import MigrationError, migrate
from hamyon.kit.settings import Settings
from hamyon.kit.storage import StorageFailed
from hamyon.wiring import Deps, UnfitSettings, open_deps

KNOWN_FAILURES: Final = (MigrationError, postgres.PostgresError, UnfitSettings)
SANDBOX_KEY: Final = "sandbox-key"
SANDBOX_BOT_TOKEN: Final = "777000:sandbox-token-0123456789abcdefghijk"  # noqa: S105 -- it opens nothing
SANDBOX_BOT: Final = "hamyon_sandbox_bot"
SANDBOX_OPERATOR: Final = 1
SANDBOX_SHOP: Final = "100500"
SANDBOX_START_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Logins:
    """Two doors to one database: the application's, and the owner's for migrations."""

    application: str
    owner: str
    server: postgres.Running | None = None
    """The embedded server, when this process runs it."""


@asynccontextmanager
async def logins(settings: Settings, *, beside: bool = False) -> AsyncIterator[Logins]:
    """The configured database, else the embedded one, which is started and stopped again.

    ``beside``: when a service of ours runs the embedded one already, use it. Raises PostgresError.
    """
    if settings.database_url is not None:
        application = settings.database_url.get_secret_value()
        owner = settings.migrations_database_url
        yield Logins(application, owner.get_secret_value() if owner else application)
        return
    home = usable_home(settings)
    other = await postgres.attach(home) if beside else None
    if other is not None:
        yield Logins(other.application_dsn, other.owner_dsn)
        return
    server = await postgres.start(home)
    try:
        yield Logins(server.application_dsn, server.owner_dsn, server)
    finally:
        await server.stop()


@asynccontextmanager
async def database(settings: Settings, *, beside: bool = False) -> AsyncIterator[Logins]:
    """The logins of a database at the newest version, as ``logins`` finds it."""
    async with logins(settings, beside=beside) as found:
        if settings.run_migrations:
            await migrate(found.owner)
        yield found


@asynccontextmanager
async def deps(settings: Settings, dsn: str) -> AsyncIterator[Deps]:
    """``open_deps``; what keeps it from opening is a Failure that names the setting."""
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(open_deps(settings, dsn))
        except (
            asyncpg.UndefinedObjectError,
            asyncpg.UndefinedTableError,
            asyncpg.InvalidParameterValueError,
        ) as error:
            raise Failure(
                f"the database has no tables of ours yet ({error}): run `hamyon migrate`, or leave "
                "RUN_MIGRATIONS on"
            ) from None
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            ConnectionError,
            socket.gaierror,
            TimeoutError,
        ) as error:
            raise Failure(
                f"DATABASE_URL cannot be used: {str(error) or type(error).__name__}"
            ) from None
        except (StorageFailed, OSError, ValueError) as error:
            raise Failure(f"cannot start: {error}") from None
        yield opened


def usable_home(settings: Settings) -> Path:
    """``HAMYON_HOME``, made if it is missing. Raises Failure when nobody can write there."""
    home = settings.hamyon_home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(_not_writable(home, error)) from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise Failure(_not_writable(home, None))
    return home


def _not_writable(home: Path, error: OSError | None) -> str:
    why = (error.strerror if error else None) or "permission denied"
    return (
        f"cannot write to {home.absolute()} ({why}): make it writable, or let HAMYON_HOME name "
        "another folder"
    )


def with_local_keys(settings: Settings) -> Settings:
    """On a laptop without keys: random ones, kept in ``HAMYON_HOME``, so that curl lines work."""
    if settings.environment != "local":
        return settings
    found = {
        name: SecretStr(kept_secret(usable_home(settings) / name, prefix))
        for name, prefix in (("api_key", "hk"), ("admin_api_key", "hk_admin"))
        if getattr(settings, name) is None
    }
    return settings.model_copy(update=found)


def kept_secret(path: Path, prefix: str) -> str:
    """A secret out of a file that only its owner may read; made at the first time."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        try:
            return path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise Failure(
                f"cannot read {path.absolute()} ({error.strerror}): it belongs to the user who "
                "started Hamyon first"
            ) from None
    secret = f"{prefix}_{secrets.token_urlsafe(24)}"
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    return secret


@asynccontextmanager
async def sandbox(settings: Settings) -> AsyncIterator[Settings]:
    """The vendors' simulators in a process of their own, and settings that point at them.

    Raises Failure in production, where real people would get a simulator's pictures.
    """
    if settings.environment == "production":
        raise Failure("--sandbox plays the vendors; it is not for ENVIRONMENT=production")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        # Ctrl-C reaches the whole foreground group; the sandbox ends after those who still call it.
        start_new_session=True,
    )
    base_url = f"http://127.0.0.1:{port}"
    ours = settings.public_url or f"http://127.0.0.1:{settings.port}"
    try:
        await _tell(base_url, ours, process)
        operators = settings.admin_telegram_ids or (SANDBOX_OPERATOR,)
        update = {"public_url": ours, "admin_telegram_ids": operators, **_vendors(base_url)}
        yield settings.model_copy(update=update)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _vendors(base_url: str) -> dict[str, object]:
    """Settings of vendors that are played at ``base_url``; the simulators know these keys."""
    return {
        "wavespeed_api_base_url": base_url,
        "wavespeed_api_key": SecretStr(SANDBOX_KEY),
        "bot_token": SecretStr(SANDBOX_BOT_TOKEN),
        "bot_mode": "polling",
        "telegram_bot_username": SANDBOX_BOT,
        "telegram_api_base_url": base_url,
        "yookassa_shop_id": SANDBOX_SHOP,
        "yookassa_secret_key": SecretStr(SANDBOX_KEY),
        "yookassa_api_base_url": base_url,
        "yookassa_notification_networks": ("127.0.0.0/8", "::1/128"),
    }


def chat_page(settings: Settings, user_id: int) -> str:
    """Where a person chats with the bot of the sandbox in a browser."""
    return f"{settings.telegram_api_base_url}/telegram/chat?user={user_id}"


async def _tell(base_url: str, ours: str, process: asyncio.subprocess.Process) -> None:
    """Where the simulators find us, as soon as they listen. Raises Failure."""
    wanted = {"yookassa": {"notification_url": f"{ours}/payments/yookassa/notification"}}
    async with HttpClient() as http:
        for _ in range(int(SANDBOX_START_S / 0.1)):
            if process.returncode is not None:
                break
            try:
                answer = await http.request(
                    "POST",
                    f"{base_url}/_control/settings",
                    json=wanted,
                    timeout_s=1.0,
                    limit_bytes=1 << 20,
                )
            except HttpFailure:
                await asyncio.sleep(0.1)
                continue
            if answer.status == 200:
                return
            raise Failure(f"the sandbox does not take its settings: {answer.body.decode()}")
    raise Failure("the sandbox did not start; run `python -m sandbox` to see why")


def address(settings: Settings) -> str:
    """Where this machine reaches the API, whatever ``PUBLIC_URL`` says."""
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- asked about, not bound
    host = every.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
