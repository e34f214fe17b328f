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
from typing import TYPE_CHECKING, Final

from hamyon.catalog.service.outages import Outages
from hamyon.catalog.types import CatalogCache
from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock, SystemClock
from hamyon.kit.db import Connection, Pool, in_transaction, open_pool
from hamyon.kit.http import HttpClient
from hamyon.kit.limits import Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.queue import Companion, Handler, Schedule, Waker
from hamyon.kit.redis_link import RedisDown, RedisLink
from hamyon.kit.settings import Settings
from hamyon.kit.signals import Signals
from hamyon.kit.storage import Storage, open_storage
from hamyon.kit.web.permission import Authenticator
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Finding
from hamyon.messages import tasks as messages_tasks
from hamyon.messages.service.pump import Pump
from hamyon.messages.types import Composer, Sender
from hamyon.orders import store as orders_store
from hamyon.orders import tasks as orders_tasks
from hamyon.orders.service.read import Waiting
from hamyon.orders.types import Engine, EventVerifier, JobId, ProductRules, Slots
from hamyon.payments import tasks as payments_tasks
from hamyon.payments.service import audit as payments_audit
from hamyon.payments.types import Gateway
from hamyon.products.images.rules import ImagesRules
from hamyon.products.images.types import PRODUCT as IMAGES
from hamyon.rewards import service as rewards
from hamyon.rewards import tasks as rewards_tasks
from hamyon.rewards.service.joins import JoinBonus
from hamyon.rewards.types import ReferralTerms
from hamyon.surfaces.admin import schedules as admin_schedules
from hamyon.surfaces.bot.leftovers import Leftovers
from hamyon.surfaces.bot.types import BotClient, Conversations
from hamyon.users.service import operators
from hamyon.users.service.authentication import DatabaseAuthenticator
from hamyon.users.service.service_keys import environment_keys
from hamyon.users.service.tokens import jwt_secret
from hamyon.users.types import SegmentSource, SignIn
from hamyon.wiring.fit import check
from hamyon.wiring.parts import (
    bot,
    chats,
    derived,
    engines,
    gateways,
    limits,
    open_caches,
    open_redis,
    senders,
)
from hamyon.wiring.segments import SEGMENT_SOURCES

if TYPE_CHECKING:
    from hamyon.wiring.chats import ChatParts

OFFLINE: Final = "offline"
CHATS_CLOSE_S: Final = 10.0
"""How long answers in hand may take at the end."""


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
    gateways: Mapping[str, Gateway]
    bot: BotClient | None
    bot_secret: str
    chats: ChatParts | None
    senders: Mapping[str, Sender]
    segment_sources: Sequence[SegmentSource]
    outages: Outages
    slots: Slots
    waiting: Waiting
    callback_key: bytes
    started_at: float

    @property
    def conversations(self) -> Conversations | None:
        """Who talks with people; None without a bot."""
        return self.chats.conversations if self.chats is not None else None

    @property
    def composers(self) -> Mapping[str, Composer]:
        """Who writes letters that are more than a sentence, by kind of notice."""
        return self.chats.composers if self.chats is not None else {}

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
            for look in (
                ledger.audit,
                orders_store.audit,
                rewards.audit,
                payments_audit.audit,
            )
            for finding in await look(connection, since=since)
        ]

    def handlers(self) -> dict[str, Handler]:
        """What the worker runs, by entry point of the queue."""
        return {
            **orders_tasks.handlers(self),
            **payments_tasks.handlers(self),
            **messages_tasks.handlers(self),
            **(self.chats.handlers(self) if self.chats is not None else {}),
        }

    def schedules(self) -> list[Schedule]:
        """What the worker runs by the clock."""
        return [
            *orders_tasks.schedules(self),
            *payments_tasks.schedules(self),
            *rewards_tasks.schedules(self),
            *messages_tasks.schedules(self),
            *(self.chats.schedules(self) if self.chats is not None else ()),
            *admin_schedules.schedules(self),
        ]

    def companions(self) -> Sequence[Companion]:
        """What a worker runs beside its queue."""
        return [
            Pump(self),
            *([Leftovers(self, self.chats.conversations)] if self.chats is not None else ()),
        ]


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
        redis = open_redis(settings)
        if redis is not None:
            stack.push_async_callback(redis.close)
        cache, catalog_cache = open_caches(settings, signals, redis)
        stack.push_async_callback(cache.close)
        http = await stack.enter_async_context(HttpClient())
        # A Telegram that hangs must not hold the connections that orders need.
        telegram_http = await stack.enter_async_context(HttpClient())
        waker = Waker(pool)
        waker.start()
        stack.push_async_callback(waker.close)
        built_engines, verifiers = engines(settings, http, clock)
        storage = open_storage(
            settings.storage_url,
            settings.hamyon_home,
            base_url=settings.base_url,
            signing_key=derived(secret, "files"),
        )
        chat_parts = chats(settings, telegram_http, pool, storage, catalog_cache)
        if chat_parts is not None:
            stack.push_async_callback(chat_parts.conversations.close, CHATS_CLOSE_S)
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
            limiter=Limiter(limits(settings), redis),
            authenticator=DatabaseAuthenticator(
                pool,
                cache,
                clock,
                jwt_secret=secret,
                environment_keys=environment_keys(settings),
            ),
            sign_in=sign_in,
            storage=storage,
            waker=waker,
            metrics=Metrics(),
            engines=built_engines,
            verifiers=verifiers,
            rules={IMAGES: ImagesRules()},
            gateways=gateways(settings, http, clock, secret),
            bot=bot(settings, telegram_http),
            bot_secret=derived(secret, "bot webhook").hex(),
            chats=chat_parts,
            senders=senders(settings, telegram_http, storage),
            segment_sources=SEGMENT_SOURCES,
            outages=Outages(
                pool,
                catalog_cache,
                threshold=settings.breaker_failures,
                open_s=settings.breaker_open_s,
            ),
            slots=Slots(),
            waiting=Waiting(),
            callback_key=derived(secret, "callbacks"),
            started_at=time.monotonic(),
        )


def _sign_in(settings: Settings, secret: bytes) -> SignIn:
    token = settings.bot_token.get_secret_value() if settings.bot_token else None
    return SignIn(
        bot_token=token,
        jwt_secret=secret,
        proof_ttl_s=settings.init_data_ttl_s,
        access_ttl_s=settings.access_token_ttl_s,
        refresh_ttl_s=settings.refresh_token_ttl_s,
        first_contacts=(JoinBonus(ReferralTerms.of(settings)),),
    )
