"""Small methods about a chat: what it is, "typing", reactions, pins."""

from __future__ import annotations

import time
from dataclasses import dataclass

import orjson

from sandbox.telegram.call import BotCall
from sandbox.telegram.chats import Action, Entry
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.messages import without_reply
from sandbox.telegram.rooms import Room, Rooms

ACTIONS = frozenset(
    {
        "cancel",
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_audio",
        "record_voice",
        "upload_audio",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "pick_up_location",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)
REACTIONS_MAX = 1
GIFTS = (
    "unlimited_gifts",
    "limited_gifts",
    "unique_gifts",
    "premium_subscription",
    "gifts_from_channels",
)


@dataclass(frozen=True, slots=True)
class Talk:
    """None of these counts as sending."""

    rooms: Rooms

    async def send_chat_action(self, call: BotCall) -> object:
        name = call.params.text("action").strip().lower()
        if name not in ACTIONS:
            raise bad_request("wrong parameter action in request")
        room = self.rooms.writable(call.bot, call.params)
        room.chat.act(Action(name, time.monotonic(), room.thread_id))
        return True

    async def get_chat(self, call: BotCall) -> object:
        """What a bot may know of everybody; pictures and the like are nobody's here."""
        room = self.rooms.readable(call.bot, call.params)
        full = room.peer.as_chat() | {
            "accent_color_id": abs(room.peer.id) % 7,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys(GIFTS, True),
        }
        pinned = [entry for number in room.chat.pinned if (entry := room.chat.find(number))]
        if pinned:
            full["pinned_message"] = without_reply(pinned[-1])
        return full

    async def set_message_reaction(self, call: BotCall) -> object:
        """One emoji, or none. That more are refused by this code is an assumption."""
        reactions = _reactions(call.params.text("reaction"))
        room, entry = self._find(call, "message to react not found")
        if len(reactions) > REACTIONS_MAX:
            raise bad_request("REACTIONS_TOO_MANY")
        room.chat.reactions[entry.id] = reactions
        entry.changed = room.chat.version + 1
        room.chat.touch()
        return True

    async def pin_chat_message(self, call: BotCall) -> object:
        room, entry = self._find(call, "message to pin not found")
        if entry.id in room.chat.pinned:
            room.chat.pinned.remove(entry.id)
        room.chat.pinned.append(entry.id)
        room.chat.touch()
        return True

    async def unpin_chat_message(self, call: BotCall) -> object:
        """The one that is named, or the last."""
        room = self.rooms.editable(call.bot, call.params)
        pinned = room.chat.pinned
        number = call.params.integer("message_id", 0, 0, 2**31 - 1)
        if not number and pinned:
            number = pinned[-1]
        if number not in pinned:
            raise bad_request("message to unpin not found")
        pinned.remove(number)
        room.chat.touch()
        return True

    async def unpin_all_chat_messages(self, call: BotCall) -> object:
        room = self.rooms.editable(call.bot, call.params)
        room.chat.pinned.clear()
        room.chat.touch()
        return True

    def _find(self, call: BotCall, missing: str) -> tuple[Room, Entry]:
        room = self.rooms.editable(call.bot, call.params)
        entry = room.chat.find(call.params.integer("message_id", 0, 0, 2**31 - 1))
        if entry is None:
            raise bad_request(missing)
        return room, entry


def _reactions(text: str) -> list[object]:
    """Raises ``RefusedError`` (400)."""
    if not text:
        return []
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse reaction types JSON object") from error
    if not isinstance(given, list):
        raise bad_request("expected an Array of ReactionType")
    for one in given:
        if not isinstance(one, dict):
            raise _bad_reaction("expected an Object")
        kind = one.get("type")
        if kind not in {"emoji", "custom_emoji"}:
            raise _bad_reaction("invalid reaction type specified")
        field = "emoji" if kind == "emoji" else "custom_emoji_id"
        if not isinstance(one.get(field), str) or not one[field]:
            raise _bad_reaction(f'Can\'t find field "{field}"')
    return given


def _bad_reaction(text: str) -> RefusedError:
    return bad_request(f"can't parse ReactionType: {text}")
