"""People who chat with the bot in the simulated Telegram, as they do: text, photos, buttons.

async with town() as people:
    anna = await people.person(777, language="ru", first_name="Анна")
    await anna.say("/start ref_5")
    await anna.hears("Здравствуйте")
    await anna.press("Меню")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.bot.customers import running_bot
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, eventually


@dataclass(slots=True)
class Talk:
    """One person's side of the chat.

    ``hears`` and ``press`` look at what the bot said, or changed, since the person's last act.
    """

    session: aiohttp.ClientSession
    url: str
    user_id: int
    since: int = 0
    screen: dict[int, dict[str, Any]] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    version: int = 0
    toasts: list[dict[str, Any]] = field(default_factory=list)

    # --- what the person does ---------------------------------------------------------------------

    async def say(self, text: str, *, reply_to: int | None = None) -> int:
        """Send a text. Returns its number."""
        await self._begin()
        body = {"text": text} | ({} if reply_to is None else {"reply_to": reply_to})
        return int((await self._post("text", json=body))["message_id"])

    async def send_photos(self, *photos: bytes, caption: str = "") -> list[int]:
        """Send a photo, or an album of several."""
        await self._begin()
        return list((await self._post("photo", data=_form(photos, caption)))["message_ids"])

    async def send_document(self, content: bytes, caption: str = "") -> list[int]:
        """Send a file as it is."""
        await self._begin()
        return list((await self._post("document", data=_form([content], caption)))["message_ids"])

    async def press(self, label: str) -> str:
        """Press the newest button whose label contains ``label``, once it is there."""

        async def look() -> tuple[int, str] | None:
            await self.look()
            for number in sorted(self.screen, reverse=True):
                for button in buttons(self.screen[number]):
                    if label in button["text"] and "callback_data" in button:
                        return number, button["callback_data"]
            return None

        number, data = await eventually(look)
        await self._begin()
        said = await self._post("press", json={"message_id": number, "data": data})
        return str(said["query_id"])

    async def pay(self, message_id: int) -> str:
        """Pay an invoice of the chat. Returns the charge."""
        await self._begin()
        return str((await self._post("pay", json={"message_id": message_id}))["charge_id"])

    async def block(self) -> None:
        """Stop the bot."""
        await self._post("block", json={})

    async def unblock(self) -> None:
        """Let it write again."""
        await self._post("unblock", json={})

    # --- what the person sees ---------------------------------------------------------------------

    async def hears(self, fragment: str) -> dict[str, Any]:
        """Wait for a message of the bot with this in its text, caption or file's name."""

        async def look() -> dict[str, Any] | None:
            await self.look()
            return next((one for one in reversed(self.news()) if fragment in words(one)), None)

        try:
            found: dict[str, Any] = await eventually(look, patience_s=20)
        except TimeoutError:
            seen = "\n".join(words(one) for one in self.screen.values())
            raise AssertionError(f"{fragment!r} was never said; the chat:\n{seen}") from None
        return found

    async def toast(self, fragment: str) -> dict[str, Any]:
        """Wait for the answer to a press, as it pops up."""

        async def look() -> dict[str, Any] | None:
            await self.look()
            return next((one for one in self.toasts if fragment in (one["text"] or "")), None)

        found: dict[str, Any] = await eventually(look, patience_s=20)
        return found

    def news(self) -> list[dict[str, Any]]:
        """The bot's messages since the person's last act, oldest first."""
        return [
            message
            for number, message in sorted(self.screen.items())
            if self.changed[number] > self.since and message["from"]["is_bot"]
        ]

    async def look(self) -> None:
        """Read what has changed on the screen."""
        async with self.session.get(
            f"{self.url}/state", params={"version": str(self.version)}
        ) as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json()
        for shown in told["messages"]:
            message = shown["message"]
            self.screen[message["message_id"]] = message
            self.changed[message["message_id"]] = told["version"]
        for number in told["deleted"]:
            self.screen.pop(number, None)
        if self.version:
            self.toasts += told["toasts"]
        self.version = max(self.version, told["version"])

    async def file(self, file_id: str) -> bytes:
        """The bytes of a photo or document that arrived."""
        root = self.url.rpartition("/telegram/chat/")[0]
        async with self.session.get(f"{root}/telegram/chat/file/{file_id}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    async def _begin(self) -> None:
        await self.look()
        self.since = self.version

    async def _post(self, act: str, **body: Any) -> Any:
        async with self.session.post(f"{self.url}/{act}", **body) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told


@dataclass(slots=True)
class Town:
    """A service with its bot, and people who talk with it."""

    service: Service
    sandbox: Sandbox

    async def person(
        self, user_id: int, *, language: str = "en", first_name: str = "Anna", **more: str
    ) -> Talk:
        """Somebody with this name and language at Telegram."""
        url = f"{self.sandbox.url}/telegram/chat/{user_id}"
        talk = Talk(self.service.api.session, url, user_id)
        about = {"first_name": first_name, "language_code": language} | more
        await talk._post("person", json=about)
        return talk


@asynccontextmanager
async def town_of(service: Service, sandbox: Sandbox) -> AsyncIterator[Town]:
    """The bot of a service that runs already begins to listen."""
    async with running_bot(service.deps):
        yield Town(service, sandbox)


def words(message: Mapping[str, Any]) -> str:
    """What a message says: its text or caption, its invoice, the names of its files."""
    document = message.get("document") or {}
    invoice = message.get("invoice") or {}
    parts = (
        message.get("text"),
        message.get("caption"),
        document.get("file_name"),
        invoice.get("title"),
    )
    return " ".join(str(part) for part in parts if part)


def buttons(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The inline buttons under a message, in reading order."""
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [button for row in rows for button in row]


def _form(files: Sequence[bytes], caption: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for number, content in enumerate(files):
        form.add_field("file", content, filename=f"photo{number}.jpg", content_type="image/jpeg")
    form.add_field("caption", caption)
    return form
