"""copyMessage, forwardMessage, and both for many messages at once."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.telegram.call import BotCall
from sandbox.telegram.chats import Entry
from sandbox.telegram.edits import CAPTION_FIELDS, FILE_FIELDS, TEXT_FIELDS, message_ids
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.messages import Outbox
from sandbox.telegram.rooms import Rooms
from sandbox.telegram.state import State
from sandbox.telegram.texts import caption

COPIED = TEXT_FIELDS | CAPTION_FIELDS | FILE_FIELDS
SERVICE = frozenset({"successful_payment", "refunded_payment", "pinned_message"})


@dataclass(frozen=True, slots=True)
class Copies:
    """From any chat that the bot has into any other. Buttons are not taken along."""

    state: State
    rooms: Rooms
    outbox: Outbox

    async def copy_message(self, call: BotCall) -> object:
        """As if the bot had written it, perhaps with another caption."""
        entry = self._one(call, "message to copy not found")
        content = _copied(entry)
        if "caption" in call.params.texts and not FILE_FIELDS.isdisjoint(content):
            content = {name: one for name, one in content.items() if name not in CAPTION_FIELDS}
            content |= caption(self.state, call.params.texts)
        message = self.outbox.open(call).put(content)
        return {"message_id": message["message_id"]}

    async def forward_message(self, call: BotCall) -> object:
        """With the name of who wrote it."""
        entry = self._one(call, "message to forward not found")
        content = _forwarded(entry)
        return self.outbox.open(call, with_markup=False).put(content)

    async def copy_messages(self, call: BotCall) -> object:
        contents = [_copied(one) for one in self._many(call) if not COPIED.isdisjoint(one.message)]
        return self._put_all(call, contents, "message to copy not found")

    async def forward_messages(self, call: BotCall) -> object:
        contents = [_forwarded(one) for one in self._many(call) if SERVICE.isdisjoint(one.message)]
        return self._put_all(call, contents, "message to forward not found")

    def _put_all(
        self, call: BotCall, contents: list[dict[str, object]], missing: str
    ) -> list[dict[str, object]]:
        if not contents:
            raise bad_request(missing)
        outgoing = self.outbox.open(call, count=len(contents), with_markup=False)
        return [{"message_id": outgoing.put(one)["message_id"]} for one in contents]

    def _one(self, call: BotCall, missing: str) -> Entry:
        chat = self.rooms.readable(call.bot, call.params, "from_chat_id").chat
        entry = chat.find(call.params.integer("message_id", 0, 0, 2**31 - 1))
        if entry is None:
            raise bad_request(missing)
        return entry

    def _many(self, call: BotCall) -> list[Entry]:
        """Those that are there."""
        numbers = message_ids(call.params)
        chat = self.rooms.readable(call.bot, call.params, "from_chat_id").chat
        return [entry for number in numbers if (entry := chat.find(number)) is not None]


def _copied(entry: Entry) -> dict[str, object]:
    """Raises ``RefusedError`` (400)."""
    content = {name: one for name, one in entry.message.items() if name in COPIED}
    if not content:
        raise bad_request("the message can't be copied")
    return content


def _forwarded(entry: Entry) -> dict[str, object]:
    """Raises ``RefusedError`` (400)."""
    message = entry.message
    if not SERVICE.isdisjoint(message):
        raise bad_request("the message can't be forwarded")
    # Forwarded once more it still names who wrote it first.
    sender, date = message.get("forward_from", message["from"]), message["date"]
    origin = {"type": "user", "sender_user": sender, "date": date}
    frame = {
        "forward_origin": message.get("forward_origin", origin),
        "forward_from": sender,
        "forward_date": message.get("forward_date", date),
    }
    return frame | {name: one for name, one in message.items() if name in COPIED | {"invoice"}}
