"""The composition root: settings in, one frozen object out that satisfies every slice's needs.

The only importer of providers.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from hamyon.catalog import service as catalog
from hamyon.catalog.service.outages import Outages
from hamyon.catalog.types import CatalogCache
from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock, SystemClock
from hamyon.kit.db import Connection, Pool, in_transaction, open_pool
from hamyon.kit.http import HttpClient
from hamyon.kit.limits import Limit, Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.queue import Handler, Schedule, Waker
from hamyon.kit.redis_link import RedisDown, RedisLink
from hamyon.kit.settings import Settings
from hamyon.kit.signals import Signals
from hamyon.kit.storage import Storage, open_storage
from hamyon.kit.web.permission import Authenticator
from hamyon.kit.web.routing import (
    ADDRESS_LIMIT,
    FAILURES_LIMIT,
    KEY_LIMIT,
    USER_LIMIT,
    VENDOR_LIMIT,
)
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Finding
from hamyon.media.routes import UPLOADS_LIMIT
from hamyon.orders import store as orders_store
from hamyon.orders import tasks as orders_tasks
from hamyon.orders.service.read import Waiting
from hamyon.orders.types import Engine, EventVerifier, JobId, ProductRules, Slots
from hamyon.products.images.rules import ImagesRules
from hamyon.products.images.types import PRODUCT as IMAGES
from hamyon.providers.offline.engine import OfflineEngine
from hamyon.providers.wavespeed.engine import WaveSpeedEngine
from hamyon.rewards import service as rewards
from hamyon.surfaces.admin import schedules as admin_schedules
from hamyon.users.routes.sign_in import SIGN_IN_LIMIT
from hamyon.users.service import operators, people
from hamyon.users.service.authentication import NAMESPACES, DatabaseAuthenticator
from hamyon.users.service.service_keys import environment_keys
from hamyon.users.service.tokens import jwt_secret
from hamyon.users.types import SignIn

OFFLINE: Final = "offline"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class UnfitSettings(Exception):
    """The settings do not fit together; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything that routes and tasks need, built once a process."""

    settings: Settings
    clock: Clock
    pool: Pool
    signals: Signals
    redis: RedisLink | None
    cache: Cache
    catalog: CatalogCache
    limiter: Limiter
    authenticator: Authenticator
    sign_in: SignIn
    storage: Storage
    waker: Waker
    metrics: Metrics
    engines: Mapping[str, Engine]
    verifiers: Mapping[str, EventVerifier]
    rules: Mapping[str, ProductRules]
    outages: Outages
    slots: Slots
    waiting: Waiting
    callback_key: bytes
    started_at: float

    def engine_for(self, name: str) -> Engine:
        """The engine that works for a provider of the catalogue: itself, or the offline one."""
        return self.engines.get(name) or self.engines[OFFLINE]

    def callback_url(self, engine: str, job_id: JobId) -> str | None:
        """Where a provider may tell us about a job; None when nobody can reach us."""
        if self.settings.public_url is None or engine not in self.verifiers:
            return None
        token = self._callback_token(engine, job_id)
        # Paths are logged, queries are not.
        return f"{self.settings.public_url}/api/v1/webhooks/{engine}/{job_id}?token={token}"

    def is_callback(self, engine: str, job_id: JobId, token: str) -> bool:
        """Whether ``token`` is the one that ``callback_url`` gave out."""
        expected = self._callback_token(engine, job_id).encode()
        return hmac.compare_digest(expected, token.encode("utf-8", "replace"))

    def _callback_token(self, engine: str, job_id: JobId) -> str:
        message = f"{engine}\n{job_id}".encode()
        return hmac.digest(self.callback_key, message, hashlib.sha256).hex()[:40]

    async def redis_works(self) -> bool | None:
        """Whether Redis answers; None when none is configured."""
        if self.redis is None:
            return None
        try:
            await self.redis.ping()
        except RedisDown:
            return False
        return True

    async def audit(
        self, connection: Connection | Pool, since: datetime | None = None
    ) -> Sequence[Finding]:
        """Every slice's broken invariants. Empty is sound."""
        return [
            finding
            for look in (ledger.audit, orders_store.audit, rewards.audit)
            for finding in await look(connection, since=since)
        ]

    def handlers(self) -> dict[str, Handler]:
        """What the worker runs, by entry point of the queue."""
        return {**orders_tasks.handlers(self)}

    def schedules(self) -> list[Schedule]:
        """What the worker runs by the clock."""
        return [*orders_tasks.schedules(self), *admin_schedules.schedules(self)]


