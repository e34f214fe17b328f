"""A process of the catalogue, as often as a test needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from hamyon.catalog import service
from hamyon.catalog.types import CatalogCache
from hamyon.kit.cache import Cache
from hamyon.kit.signals import Signals
from hamyon.kit.web.permission import Operator, Role
from hamyon.users.types import Acting
from tests.fixtures.database import Database

OpenCache = Callable[[], Awaitable[CatalogCache]]


@pytest.fixture
def acting() -> Acting:
    return Acting(Operator(7, "7", Role.OWNER), address="192.0.2.7", request_id="request-7")


@pytest.fixture
async def open_cache(database: Database) -> AsyncIterator[OpenCache]:
    """Opens another process's cache, which hears the database's signals by itself."""
    async with AsyncExitStack() as stack:

        async def another() -> CatalogCache:
            heard = Signals(database.dsn)
            await heard.start()
            stack.push_async_callback(heard.close)
            models = service.models_namespace(600)
            cache = Cache(heard, (models, service.PROVIDERS))
            stack.push_async_callback(cache.close)
            return CatalogCache(cache, models, service.PROVIDERS)

        yield another


@pytest.fixture
async def cache(open_cache: OpenCache) -> CatalogCache:
    return await open_cache()
