"""Methods that change or take away what the bot has sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from sandbox.telegram.call import BotCall
from sandbox.telegram.chats import Entry
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.markup import inline_only
from sandbox.telegram.media import MIXED, Media, input_media
from sandbox.telegram.messages import link_preview
from sandbox.telegram.params import Params
from sandbox.telegram.rooms import Room, Rooms
from sandbox.telegram.state import State
from sandbox.telegram.texts import caption, message_text

TEXT_FIELDS = frozenset({"text", "entities", "link_preview_options"})
CAPTION_FIELDS = frozenset({"caption", "caption_entities", "show_caption_above_media"})
FILE_FIELDS = frozenset({"photo", "video", "animation", "document", "has_media_spoiler"})
MARKUP_FIELDS = frozenset({"reply_markup"})
IDS_MAX = 100
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


@dataclass(frozen=True, slots=True)
class Edits:
    """Messages of the bot itself, however old they are; Telegram lets some be edited for 48 hours
    only. Without ``reply_markup`` an edited message has no buttons any more."""

    state: State
    rooms: Rooms
    media: Media

    async def edit_message_text(self, call: BotCall) -> object:
        content = message_text(self.state, call.params.texts)
        preview = link_preview(call.params)
        if preview is not None:
            content["link_preview_options"] = preview
        room, entry = self._find(call)
        if "text" not in entry.message:
            raise bad_request("there is no text in the message to edit")
        return self._change(call, room, entry, TEXT_FIELDS, content)

    async def edit_message_caption(self, call: BotCall) -> object:
        content = caption(self.state, call.params.texts)
        if call.params.flag("show_caption_above_media"):
            content["show_caption_above_media"] = True
        room, entry = self._find(call)
        if FILE_FIELDS.isdisjoint(entry.message):
            raise bad_request("there is no caption in the message to edit")
        return self._change(call, room, entry, CAPTION_FIELDS, content)

    async def edit_message_media(self, call: BotCall) -> object:
        """Another file in place of the one that is there, or of a text."""
        params = call.params
        params.required("media")
        try:
            given = orjson.loads(params.text("media"))
        except orjson.JSONDecodeError as error:
            raise bad_request("can't parse input media JSON object") from error
        wanted = input_media(params, given, for_album=False)
        words = caption(self.state, wanted.given)
        room, entry = self._find(call)
        if FILE_FIELDS.isdisjoint(entry.message) and "text" not in entry.message:
            raise bad_request("message can't be edited")
        if "media_group_id" in entry.message and not _fits_album(wanted.kind, entry.message):
            raise bad_request("can't change media type in the album")
        content = await self.media.content(call.bot, wanted) | words
        fields = TEXT_FIELDS | CAPTION_FIELDS | FILE_FIELDS
        return self._change(call, room, entry, fields, content)

    async def edit_message_reply_markup(self, call: BotCall) -> object:
        room, entry = self._find(call)
        return self._change(call, room, entry, frozenset(), {})

    async def delete_message(self, call: BotCall) -> object:
        if not call.params.text("chat_id"):
            raise bad_request("chat identifier is not specified")
        room = self.rooms.editable(call.bot, call.params)
        number = _message_id(call.params)
        if not number:
            raise bad_request("message identifier is not specified")
        entry = room.chat.find(number)
        if entry is None:
            raise bad_request("message to delete not found")
        room.chat.delete(entry)
        return True

    async def delete_messages(self, call: BotCall) -> object:
        """Those that are there; others are passed over."""
        numbers = message_ids(call.params)
        room = self.rooms.editable(call.bot, call.params)
        for number in numbers:
            entry = room.chat.find(number)
            if entry is not None:
                room.chat.delete(entry)
        return True

    def _find(self, call: BotCall) -> tuple[Room, Entry]:
        """The message to edit. Raises ``RefusedError`` (400, 403)."""
        params = call.params
        number = _message_id(params)
        if not params.text("chat_id") and not number:
            raise bad_request("message identifier is not specified")
        room = self.rooms.editable(call.bot, params)
        entry = room.chat.find(number)
        if entry is None:
            raise bad_request("message to edit not found")
        if not entry.is_from_bot or entry.keyboard is not None or "forward_date" in entry.message:
            raise bad_request("message can't be edited")
        return room, entry

    def _change(
        self,
        call: BotCall,
        room: Room,
        entry: Entry,
        fields: frozenset[str],
        content: Mapping[str, object],
    ) -> dict[str, object]:
        """Put ``content`` and the call's buttons in place of these fields."""
        markup = inline_only(
            call.params.text("reply_markup"),
            is_private=room.peer.id > 0,
            is_invoice="invoice" in entry.message,
        )
        # What was decoded meanwhile may have been deleted meanwhile.
        if entry.deleted:
            raise bad_request("message to edit not found")
        dropped = fields | MARKUP_FIELDS
        message = {name: one for name, one in entry.message.items() if name not in dropped}
        message.update(content)
        if markup.inline is not None:
            message["reply_markup"] = markup.inline
        if message == entry.message:
            raise bad_request(NOT_MODIFIED)
        message["edit_date"] = int(time.time())
        room.chat.edit(entry, message)
        return message


def message_ids(params: Params) -> list[int]:
    """``message_ids``. Raises ``RefusedError`` (400)."""
    if not params.text("message_ids"):
        raise bad_request("message identifiers are not specified")
    given = params.parsed("message_ids")
    if not isinstance(given, list):
        raise bad_request("expected an Array of message identifiers")
    if len(given) > IDS_MAX:
        raise bad_request("too many message identifiers specified")
    return [_as_id(one) for one in given]


def _as_id(given: object) -> int:
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 11:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise bad_request("message identifier must be a Number")
    if given <= 0:
        raise bad_request("invalid message identifier specified")
    return given


def _message_id(params: Params) -> int:
    return params.integer("message_id", 0, 0, 2**31 - 1)


def _fits_album(kind: str, message: Mapping[str, object]) -> bool:
    return kind in message or (kind in MIXED and not MIXED.isdisjoint(message))
