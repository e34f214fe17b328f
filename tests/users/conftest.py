"""What tests about people share: a clock to move, a listening cache, the rules of sign-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from hamyon.kit.cache import Cache
from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Pool, in_transaction
from hamyon.kit.limits import Limit, Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.settings import Settings
from hamyon.kit.signals import Signals
from hamyon.kit.web.edge import install
from hamyon.kit.web.permission import Operator, Role
from hamyon.kit.web.routing import include
from hamyon.users.routes import ROUTERS
from hamyon.users.service import people
from hamyon.users.service.authentication import NAMESPACES, DatabaseAuthenticator
from hamyon.users.service.service_keys import environment_keys
from hamyon.users.types import Acting, Contact, SignIn, Synced
from tests.fixtures.database import Database
from tests.users.signing import BOT_TOKEN

API_KEY = "service-key-of-the-tests-0123456789"
ADMIN_API_KEY = "admin-key-of-the-tests-0123456789"
OWNER = Acting(Operator(1, "1", Role.OWNER), "203.0.113.7", "request-1")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def sign_in() -> SignIn:
    return SignIn(
        bot_token=BOT_TOKEN,
        jwt_secret=b"0123456789abcdef0123456789abcdef",
        proof_ttl_s=24 * 3600,
        access_ttl_s=3600,
        refresh_ttl_s=30 * 24 * 3600,
    )


async def listening_cache(dsn: str) -> tuple[Signals, Cache]:
    signals = Signals(dsn)
    await signals.start()
    return signals, Cache(signals, NAMESPACES)


@pytest.fixture
async def cache(database: Database) -> AsyncIterator[Cache]:
    signals, made = await listening_cache(database.dsn)
    yield made
    await made.close()
    await signals.close()


@pytest.fixture
async def other_cache(database: Database) -> AsyncIterator[Cache]:
    """What another process remembers."""
    signals, made = await listening_cache(database.dsn)
    yield made
    await made.close()
    await signals.close()


@pytest.fixture
async def profile_cache(database: Database) -> AsyncIterator[Cache]:
    signals = Signals(database.dsn)
    await signals.start()
    made = Cache(signals, (people.PROFILES,))
    yield made
    await made.close()
    await signals.close()


@dataclass
class Deps:
    pool: Pool
    cache: Cache
    clock: MovedClock
    sign_in: SignIn
    settings: Settings = field(
        default_factory=lambda: Settings(
            _env_file=None, api_key=SecretStr(API_KEY), admin_api_key=SecretStr(ADMIN_API_KEY)
        )
    )


def authenticator_of(deps: Deps) -> DatabaseAuthenticator:
    return DatabaseAuthenticator(
        deps.pool,
        deps.cache,
        deps.clock,
        jwt_secret=deps.sign_in.jwt_secret,
        environment_keys=environment_keys(deps.settings),
    )


@pytest.fixture
def deps(pool: Pool, cache: Cache, clock: MovedClock, sign_in: SignIn) -> Deps:
    return Deps(pool, cache, clock, sign_in)


class Client:
    """Calls the API over real HTTP; answers status and JSON."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._base_url = base_url

    async def call(
        self, method: str, path: str, body: object = None, *, bearer: str = "", key: str = ""
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        headers |= {"api-key": key} if key else {}
        async with self._http.request(
            method, self._base_url + path, json=body, headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def client(deps: Deps) -> AsyncIterator[Client]:
    app = FastAPI()
    include(app, *ROUTERS)
    app.state.deps = deps
    wide = Limit(1000.0, 1000)
    names = ("address", "failures", "vendor", "user", "key", "sign_in")
    install(
        app,
        settings=deps.settings,
        authenticator=authenticator_of(deps),
        limiter=Limiter(dict.fromkeys(names, wide)),
        metrics=Metrics(),
    )
    async with serving(app) as base_url, aiohttp.ClientSession() as http:
        yield Client(http, base_url)


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        )
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


async def met(pool: Pool, clock: MovedClock, contact: Contact) -> Synced:
    """Sync a person the way routes do."""
    return await in_transaction(
        pool,
        lambda connection: people.sync(connection, contact, first_contacts=(), now=clock.now()),
    )
