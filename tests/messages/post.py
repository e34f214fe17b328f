"""A service whose bot speaks to the simulated Telegram, and what people there have got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from hamyon.kit.db import transaction
from hamyon.kit.texts import Language
from hamyon.kit.web.permission import Role
from hamyon.messages.types import Composer
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.users.types import role_name
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually

ALI, VALI, OLGA = 101, 102, 103
BONUS: Mapping[str, object] = {"asset": "credit", "amount": 5}


@dataclass(frozen=True, slots=True)
class Post:
    """Writes notices, and looks into people's chats."""

    service: Service
    sandbox: Sandbox

    async def tell(
        self,
        key: str,
        kind: str = "referral_bonus",
        facts: Mapping[str, object] = BONUS,
        user_id: int | None = ALI,
    ) -> int:
        """The notice's id."""
        async with transaction(self.service.pool) as connection:
            assert await notices.tell(connection, Notice(key, kind, facts, user_id))
        self.service.deps.waker.wake()
        number: int = await self.service.pool.fetchval("SELECT id FROM notices WHERE key = $1", key)
        return number

    async def operator(self, user_id: int, role: Role, language: Language = "en") -> None:
        await self.service.person(user_id)
        await self.speaks(user_id, language)
        await self.service.as_owner(
            "INSERT INTO roles (user_id, role, granted_by) VALUES ($1, $2, 'test')",
            user_id,
            role_name(role),
        )

    async def speaks(self, user_id: int, language: Language) -> None:
        await self.service.as_owner(
            "UPDATE users SET language = $2 WHERE id = $1", user_id, language
        )

    async def delivery(self, notice_id: int, user_id: int = ALI) -> dict[str, Any]:
        row = await self.service.pool.fetchrow(
            "SELECT * FROM deliveries WHERE notice_id = $1 AND user_id = $2", notice_id, user_id
        )
        assert row is not None
        return dict(row)

    async def states(self) -> Counter[str]:
        rows = await self.service.pool.fetch("SELECT state FROM deliveries")
        return Counter(row["state"] for row in rows)

    async def ended(self, count: int) -> Counter[str]:
        """The states of so many deliveries, when none of them is under way."""

        async def look() -> Counter[str] | None:
            states = await self.states()
            return states if states.total() == count and not states["pending"] else None

        found: Counter[str] = await eventually(look)
        return found

    async def tried(self, attempts: int, count: int) -> None:
        """Wait until so many deliveries have each been tried so often."""

        async def look() -> bool:
            query = "SELECT count(*) FROM deliveries WHERE attempts >= $1"
            return bool(await self.service.pool.fetchval(query, attempts) == count)

        await eventually(look)

    async def counts(self, beginning: str = "") -> dict[int, int]:
        """How many messages of the bot each chat got."""
        async with (
            aiohttp.ClientSession(self.sandbox.url) as session,
            session.get("/telegram/sent_counts", params={"text": beginning}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            counts: dict[str, int] = (await answer.json())["counts"]
            return {int(chat): count for chat, count in counts.items()}

    async def messages(self, chat_id: int = ALI) -> list[dict[str, Any]]:
        """What the bot sent to a chat, each as it was sent."""
        async with (
            aiohttp.ClientSession(self.sandbox.url) as session,
            session.get(f"/telegram/messages?chat_id={chat_id}") as answer,
        ):
            assert answer.status == 200, await answer.text()
            return [one["message"] for one in (await answer.json())["messages"]]

    async def texts(self, chat_id: int = ALI) -> list[str]:
        return [one["text"] for one in await self.messages(chat_id)]

    async def act(self, user_id: int, what: str, **body: object) -> None:
        """What a person does in the chat: ``block``, ``unblock``..."""
        async with (
            aiohttp.ClientSession(self.sandbox.url) as session,
            session.post(f"/telegram/chat/{user_id}/{what}", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def group(self, chat_id: int, **more: object) -> None:
        async with (
            aiohttp.ClientSession(self.sandbox.url) as session,
            session.post("/telegram/group", json={"id": chat_id, "title": "G", **more}) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def calls(self) -> Counter[str]:
        """How often each method of the Bot API was called in vain or not."""
        bots = (await self.sandbox.stats("telegram"))["bots"]
        assert isinstance(bots, dict)
        (bot,) = bots.values()
        return Counter(bot["calls"])

    async def fault(self, kind: str, **options: object) -> None:
        """From now on whatever the bot asks Telegram for goes wrong like this."""
        await self.sandbox.clear_faults()
        await self.sandbox.fault(kind, {"vendor": "telegram"}, **options)

    def composed_by(self, **composers: Composer) -> Post:
        """The same, with letters of one's own for some kinds."""
        chats = self.service.deps.chats
        assert chats is not None
        deps = replace(self.service.deps, chats=replace(chats, composers=composers))
        return replace(self, service=replace(self.service, deps=deps))


async def post_of(launch: Launch, sandbox: Sandbox, **options: Any) -> Post:
    """A running service with somebody to write to."""
    service = await launch(sandbox, **options)
    await service.person(ALI)
    post = Post(service, sandbox)
    await post.speaks(ALI, "en")
    return post
