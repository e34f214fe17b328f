"""The parts that wiring builds out of settings: caches, limits, engines, gateways."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hamyon.catalog import service as catalog
from hamyon.catalog.types import CatalogCache
from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.http import HttpClient
from hamyon.kit.limits import Limit
from hamyon.kit.redis_link import RedisLink
from hamyon.kit.settings import Settings
from hamyon.kit.signals import Signals
from hamyon.kit.storage import Storage
from hamyon.kit.web.routing import (
    ADDRESS_LIMIT,
    FAILURES_LIMIT,
    KEY_LIMIT,
    USER_LIMIT,
    VENDOR_LIMIT,
)
from hamyon.media.routes import UPLOADS_LIMIT
from hamyon.messages.types import Sender
from hamyon.orders.types import Engine, EventVerifier
from hamyon.payments.types import Gateway, GatewayFactory, GatewayParts
from hamyon.providers.offline.engine import OfflineEngine
from hamyon.providers.stars.gateway import gateway as stars
from hamyon.providers.telegram.api import BotApi
from hamyon.providers.telegram.client import TelegramBot
from hamyon.providers.telegram.sender import TelegramSender
from hamyon.providers.wavespeed.engine import WaveSpeedEngine
from hamyon.providers.yookassa.gateway import gateway as yookassa
from hamyon.surfaces.admin import schedules as admin_schedules
from hamyon.surfaces.bot.types import CHAT_LIMIT, PHOTOS_LIMIT, TOLD_LIMIT
from hamyon.users.routes.sign_in import SIGN_IN_LIMIT
from hamyon.users.service import people
from hamyon.users.service.authentication import NAMESPACES

if TYPE_CHECKING:
    from hamyon.wiring.chats import ChatParts

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

GATEWAYS: list[GatewayFactory] = [
    stars,
    yookassa,
]
"""Every way to pay: one line each."""


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two purposes share one."""
    return hmac.digest(secret, f"hamyon {purpose}".encode(), hashlib.sha256)


def open_redis(settings: Settings) -> RedisLink | None:
    if settings.redis_url is None:
        return None
    return RedisLink(settings.redis_url.get_secret_value())


def open_caches(
    settings: Settings, signals: Signals, redis: RedisLink | None
) -> tuple[Cache, CatalogCache]:
    models = catalog.models_namespace(settings.catalog_cache_s)
    namespaces = (
        *NAMESPACES,
        people.profiles(settings.profile_cache_s),
        models,
        catalog.PROVIDERS,
        admin_schedules.statistics_namespace(settings.statistics_cache_s),
    )
    cache = Cache(signals, namespaces, redis)
    return cache, CatalogCache(cache, models, catalog.PROVIDERS)


def limits(settings: Settings) -> dict[str, Limit]:
    """Named limits. Services act for many people, so a key has ten times what a person has."""
    rps, burst = settings.rate_limit_rps, settings.rate_limit_burst
    return {
        ADDRESS_LIMIT: Limit(rps, burst),
        USER_LIMIT: Limit(rps, burst),
        VENDOR_LIMIT: Limit(rps * 10, burst * 10),
        KEY_LIMIT: Limit(rps * 10, burst * 10),
        FAILURES_LIMIT: Limit(0.1, 20, fail_closed=False),
        SIGN_IN_LIMIT: Limit(1.0, 20, fail_closed=True),
        CHAT_LIMIT: Limit(2.0, 20),
        PHOTOS_LIMIT: Limit(10.0, 100),
        TOLD_LIMIT: Limit(0.1, 1),
        UPLOADS_LIMIT: Limit(max(rps / 10, 1.0), max(burst // 5, 5)),
    }


def engines(
    settings: Settings, http: HttpClient, clock: Clock
) -> tuple[dict[str, Engine], dict[str, EventVerifier]]:
    offline: Engine = OfflineEngine()
    engines = {offline.name: offline}
    verifiers: dict[str, EventVerifier] = {}
    if settings.wavespeed_api_key is not None:
        online = wavespeed(settings, http, clock)
        engines[online.name] = online
        verifiers[online.name] = online
    return engines, verifiers


def wavespeed(settings: Settings, http: HttpClient, clock: Clock) -> WaveSpeedEngine:
    """The engine over WaveSpeed; its key must be set."""
    assert settings.wavespeed_api_key is not None
    return WaveSpeedEngine(
        http,
        clock,
        api_key=settings.wavespeed_api_key.get_secret_value(),
        base_url=settings.wavespeed_api_base_url,
        public_url=settings.public_url,
        allow_http_callbacks=_is_sandbox(settings),
        timeout_s=settings.wavespeed_timeout_s,
    )


def _is_sandbox(settings: Settings) -> bool:
    """A provider on this very machine may call us back without https."""
    provider = urlsplit(settings.wavespeed_api_base_url).hostname
    us = urlsplit(settings.public_url or "").hostname
    return provider in LOOPBACK and us in LOOPBACK


def gateways(
    settings: Settings, http: HttpClient, clock: Clock, secret: bytes
) -> dict[str, Gateway]:
    """Every way to pay whose settings are there, by name."""
    parts = GatewayParts(settings, http, clock, derived(secret, "payments"))
    built = [factory(parts) for factory in GATEWAYS]
    return {gateway.name: gateway for gateway in built if gateway is not None}


def chats(
    settings: Settings, http: HttpClient, pool: Pool, storage: Storage, catalog_cache: CatalogCache
) -> ChatParts | None:
    """Everything that talks with people for the bot of ``BOT_TOKEN``; None without one."""
    if settings.bot_token is None:
        return None
    from hamyon.wiring.chats import open_chats

    return open_chats(settings, http, pool, storage, catalog_cache)


def senders(settings: Settings, http: HttpClient, storage: Storage) -> dict[str, Sender]:
    """Every channel whose settings are there, by name."""
    api = _bot_api(settings, http)
    sender = TelegramSender(api, storage) if api is not None else None
    return {sender.channel: sender} if sender is not None else {}


def bot(settings: Settings, http: HttpClient) -> TelegramBot | None:
    """The bot that ``BOT_TOKEN`` names; None without one."""
    api = _bot_api(settings, http)
    return TelegramBot(api) if api is not None else None


def _bot_api(settings: Settings, http: HttpClient) -> BotApi | None:
    if settings.bot_token is None:
        return None
    return BotApi(
        http,
        token=settings.bot_token.get_secret_value(),
        base_url=settings.telegram_api_base_url,
        timeout_s=settings.telegram_timeout_s,
    )
