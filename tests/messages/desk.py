"""An operator's desk behind a running service, from which broadcasts go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from hamyon.kit.ids import new_id
from hamyon.kit.web.permission import Role
from hamyon.users.service.tokens import issue_access_token
from hamyon.users.store import access
from hamyon.users.store import operators as operators_store
from hamyon.users.types import SessionId
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Answer, Service, eventually
from tests.media.pictures import picture

OPERATOR = 900_001
TEXT = {"type": "text", "text": "Something new is here"}
OVER = ("completed", "paused", "canceled")


@dataclass(slots=True)
class Desk:
    """Calls as an owner's key, or with ``token`` as a person."""

    service: Service
    sandbox: Sandbox

    async def call(
        self, method: str, path: str, body: object = None, *, token: str = "", key: str = ""
    ) -> Answer:
        if token:
            return await self._as_person(method, path, body, token)
        headers = {"Idempotency-Key": key} if key else {}
        return await self.service.api.call(
            method, f"/admin/broadcasts{path}", body, admin=True, headers=headers
        )

    async def _as_person(self, method: str, path: str, body: object, token: str) -> Answer:
        api = self.service.api
        async with api.session.request(
            method,
            f"{api.url}/api/v1/admin/broadcasts{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            return Answer(answer.status, await answer.json(content_type=None), answer.headers)

    async def people(self, count: int, *, first: int = 1) -> None:
        """So many people, with ids from ``first`` on."""
        await self.service.as_owner(
            "INSERT INTO users (id) SELECT generate_series($1::bigint, $2::bigint)",
            first,
            first + count - 1,
        )

    async def operator(self, user_id: int = OPERATOR) -> str:
        """The token of a person who is an admin; he is no recipient, because news is off."""
        deps, now = self.service.deps, self.service.deps.clock.now()
        session_id = SessionId(new_id())
        await self.service.api.sync(user_id)
        await self.service.as_owner(
            """
            INSERT INTO notification_preferences (user_id, topic, enabled)
            VALUES ($1, 'news', false) ON CONFLICT DO NOTHING
            """,
            user_id,
        )
        async with deps.pool.acquire() as connection:
            await operators_store.put_role(
                connection, user_id, Role.ADMIN, granted_by="test", now=now
            )
            await access.insert_session(
                connection, session_id, user_id, "miniapp", address="203.0.113.9", now=now
            )
        return issue_access_token(deps.sign_in.jwt_secret, user_id, session_id, ttl_s=600, now=now)

    async def upload(self, user_id: int = OPERATOR, seed: int = 0) -> str:
        """A picture of the operator's own."""
        form = aiohttp.FormData({"telegram_id": str(user_id)})
        form.add_field("file", picture(seed=seed), filename="a.jpg")
        answer = await self.service.api.call("POST", "/media/upload", data=form)
        assert answer.status == 201, answer.body
        return str(answer.body["items"][0]["upload_id"])

    async def draft(
        self, content: Mapping[str, object] = TEXT, *, token: str = "", **more: object
    ) -> int:
        body = {"content": content, "segment": {}} | more
        answer = await self.call("POST", "", body, token=token)
        assert answer.status == 201, answer.body
        return int(answer.body["id"])

    async def act(self, number: int, verb: str) -> dict[str, Any]:
        answer = await self.call("POST", f"/{number}/{verb}")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def started(self, content: Mapping[str, object] = TEXT, **more: Any) -> int:
        number = await self.draft(content, **more)
        await self.act(number, "start")
        return number

    async def shown(self, number: int) -> dict[str, Any]:
        answer = await self.call("GET", f"/{number}")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def over(self, number: int, *states: str) -> dict[str, Any]:
        """The broadcast when it has ended, or is in one of ``states``."""

        async def look() -> dict[str, Any] | None:
            found = await self.shown(number)
            return found if found["state"] in (states or OVER) else None

        found: dict[str, Any] = await eventually(look)
        return found

    async def recipients(self, number: int) -> dict[int, dict[str, Any]]:
        """Every recipient by his id, through the pages of the list."""
        found: dict[int, dict[str, Any]] = {}
        cursor = ""
        while True:
            answer = await self.call("GET", f"/{number}/recipients?limit=100{cursor}")
            assert answer.status == 200, answer.body
            found |= {row["telegram_id"]: row for row in answer.body["items"]}
            if answer.body["next_cursor"] is None:
                return found
            cursor = f"&cursor={answer.body['next_cursor']}"

    async def acts(self, number: int) -> list[tuple[str, str]]:
        """What the audit log has of a broadcast, oldest first: who, and what."""
        rows = await self.service.pool.fetch(
            "SELECT actor, action FROM audit_log WHERE subject = $1 ORDER BY id",
            f"broadcast:{number}",
        )
        return [(row["actor"], row["action"]) for row in rows]

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """The facts of the notices of one kind."""
        rows = await self.service.pool.fetch(
            "SELECT facts FROM notices WHERE kind = $1 AND user_id IS NULL ORDER BY id", kind
        )
        return [row["facts"] for row in rows]

    # --- Telegram's side --------------------------------------------------------------------------

    async def counts(self, text: str = "") -> dict[int, int]:
        """How many messages each chat got."""
        found = await self._telegram("GET", f"sent_counts?text={text}")
        return {int(chat): count for chat, count in found["counts"].items()}

    async def messages(self, chat_id: int) -> list[dict[str, Any]]:
        found = await self._telegram("GET", f"messages?chat_id={chat_id}")
        return [one["message"] for one in found["messages"]]

    async def block(self, user_id: int) -> None:
        """The person blocks the bot."""
        await self._telegram("POST", f"chat/{user_id}/start", {})
        await self._telegram("POST", f"chat/{user_id}/block", {})

    async def close_account(self, user_id: int) -> None:
        await self._telegram("POST", "person", {"id": user_id, "is_deactivated": True})

    async def limits(self, **limits: object) -> None:
        await self.sandbox.vendor_settings("telegram", limits=limits)

    async def pace(self) -> dict[str, int]:
        """What Telegram counted of the bot's sending."""
        stats: Any = await self.sandbox.stats("telegram", brief=True)
        (bot,) = stats["bots"].values()
        pace: dict[str, int] = bot["pace"]
        return pace

    async def requests(self) -> dict[str, int]:
        """How often each method was called, whatever became of the call."""
        stats: Any = await self.sandbox.stats("telegram", brief=True)
        requests: dict[str, int] = stats["requests"]
        return requests

    async def _telegram(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession(self.sandbox.url) as session,
            session.request(method, f"/telegram/{path}", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()
