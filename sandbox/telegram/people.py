"""What people do in their chats with bots, and what the bots are told of it."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.telegram.books import Charge
from sandbox.telegram.bots import Bot, News
from sandbox.telegram.chats import Chat, Entry
from sandbox.telegram.entities import units
from sandbox.telegram.files import File, NotAPhotoError, PhotoDimensionsError
from sandbox.telegram.messages import from_person, without_reply
from sandbox.telegram.payments import NotPaidError, Payments
from sandbox.telegram.spans import find_spans
from sandbox.telegram.state import Invoice, Person, State
from sandbox.telegram.texts import CAPTION_LENGTH_MAX, TEXT_LENGTH_MAX
from sandbox.telegram.updates import Updates
from sandbox.telegram.web_apps import app_urls, inline_buttons, launch_url

ALBUM_MAX = 10
CALLBACK_LIFETIME_S = 150.0
_PAYLOAD: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")


class NotPossibleError(Exception):
    """What a person cannot do, as it is told to the person."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a person's device sends it."""

    content: bytes
    name: str
    mime: str


@dataclass(frozen=True, slots=True)
class People:
    """The other side of the bots: whatever a person does is written into the chat and published.

    Everything raises ``NotPossibleError``, and then nothing has happened. Who has blocked a bot
    can only unblock it.
    """

    state: State
    updates: Updates
    payments: Payments

    def say(
        self, bot: Bot, person: Person, text: str, reply_to: int | None = None
    ) -> Mapping[str, object]:
        """Send a text, which is also what a key of the bot's keyboard does."""
        chat = _open_chat(bot, person)
        said = _trimmed(text, TEXT_LENGTH_MAX)
        if not said:
            raise NotPossibleError("A message needs a text.")
        return self._send(bot, person, _quoted(chat, reply_to) | _marked("text", "entities", said))

    def start(self, bot: Bot, person: Person, payload: str = "") -> Mapping[str, object]:
        """Press START, with what the link that led here said."""
        if not _PAYLOAD.fullmatch(payload):
            raise NotPossibleError(
                "What follows ?start= has at most 64 characters, each a letter, digit, _ or -."
            )
        return self.say(bot, person, f"/start {payload}")

    async def send_photos(
        self,
        bot: Bot,
        person: Person,
        contents: Sequence[bytes],
        caption: str = "",
        reply_to: int | None = None,
    ) -> list[Mapping[str, object]]:
        """Send one picture, or two to ten as an album, whose caption is the first one's."""
        chat = _open_chat(bot, person)
        if not 1 <= len(contents) <= ALBUM_MAX:
            raise NotPossibleError(f"Send 1 to {ALBUM_MAX} pictures at once.")
        head = _quoted(chat, reply_to)
        words = _captioned(caption)
        photos = [await _photo(bot, content) for content in contents]
        if len(photos) > 1:
            head["media_group_id"] = str(secrets.randbelow(9 * 10**16) + 10**16)
        sent: list[Mapping[str, object]] = []
        for sizes in photos:
            shown = {"photo": [one.as_size() for one in sizes]}
            sent.append(self._send(bot, person, head | shown | ({} if sent else words)))
        return sent

    def send_document(
        self,
        bot: Bot,
        person: Person,
        upload: Upload,
        caption: str = "",
        reply_to: int | None = None,
    ) -> Mapping[str, object]:
        """Send a file as it is; a film becomes a video, of which nothing is decoded."""
        head = _quoted(_open_chat(bot, person), reply_to)
        words = _captioned(caption)
        kind = "video" if upload.mime.startswith("video/") else "document"
        file = bot.files.add(upload.content, upload.mime, upload.name, kind=kind)
        shown = file.as_video() if kind == "video" else file.as_document()
        return self._send(bot, person, head | {kind: shown} | words)

    def press(self, bot: Bot, person: Person, message_id: int, data: str) -> str:
        """Press a button under a message as it now stands; the id of the callback query."""
        entry = _message(_open_chat(bot, person), message_id)
        if not any(button.get("callback_data") == data for button in inline_buttons(entry.message)):
            raise NotPossibleError("The message has no such button any more.")
        query_id = self.state.taps.open(bot, person.id)
        query = {
            "id": query_id,
            "from": person.as_user(),
            "message": entry.message,
            "chat_instance": _chat_instance(bot, person),
            "data": data,
        }
        news = News("callback_query", person.id, query, data, CALLBACK_LIFETIME_S)
        self.updates.publish(bot, news)
        return query_id

    async def pay(self, bot: Bot, person: Person, message_id: int) -> Charge:
        """Pay the invoice that a message is: the bot is asked first, as always."""
        entry = _message(_open_chat(bot, person), message_id)
        invoice = self.invoice(entry)
        if invoice is None:
            raise NotPossibleError("This message is no invoice.")
        try:
            return await self.payments.pay(invoice, person.id)
        except NotPaidError as error:
            raise NotPossibleError(f"Not paid: {error}") from error

    def open_app(self, bot: Bot, person: Person, url: str) -> str:
        """Open a Mini App that the chat has a button for; its address with who the person is."""
        if url not in app_urls(bot, _open_chat(bot, person)):
            raise NotPossibleError("The chat has no button for this app any more.")
        return launch_url(bot, person, url)

    def invoice(self, entry: Entry) -> Invoice | None:
        """What can be paid with this message."""
        return None if entry.page is None else self.state.invoices.get(entry.page.split("/")[-1])

    def block(self, bot: Bot, person: Person) -> None:
        """Stop the bot; it is told once."""
        if not bot.chat(person.id).blocked:
            self._member(bot, person, is_blocked=True)

    def unblock(self, bot: Bot, person: Person) -> None:
        """Let it write again."""
        if bot.chat(person.id).blocked:
            self._member(bot, person, is_blocked=False)

    def _send(
        self, bot: Bot, person: Person, content: Mapping[str, object]
    ) -> Mapping[str, object]:
        message = from_person(bot, person, content)
        about = content.get("text") or content.get("caption") or ""
        self.updates.publish(bot, News("message", person.id, message, str(about)))
        return message

    def _member(self, bot: Bot, person: Person, *, is_blocked: bool) -> None:
        chat = bot.chat(person.id)
        chat.blocked = is_blocked
        chat.touch()
        member: dict[str, object] = {"user": bot.as_user(), "status": "member"}
        kicked: dict[str, object] = {"user": bot.as_user(), "status": "kicked", "until_date": 0}
        change = {
            "chat": person.as_chat(),
            "from": person.as_user(),
            "date": int(time.time()),
            "old_chat_member": member if is_blocked else kicked,
            "new_chat_member": kicked if is_blocked else member,
        }
        self.updates.publish(bot, News("my_chat_member", person.id, change, ""))


