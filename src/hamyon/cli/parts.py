"""What several commands start: the database with its migrations, the sandbox, keys for a laptop."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from hamyon.kit import postgres
from hamyon.kit.http import HttpClient, HttpFailure
from hamyon.kit.migrations import MigrationError, migrate
from hamyon.kit.settings import Settings
from hamyon.wiring import UnfitSettings

KNOWN_FAILURES: Final = (MigrationError, postgres.PostgresError, UnfitSettings)
SANDBOX_KEY: Final = "sandbox-key"
SANDBOX_START_S: Final = 10.0


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The application's DSN of a database at the newest version; embedded when none is set."""
    if settings.database_url is not None:
        application = settings.database_url.get_secret_value()
        owner = settings.migrations_database_url
        if settings.run_migrations:
            await migrate(owner.get_secret_value() if owner else application)
        yield application
        return
    server = await postgres.start(settings.hamyon_home)
    try:
        if settings.run_migrations:
            await migrate(server.owner_dsn)
        yield server.application_dsn
    finally:
        await server.stop()


def with_local_keys(settings: Settings) -> Settings:
    """On a laptop without keys: random ones, kept in ``HAMYON_HOME``, so that curl lines work."""
    if settings.environment != "local":
        return settings
    found = {
        name: SecretStr(kept_secret(settings.hamyon_home / name, prefix))
        for name, prefix in (("api_key", "hk"), ("admin_api_key", "hk_admin"))
        if getattr(settings, name) is None
    }
    return settings.model_copy(update=found)


def kept_secret(path: Path, prefix: str) -> str:
    """A secret out of a file that only its owner may read; made at the first time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    secret = f"{prefix}_{secrets.token_urlsafe(24)}"
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    return secret


@asynccontextmanager
async def sandbox(settings: Settings) -> AsyncIterator[Settings]:
    """The vendors' simulators in a process of their own, and settings that point at them."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--port", str(port), stdout=asyncio.subprocess.DEVNULL
    )
    base_url = f"http://127.0.0.1:{port}"
    try:
        await _answers(f"{base_url}/_control/stats", process)
        yield settings.model_copy(
            update={
                "wavespeed_api_base_url": base_url,
                "wavespeed_api_key": SecretStr(SANDBOX_KEY),
                "public_url": settings.public_url or f"http://127.0.0.1:{settings.port}",
            }
        )
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with HttpClient() as http:
        for _ in range(int(SANDBOX_START_S / 0.1)):
            if process.returncode is not None:
                break
            try:
                await http.request("GET", url, timeout_s=1.0, limit_bytes=1 << 20)
            except HttpFailure:
                await asyncio.sleep(0.1)
            else:
                return
    raise UnfitSettings("the sandbox did not start; run `python -m sandbox` to see why")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
