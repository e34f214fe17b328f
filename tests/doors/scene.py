"""People, keys and things as they are behind a running service, for tests of its doors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from pydantic import SecretStr
from yarl import URL

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, Answer, Launch, Service
from tests.media.pictures import picture
from tests.users.signing import BOT_TOKEN, init_data, mini_app_fields

VICTIM, OTHER, BLOCKED = 70_001, 70_002, 70_003
SUPPORT, FINANCE, ADMIN = 70_011, 70_012, 70_013
SCOPES = frozenset({"users", "media", "orders", "payments", "rewards", "traffic", "metrics"})


@dataclass(slots=True)
class Scene:
    """A service in which somebody has things, and others who would like to have them."""

    service: Service
    tokens: dict[int, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """As nobody, but for ``headers``; ``path`` is the whole of it, and sent as it is."""
        api = self.service.api
        async with api.session.request(
            method, URL(api.url + path, encoded=True), headers=headers, **options
        ) as answer:
            return answer.status, await answer.read(), answer.headers.copy()

    async def admin(self, method: str, path: str, json: object = None) -> Answer:
        """As an owner; what is refused fails the test."""
        answer = await self.service.api.call(
            method, path, json, admin=True, headers={"Idempotency-Key": str(time.monotonic_ns())}
        )
        assert answer.status < 300, answer.body
        return answer

    async def sign_in(self, user_id: int) -> str:
        """A new session's token."""
        nonce = str(time.monotonic_ns())  # The same proof opens one session only.
        proof = init_data(mini_app_fields(int(time.time()), user_id, photo_url=nonce))
        answer = await self.service.api.call("POST", "/auth/telegram/miniapp", {"init_data": proof})
        assert answer.status == 200, answer.body
        return str(answer.body["token"])

    async def bearer(self, user_id: int) -> dict[str, str]:
        """The person's header; he signs in when he has not yet."""
        if user_id not in self.tokens:
            self.tokens[user_id] = await self.sign_in(user_id)
        return {"Authorization": f"Bearer {self.tokens[user_id]}"}

    async def key_without(self, scope: str) -> dict[str, str]:
        """The header of a service that may do everything but this, and is no operator."""
        if scope not in self.keys:
            wanted = {"name": f"without-{scope}", "scopes": sorted(SCOPES - {scope})}
            made = await self.admin("POST", "/admin/service_keys", wanted)
            self.keys[scope] = made.body["secret"]
        return {"api-key": self.keys[scope]}

    def owner(self) -> dict[str, str]:
        return {"api-key": ADMIN_KEY}


async def known_bot(sandbox: Sandbox) -> None:
    """Have Telegram know the bot whose token proofs of tests are made with."""
    bot = {"token": BOT_TOKEN, "username": "hamyon_sandbox_bot"}
    await sandbox.vendor_settings("telegram", bots=[bot])


async def open_scene(launch: Launch, sandbox: Sandbox | None = None, **settings: object) -> Scene:
    """Operators of every role, somebody blocked, and strangers."""
    if sandbox is not None:
        await known_bot(sandbox)
    service = await launch(sandbox, bot_token=SecretStr(BOT_TOKEN), **settings)
    scene = Scene(service)
    for user_id in (VICTIM, OTHER, BLOCKED, SUPPORT, FINANCE, ADMIN):
        await service.person(user_id, 5_000)
        await scene.bearer(user_id)
    for user_id, role in ((SUPPORT, "support"), (FINANCE, "finance"), (ADMIN, "admin")):
        await scene.admin("POST", "/admin/roles", {"telegram_id": user_id, "role": role})
    await scene.admin("POST", f"/admin/users/{BLOCKED}/block", {"reason": "a test"})
    return scene


async def uploaded(scene: Scene, user_id: int, seed: int = 0) -> dict[str, Any]:
    """A picture of the person's own: the upload as the service answered."""
    form = aiohttp.FormData({"telegram_id": str(user_id)})
    form.add_field("file", picture(seed=seed), filename="a.jpg")
    answer = await scene.service.api.call("POST", "/media/upload", data=form)
    assert answer.status == 201, answer.body
    item: dict[str, Any] = answer.body["items"][0]
    return item


TABLES_THAT_MOVE = frozenset(
    {"pgqueuer", "pgqueuer_log", "pgqueuer_statistics", "pgqueuer_schedules"}
)


async def everything(service: Service) -> dict[str, str]:
    """A fingerprint of every table, to see that nothing was written."""
    tables = await service.as_owner(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    found = {}
    for (table,) in tables:
        if table in TABLES_THAT_MOVE:
            continue
        row = "to_jsonb(t) - 'seen_at'" if table == "users" else "to_jsonb(t)"
        [(print_,)] = await service.as_owner(
            f"SELECT md5(coalesce(string_agg(({row})::text, ',' ORDER BY ({row})::text), '')) "
            f'FROM "{table}" t'
        )
        found[table] = print_
    return found