@asynccontextmanager
async def open_deps(settings: Settings, dsn: str) -> AsyncIterator[Deps]:
    """Open every part over the database ``dsn``, and close them in the opposite order.

    Raises UnfitSettings before anything is opened.
    """
    check(settings)
    secret = jwt_secret(settings)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn, max_size=settings.database_pool_size)
        stack.push_async_callback(pool.close)
        signals = Signals(dsn)
        await signals.start()
        stack.push_async_callback(signals.close)
        redis = _redis(settings)
        if redis is not None:
            stack.push_async_callback(redis.close)
        cache, catalog_cache = _caches(settings, signals, redis)
        stack.push_async_callback(cache.close)
        http = await stack.enter_async_context(HttpClient())
        waker = Waker(pool)
        waker.start()
        stack.push_async_callback(waker.close)
        engines, verifiers = _engines(settings, http, clock)
        sign_in = _sign_in(settings, secret)
        await in_transaction(
            pool,
            operators.ensure_owners,
            settings.admin_telegram_ids,
            first_contacts=sign_in.first_contacts,
            now=clock.now(),
        )
        yield Deps(
            settings=settings,
            clock=clock,
            pool=pool,
            signals=signals,
            redis=redis,
            cache=cache,
            catalog=catalog_cache,
            limiter=Limiter(_limits(settings), redis),
            authenticator=DatabaseAuthenticator(
                pool,
                cache,
                clock,
                jwt_secret=secret,
                environment_keys=environment_keys(settings),
            ),
            sign_in=sign_in,
            storage=open_storage(
                settings.storage_url,
                settings.hamyon_home,
                base_url=settings.base_url,
                signing_key=_derived(secret, "files"),
            ),
            waker=waker,
            metrics=Metrics(),
            engines=engines,
            verifiers=verifiers,
            rules={IMAGES: ImagesRules()},
            outages=Outages(
                pool,
                catalog_cache,
                threshold=settings.breaker_failures,
                open_s=settings.breaker_open_s,
            ),
            slots=Slots(),
            waiting=Waiting(),
            callback_key=_derived(secret, "callbacks"),
            started_at=time.monotonic(),
        )


def check(settings: Settings) -> None:
    """Raises UnfitSettings with one sentence for everything that stops a start."""
    problems = []
    if settings.worker_lease_s < settings.wavespeed_timeout_s + 10:
        problems.append(
            "WORKER_LEASE_S must be at least 10 s longer than WAVESPEED_TIMEOUT_S: a worker whose "
            "lease ends while it waits for the provider would be taken for dead"
        )
    if settings.environment == "production":
        problems += _missing_in_production(settings)
    if problems:
        raise UnfitSettings("; ".join(problems))


def _missing_in_production(settings: Settings) -> list[str]:
    needed = {
        "DATABASE_URL": settings.database_url,
        "JWT_SECRET": settings.jwt_secret,
        "PUBLIC_URL": settings.public_url,
        "WAVESPEED_API_KEY": settings.wavespeed_api_key if IMAGES in settings.products else "-",
    }
    missing = [f"{name} is missing" for name, value in needed.items() if value is None]
    secrets = {
        "JWT_SECRET": settings.jwt_secret,
        "API_KEY": settings.api_key,
        "ADMIN_API_KEY": settings.admin_api_key,
        "BOT_TOKEN": settings.bot_token,
        "WAVESPEED_API_KEY": settings.wavespeed_api_key,
    }
    weak = [
        f"{name} is a placeholder"
        for name, secret in secrets.items()
        if secret is not None and _is_placeholder(secret.get_secret_value())
    ]
    return missing + weak


def _is_placeholder(secret: str) -> bool:
    words = ("change", "example", "placeholder", "secret", "your", "xxx", "test", "demo", "<")
    return len(secret) < 16 or any(word in secret.lower() for word in words)


def _derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two purposes share one."""
    return hmac.digest(secret, f"hamyon {purpose}".encode(), hashlib.sha256)


def _redis(settings: Settings) -> RedisLink | None:
    if settings.redis_url is None:
        return None
    return RedisLink(settings.redis_url.get_secret_value())


def _caches(
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


def _limits(settings: Settings) -> dict[str, Limit]:
    """Named limits. Services act for many people, so a key has ten times what a person has."""
    rps, burst = settings.rate_limit_rps, settings.rate_limit_burst
    return {
        ADDRESS_LIMIT: Limit(rps, burst),
        USER_LIMIT: Limit(rps, burst),
        VENDOR_LIMIT: Limit(rps * 10, burst * 10),
        KEY_LIMIT: Limit(rps * 10, burst * 10),
        FAILURES_LIMIT: Limit(0.1, 20, fail_closed=False),
        SIGN_IN_LIMIT: Limit(1.0, 20, fail_closed=True),
        UPLOADS_LIMIT: Limit(max(rps / 10, 1.0), max(burst // 5, 5)),
    }


def _engines(
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


def _sign_in(settings: Settings, secret: bytes) -> SignIn:
    token = settings.bot_token.get_secret_value() if settings.bot_token else None
    return SignIn(
        bot_token=token,
        jwt_secret=secret,
        proof_ttl_s=settings.init_data_ttl_s,
        access_ttl_s=settings.access_token_ttl_s,
        refresh_ttl_s=settings.refresh_token_ttl_s,
    )
