"""The real application behind a real server, over a database of the test's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from hamyon.kit.db import in_transaction
from hamyon.kit.ids import new_id
from hamyon.kit.settings import Settings
from hamyon.kit.web.permission import Role
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.orders import store as orders_store
from hamyon.orders.service import deadlines
from hamyon.orders.types import JobId, OrderId
from hamyon.products.images import service as images
from hamyon.products.images.types import Key, Submit
from hamyon.surfaces.http.app import create_app
from hamyon.users.service import people
from hamyon.users.service.tokens import issue_access_token
from hamyon.users.store import access
from hamyon.users.store import operators as operators_store
from hamyon.users.types import Contact, SessionId
from hamyon.wiring import Deps, open_deps
from tests.fixtures.database import Database
from tests.kit.servers import serving

ADMIN_KEY = "admin-key-for-these-tests-0123456789"
SERVICE_KEY = "service-key-for-these-tests-0123456789"
PRICE = 27


@pytest.fixture
async def deps(database: Database, tmp_path: Path) -> AsyncIterator[Deps]:
    settings = Settings(
        _env_file=None,
        hamyon_home=tmp_path,
        api_key=SecretStr(SERVICE_KEY),
        admin_api_key=SecretStr(ADMIN_KEY),
        rate_limit_rps=10_000,
        rate_limit_burst=10_000,
        max_parallel_generations_per_user=50,
    )
    async with open_deps(settings, database.dsn) as opened:
        yield opened
        assert await opened.audit(opened.pool) == []


@dataclass
class Api:
    """Calls as somebody; answers status and JSON."""

    http: aiohttp.ClientSession
    base_url: str
    deps: Deps

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "",
        api_key: str = "",
        key: str = "",
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"api-key": api_key} if api_key else {}
        headers |= {"Idempotency-Key": key} if key else {}
        async with self.http.request(
            method, f"{self.base_url}/api/v1/admin{path}", json=body, headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def owner(
        self, method: str, path: str, body: object = None, *, key: str = ""
    ) -> tuple[int, Any]:
        """As the service key that acts as an owner."""
        return await self.call(method, path, body, api_key=ADMIN_KEY, key=key)

    async def token(self, user_id: int, role: Role | None) -> str:
        """A signed-in person, with a role or none."""
        await person(self.deps, user_id)
        session_id, now = SessionId(new_id()), self.deps.clock.now()
        async with self.deps.pool.acquire() as connection:
            if role is not None:
                await operators_store.put_role(
                    connection, user_id, role, granted_by="test", now=now
                )
            await access.insert_session(
                connection, session_id, user_id, "miniapp", address="203.0.113.9", now=now
            )
        return issue_access_token(
            self.deps.sign_in.jwt_secret, user_id, session_id, ttl_s=600, now=now
        )

    async def acts(self, action: str) -> list[Any]:
        """The audit log's rows of one action, newest first."""
        status, page = await self.owner("GET", f"/audit_log?action={action}&limit=100")
        assert status == 200
        items: list[Any] = page["items"]
        return items


@pytest.fixture
async def api(deps: Deps) -> AsyncIterator[Api]:
    async with serving(create_app(deps)) as base_url, aiohttp.ClientSession() as http:
        yield Api(http, base_url, deps)


async def person(deps: Deps, user_id: int, *, referral_code: str | None = None) -> None:
    contact = Contact(user_id, f"user{user_id}", "Test", referral_code=referral_code)
    await in_transaction(deps.pool, people.sync, contact, first_contacts=(), now=deps.clock.now())


async def deposit(deps: Deps, user_id: int, amount: int) -> None:
    """Buy credits."""
    await in_transaction(
        deps.pool,
        ledger.grant,
        user_id=user_id,
        asset="credit",
        amount=amount,
        kind=TransferKind.DEPOSIT,
        from_role="sales:stars",
        key=f"stars:{new_id()}",
        actor="system",
    )


async def balance(deps: Deps, user_id: int) -> int:
    found = await ledger.balance(deps.pool, user_id, "credit")
    return found.available if found else 0


async def ordered(deps: Deps, user_id: int) -> OrderId:
    """An order that nobody works on yet."""
    wish = Submit(
        user_id, "seedream-v4", "a red fox", {"size": "1024*1024"}, (), use_trial=False,
        deliver=None,
    )  # fmt: skip
    return (await images.submit(deps, wish, Key("test", None))).id


async def job_of(deps: Deps, order_id: OrderId) -> JobId:
    return (await orders_store.jobs_of(deps.pool, order_id))[0].id


async def work(deps: Deps, job_id: JobId) -> None:
    """Do what the worker does with the job's queue entries."""
    entries = await deps.pool.fetch(
        """
        SELECT entrypoint, convert_from(payload, 'UTF8') AS payload FROM pgqueuer
        WHERE convert_from(payload, 'UTF8') LIKE $1 || '%' ORDER BY id
        """,
        str(job_id),
    )
    for entry in entries:
        await deps.handlers()[entry["entrypoint"]](entry["payload"])


async def paid_order(deps: Deps, user_id: int) -> OrderId:
    """An order that was delivered and charged."""
    order_id = await ordered(deps, user_id)
    await work(deps, await job_of(deps, order_id))
    found = await orders_store.get(deps.pool, order_id)
    assert found is not None
    assert found.charged == PRICE
    return order_id


async def order_in_review(deps: Deps, user_id: int, *, delivered: bool = False) -> OrderId:
    """An order past its deadline, of which nobody knows whether the provider took it."""
    order_id = await ordered(deps, user_id)
    job_id = await job_of(deps, order_id)
    await deps.pool.execute(
        """
        UPDATE jobs SET state = 'uncertain', polled_at = now() WHERE id = $1
        """,
        job_id,
    )
    if delivered:
        output = {"path": "p", "mime": "image/png", "width": 1, "height": 1, "bytes": 1}
        await deps.pool.execute("UPDATE jobs SET outputs = $2 WHERE id = $1", job_id, [output])
    await deps.pool.execute(
        """
        UPDATE orders SET state = 'running', started_at = now(),
            deadline_at = now() - interval '1 second' WHERE id = $1
        """,
        order_id,
    )
    await deadlines.sweep(deps)
    return order_id