def _open_chat(bot: Bot, person: Person) -> Chat:
    """The chat, for somebody who can write into it. Raises ``NotPossibleError``."""
    chat = bot.chat(person.id)
    if person.is_deactivated:
        raise NotPossibleError("This account is deleted.")
    if chat.blocked:
        raise NotPossibleError("You have blocked the bot; unblock it first.")
    return chat


def _message(chat: Chat, message_id: int) -> Entry:
    entry = chat.find(message_id)
    if entry is None:
        raise NotPossibleError("There is no such message.")
    return entry


def _quoted(chat: Chat, reply_to: int | None) -> dict[str, object]:
    """The message that is answered, without the one that it answers itself, as Telegram has it."""
    if reply_to is None:
        return {}
    return {"reply_to_message": without_reply(_message(chat, reply_to))}


def _captioned(caption: str) -> dict[str, object]:
    return _marked("caption", "caption_entities", _trimmed(caption, CAPTION_LENGTH_MAX))


def _marked(name: str, entities_name: str, text: str) -> dict[str, object]:
    """A text and its entities; neither of them when it is empty."""
    if not text:
        return {}
    spans = find_spans(text)
    return {name: text, entities_name: spans} if spans else {name: text}


def _trimmed(text: str, length_max: int) -> str:
    trimmed = text.strip()
    if units(trimmed) > length_max:
        raise NotPossibleError(f"A text has at most {length_max} characters here.")
    return trimmed


async def _photo(bot: Bot, content: bytes) -> list[File]:
    try:
        return await bot.files.add_photo(content)
    except (NotAPhotoError, PhotoDimensionsError) as error:
        raise NotPossibleError("This is no picture that can be sent as a photo.") from error


def _chat_instance(bot: Bot, person: Person) -> str:
    """A number that stands for the chat; Telegram does not say how it comes about."""
    digest = hashlib.blake2b(f"{bot.id}:{person.id}".encode(), digest_size=8).digest()
    return str(int.from_bytes(digest, signed=True))
