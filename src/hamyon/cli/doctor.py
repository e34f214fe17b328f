"""``hamyon doctor``: what is set, what works, and what to do about what does not."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import asyncpg
from rich.console import Console
from rich.table import Table

from hamyon import wiring
from hamyon.kit import migrations, postgres, store
from hamyon.kit.clock import SystemClock
from hamyon.kit.db import connect
from hamyon.kit.http import HttpClient, HttpFailure
from hamyon.kit.redis_link import RedisDown, RedisLink
from hamyon.kit.settings import Settings
from hamyon.kit.storage import StorageFailed, open_storage
from hamyon.payments.types import STARS, Unclear
from hamyon.surfaces.bot.webhook import webhook_url
from hamyon.users.service.tokens import SECRET_BYTES_MIN

DISK_BYTES_MIN: Final = 1 << 30
YOOKASSA: Final = "yookassa"
Mark = Literal["ok", "note", "bad"]
COLORS: Final[dict[Mark, str]] = {"ok": "green", "note": "yellow", "bad": "red"}


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of one part. ``bad`` stops a start or a promise; a ``note`` does not."""

    mark: Mark
    sentence: str


Check = Callable[[Settings], Awaitable[Word]]


async def doctor(settings: Settings) -> None:
    """Print one line a part; exit with 1 when one is bad."""
    checks: dict[str, Check] = {
        "settings": _settings,
        "port": _port,
        "disk": _disk,
        "database": _database,
        "redis": _redis,
        "storage": _storage,
        "wavespeed": _wavespeed,
        "webhooks": _webhooks,
        "telegram": _telegram,
        "stars": _stars,
        "yookassa": _yookassa,
        "sign-in": _sign_in,
        "keys": _keys,
    }
    table = Table("part", "state", "what it means")
    words = []
    for name, check in checks.items():
        word = await check(settings)
        words.append(word)
        table.add_row(name, f"[{COLORS[word.mark]}]{word.mark}[/]", word.sentence)
    Console().print(table)
    if any(word.mark == "bad" for word in words):
        sys.exit(1)


async def _settings(settings: Settings) -> Word:
    try:
        wiring.check(settings)
    except wiring.UnfitSettings as unfit:
        return Word("bad", str(unfit))
    secret = settings.jwt_secret
    if secret is not None and len(secret.get_secret_value().encode()) < SECRET_BYTES_MIN:
        return Word("bad", f"JWT_SECRET must have at least {SECRET_BYTES_MIN} bytes")
    return Word("ok", f"{settings.environment}, products: {', '.join(settings.products)}")


async def _port(settings: Settings) -> Word:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except socket.gaierror as error:
            return Word("bad", f"HOST {settings.host} is no address of this machine: {error}")
        except OSError as error:
            return Word(
                "note",
                f"{settings.host}:{settings.port} is taken ({error.strerror}): "
                "the service runs already, or set PORT",
            )
    return Word("ok", f"{settings.host}:{settings.port} is free")


async def _disk(settings: Settings) -> Word:
    home = settings.hamyon_home
    existing = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Word("bad", f"{existing} is not writable; let HAMYON_HOME name another folder")
    free = shutil.disk_usage(existing).free
    sentence = f"{free / (1 << 30):.1f} GiB free for {home}"
    return Word("ok" if free >= DISK_BYTES_MIN else "bad", sentence)


async def _database(settings: Settings) -> Word:
    if settings.database_url is None:
        return await _embedded(settings)
    try:
        connection = await connect(settings.database_url.get_secret_value(), role=None)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        return Word("bad", f"DATABASE_URL does not connect: {error}")
    try:
        await store.database_time(connection)
        current = await migrations.current(connection)
    finally:
        await connection.close()
    if current != migrations.head():
        return Word(
            "note",
            f"at {current or 'nothing'}, the newest is {migrations.head()}: run `hamyon migrate`",
        )
    return Word("ok", f"answers, at version {current}")


async def _embedded(settings: Settings) -> Word:
    folder = settings.hamyon_home / "postgres"
    hint = f"embedded, in {folder}; set DATABASE_URL for one of your own"
    if not folder.exists():
        return Word("ok", f"{hint}; made at the first start")
    try:
        running = await postgres.attach(settings.hamyon_home, timeout_s=5)
    except postgres.PostgresError as error:
        return Word("bad", str(error))
    return Word("ok", f"{hint}; " + (f"runs on port {running.port}" if running else "at rest"))


