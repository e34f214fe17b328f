"""What bots send: sendMessage, and the way out that every other sending method takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from sandbox.telegram.bots import Bot, Sent
from sandbox.telegram.call import BotCall
from sandbox.telegram.chats import Entry
from sandbox.telegram.envelope import FloodError, bad_request
from sandbox.telegram.markup import NONE, Markup, read_markup
from sandbox.telegram.params import Params
from sandbox.telegram.rooms import Room, Rooms
from sandbox.telegram.state import Person, State
from sandbox.telegram.texts import message_text

REPLY_NOT_FOUND = "message to be replied not found"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way into a chat that has let it in; ``head`` is what stands before its
    content: topic, reply."""

    room: Room
    head: Mapping[str, object]
    markup: Markup = NONE

    def put(self, content: Mapping[str, object], page: str | None = None) -> dict[str, object]:
        """Into the chat, remembered; ``page`` is where an invoice can be paid. The message."""
        bot, peer, markup = self.room.bot, self.room.peer, self.markup
        message: dict[str, object] = {
            "message_id": bot.take_message_id(),
            "from": bot.as_user(),
            "chat": peer.as_chat(),
            "date": int(time.time()),
            **self.head,
            **content,
        }
        if markup.inline is not None:
            message["reply_markup"] = markup.inline
        self.room.chat.add(message, page, markup.keyboard)
        bot.sent.append(Sent(message, peer.id, page))
        return message


@dataclass(frozen=True, slots=True)
class Outbox:
    """Checks that are the same for everything that is sent."""

    state: State
    rooms: Rooms

    def open(
        self, call: BotCall, *, count: int = 1, is_invoice: bool = False, with_markup: bool = True
    ) -> Outgoing:
        """A place for ``count`` messages. Raises ``RefusedError`` (400, 403, 429)."""
        bot, params = call.bot, call.params
        texts = params.texts
        markup = NONE
        if with_markup and "reply_markup" in texts:
            is_private = not texts.get("chat_id", "").startswith("-")
            text = texts["reply_markup"]
            markup = read_markup(text, is_private=is_private, is_invoice=is_invoice)
        may_pay = "allow_paid_broadcast" in texts and params.flag("allow_paid_broadcast")
        limits = self.state.settings.limits
        if may_pay and not limits.paid_broadcasts_enabled:
            # The backend's code for a bot without BotFather's switch is an assumption.
            raise bad_request("PAID_BROADCAST_NOT_ALLOWED")
        peer = self.rooms.readable(bot, params).peer
        now = time.monotonic()
        # Who has blocked the bot costs as much of its pace as anybody else: an assumption.
        retry_after_s = bot.pace.admit(limits, now, peer.id, count, may_pay=may_pay)
        if retry_after_s is not None:
            raise FloodError(retry_after_s)
        room = self.rooms.writable(bot, params)
        return Outgoing(room, _head(room, params), markup)


@dataclass(frozen=True, slots=True)
class Messages:
    """Texts to people and groups."""

    state: State
    outbox: Outbox

    async def send_message(self, call: BotCall) -> object:
        """A text, with its entities and buttons. Previews of links are taken and not made."""
        content = message_text(self.state, call.params.texts)
        preview = link_preview(call.params)
        if preview is not None:
            content["link_preview_options"] = preview
        return self.outbox.open(call).put(content)


def from_person(bot: Bot, person: Person, content: Mapping[str, object]) -> dict[str, object]:
    """A message that the bot is told of as the person's own, remembered; who writes has started
    the bot."""
    message: dict[str, object] = {
        "message_id": bot.take_message_id(),
        "from": person.as_user(),
        "chat": person.as_chat(),
        "date": int(time.time()),
        **content,
    }
    chat = bot.chat(person.id)
    chat.started = True
    chat.add(message)
    return message


def link_preview(params: Params) -> dict[str, object] | None:
    """``link_preview_options`` as a message has them. Raises ``RefusedError`` (400)."""
    text = params.text("link_preview_options")
    if not text:
        is_off = params.flag("disable_web_page_preview")
        return {"is_disabled": True} if is_off else None
    try:
        options = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse link preview options JSON object") from error
    if not isinstance(options, dict):
        raise bad_request("object expected as link preview options")
    shown = {name: value for name, value in options.items() if value}
    return shown or None


def without_reply(entry: Entry) -> dict[str, object]:
    """A message as another one tells of it."""
    return {name: value for name, value in entry.message.items() if name != "reply_to_message"}


def _head(room: Room, params: Params) -> Mapping[str, object]:
    """Raises ``RefusedError`` (400)."""
    head: dict[str, object] = {}
    if room.thread_id is not None:
        head = {"message_thread_id": room.thread_id, "is_topic_message": True}
    number, may_miss, is_elsewhere = _reply_to(params, room.peer.id)
    if not number or is_elsewhere:
        return head
    entry = room.chat.find(number)
    if entry is not None:
        head["reply_to_message"] = without_reply(entry)
    elif not may_miss:
        raise bad_request(REPLY_NOT_FOUND)
    return head


def _reply_to(params: Params, chat_id: int) -> tuple[int, bool, bool]:
    """Which message is answered (0: none), whether it may be missing, whether it is in another
    chat, of which nothing is shown here."""
    if not params.text("reply_parameters"):
        number = params.integer("reply_to_message_id", 0, 0, 2**31 - 1)
        return number, params.flag("allow_sending_without_reply"), False
    try:
        given = orjson.loads(params.text("reply_parameters"))
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse reply parameters JSON object") from error
    if not isinstance(given, dict):
        raise bad_request("object expected as reply parameters")
    if not given:
        return 0, False, False
    replied = given.get("message_id")
    if isinstance(replied, bool) or not isinstance(replied, int):
        raise bad_request('can\'t find field "message_id"')
    other = given.get("chat_id")
    is_elsewhere = other is not None and str(other) != str(chat_id)
    return replied, given.get("allow_sending_without_reply") is True, is_elsewhere
