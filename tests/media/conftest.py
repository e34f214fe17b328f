"""A storage, two people, and the routes behind real sockets with the real sign-in."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI

from hamyon.kit.cache import Cache
from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Pool, transaction
from hamyon.kit.ids import new_id
from hamyon.kit.limits import Limit, Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.settings import Settings
from hamyon.kit.signals import Signals
from hamyon.kit.storage import Storage, open_storage
from hamyon.kit.web import edge
from hamyon.kit.web.permission import Operator, Role
from hamyon.kit.web.routing import LIMITS_NEEDED, include
from hamyon.media import routes
from hamyon.users.service.authentication import NAMESPACES, DatabaseAuthenticator
from hamyon.users.service.service_keys import create_key
from hamyon.users.service.tokens import issue_access_token
from hamyon.users.types import Acting, SessionId
from tests.fixtures.database import Database
from tests.kit.servers import serving

ALI, BOTIR, BLOCKED = 101, 102, 103
JWT_SECRET = b"media-tests-media-tests-media-tests"


@dataclass(frozen=True)
class Deps:
    """What wiring would put into the application's state."""

    pool: Pool
    storage: Storage
    clock: MovedClock


@dataclass(frozen=True)
class Door:
    """The served routes, and credentials for them."""

    url: str
    clock: MovedClock
    ali: dict[str, str]
    botir: dict[str, str]
    service: dict[str, str]
    narrow: dict[str, str]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Where the storage keeps its bytes."""
    return tmp_path / "files"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where requests put what they are still reading; empty again when they end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(None, tmp_path, base_url="http://test", signing_key=b"0123456789abcdef")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def people(pool: Pool) -> Pool:
    """The pool of a database that knows three people, one of them blocked."""
    await pool.execute(
        "INSERT INTO users (id, blocked_at) SELECT x, CASE WHEN x = $2 THEN now() END"
        " FROM unnest($1::bigint[]) x",
        [ALI, BOTIR, BLOCKED],
        BLOCKED,
    )
    return pool


@pytest.fixture
async def door(
    people: Pool, database: Database, storage: Storage, clock: MovedClock
) -> AsyncIterator[Door]:
    heard = Signals(database.dsn)
    await heard.start()
    cache = Cache(heard, NAMESPACES)
    app = FastAPI()
    include(app, routes.api, routes.files)
    app.state.deps = Deps(people, storage, clock)
    plenty = Limit(100_000, 100_000)
    edge.install(
        app,
        settings=Settings(_env_file=None),
        authenticator=DatabaseAuthenticator(people, cache, clock, jwt_secret=JWT_SECRET),
        limiter=Limiter(dict.fromkeys([*LIMITS_NEEDED, routes.UPLOADS_LIMIT], plenty)),
        metrics=Metrics(),
    )
    try:
        async with serving(app) as url:
            yield Door(
                url,
                clock,
                ali=await bearer(people, ALI, clock),
                botir=await bearer(people, BOTIR, clock),
                service=await api_key(people, clock, "media"),
                narrow=await api_key(people, clock, "orders"),
            )
    finally:
        await cache.close()
        await heard.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def bearer(pool: Pool, user_id: int, clock: MovedClock) -> dict[str, str]:
    session_id = SessionId(new_id())
    await pool.execute(
        "INSERT INTO login_sessions (id, user_id, origin) VALUES ($1, $2, 'miniapp')",
        session_id,
        user_id,
    )
    month_s = int(timedelta(days=30).total_seconds())
    token = issue_access_token(JWT_SECRET, user_id, session_id, ttl_s=month_s, now=clock.now())
    return {"Authorization": f"Bearer {token}"}


async def api_key(pool: Pool, clock: MovedClock, scope: str) -> dict[str, str]:
    acting = Acting(Operator(None, "test", Role.OWNER))
    async with transaction(pool) as connection:
        made = await create_key(
            connection,
            f"bot-{scope}",
            [scope],  # type: ignore[list-item]  # a name of a scope
            acting=acting,
            now=clock.now(),
        )
    return {"api-key": made.secret}