async def _redis(settings: Settings) -> Word:
    if settings.redis_url is None:
        return Word("note", "REDIS_URL is not set: limits are counted by each process for itself")
    link = RedisLink(settings.redis_url.get_secret_value())
    try:
        await link.ping()
    except RedisDown as error:
        return Word("bad", f"REDIS_URL does not answer: {error}")
    finally:
        await link.close()
    return Word("ok", "answers")


async def _storage(settings: Settings) -> Word:
    try:
        storage = open_storage(
            settings.storage_url,
            settings.hamyon_home,
            base_url=settings.base_url,
            signing_key=b"only for this check",
        )
        await storage.check()
    except (StorageFailed, ValueError, OSError) as error:
        return Word("bad", str(error))
    return Word("ok", settings.storage_url or f"the folder {settings.hamyon_home / 'files'}")


async def _wavespeed(settings: Settings) -> Word:
    if settings.wavespeed_api_key is None:
        return Word("note", "WAVESPEED_API_KEY is not set: pictures are made offline and say so")
    async with HttpClient() as http:
        engine = wiring.wavespeed(settings, http, SystemClock())
        try:
            balance = await engine.balance_micro_usd()
        except HttpFailure as error:
            return Word("bad", f"{settings.wavespeed_api_base_url}: {error}")
    if balance is None:
        return Word("bad", "the key was refused; make one after the first top-up")
    return Word("ok" if balance > 0 else "bad", f"balance {balance / 1e6:.2f} USD")


async def _webhooks(settings: Settings) -> Word:
    if settings.public_url is None:
        return Word("note", "PUBLIC_URL is not set: providers are asked instead of telling us")
    return Word("ok", settings.public_url)


async def _telegram(settings: Settings) -> Word:
    if settings.bot_token is None:
        return Word("note", "BOT_TOKEN is not set: there is no bot")
    if settings.bot_mode == "webhook" and webhook_url(settings) is None:
        return Word("bad", "BOT_MODE=webhook needs a PUBLIC_URL that starts with https://")
    async with HttpClient() as http:
        bot = wiring.bot(settings, http)
        assert bot is not None, "there is a BOT_TOKEN"
        username = await bot.get_me()
    if not isinstance(username, str):
        return Word("bad", f"{settings.telegram_api_base_url}: {username.description}")
    wanted = settings.telegram_bot_username
    if wanted is not None and wanted != username:
        return Word("bad", f"BOT_TOKEN is @{username}'s, TELEGRAM_BOT_USERNAME is {wanted}")
    return Word("ok", f"@{username}, updates by {settings.bot_mode}")


async def _stars(settings: Settings) -> Word:
    if settings.bot_token is None:
        return Word("note", "BOT_TOKEN is not set: nobody can pay with Stars")
    if not settings.stars_enabled:
        return Word("note", "STARS_ENABLED is false: none are sold, paid ones are still credited")
    return await _gateway(settings, STARS)


async def _yookassa(settings: Settings) -> Word:
    needed = {
        "YOOKASSA_SHOP_ID": settings.yookassa_shop_id,
        "YOOKASSA_SECRET_KEY": settings.yookassa_secret_key,
    }
    missing = [name for name, value in needed.items() if value is None]
    if len(missing) == 1:
        return Word("bad", f"{missing[0]} is not set, the other half of the key is")
    if missing:
        return Word("note", f"{' and '.join(missing)} are not set: nobody can pay in roubles")
    return await _gateway(settings, YOOKASSA)


async def _gateway(settings: Settings, name: str) -> Word:
    """Whether the vendor shows us its books, which takes a working key and moves nothing."""
    clock = SystemClock()
    async with HttpClient() as http:
        found = wiring.gateways(settings, http, clock, b"only for this check").get(name)
        if found is None:
            return Word("bad", "its settings are there, and it is not connected")
        now = clock.now()
        listed = await found.books(now - timedelta(minutes=1), now, None)
    if isinstance(listed, Unclear):
        return Word("bad", listed.reason)
    return Word("ok", "answers; takes " + found.currency)


async def _sign_in(settings: Settings) -> Word:
    if settings.bot_token is None:
        return Word("note", "BOT_TOKEN is not set: people cannot sign in, services still can")
    return Word("ok", "people sign in with Telegram")


async def _keys(settings: Settings) -> Word:
    if settings.api_key is None and settings.environment == "local":
        where = settings.hamyon_home / "api_key"
        return Word("ok", f"API_KEY is not set: one of its own lies in {where}")
    if settings.api_key is None:
        return Word("note", "API_KEY is not set: make keys with `hamyon keys create NAME`")
    return Word("ok", "API_KEY is set")
