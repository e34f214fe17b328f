"""Which chat a call means, and whether the bot may write there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.telegram.bots import Bot
from sandbox.telegram.chats import Chat
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.params import Params
from sandbox.telegram.state import Group, Peer, State

BLOCKED = "Forbidden: bot was blocked by the user"
DEACTIVATED = "Forbidden: user is deactivated"
NOT_STARTED = "Forbidden: bot can't initiate conversation with a user"
UPGRADED = "Bad Request: group chat was upgraded to a supergroup chat"
CHAT_ID_LIMIT = 2**52
_CHAT_ID = re.compile(r"-?[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Room:
    """A chat as the bot sees it; ``thread_id`` is a topic in it."""

    bot: Bot
    peer: Peer
    chat: Chat
    thread_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rooms:
    """Every person exists; groups are those that a test has made."""

    state: State

    def readable(self, bot: Bot, params: Params, name: str = "chat_id") -> Room:
        """Raises ``RefusedError`` (400)."""
        peer = self._peer(params.text(name).strip())
        return Room(bot, peer, bot.chat(peer.id))

    def editable(self, bot: Bot, params: Params) -> Room:
        """Raises ``RefusedError`` (400, 403)."""
        room = self.readable(bot, params)
        _check_alive(room.peer)
        return room

    def writable(self, bot: Bot, params: Params) -> Room:
        """With the topic that the call names. Raises ``RefusedError`` (400, 403)."""
        room = self.editable(bot, params)
        if room.peer.id > 0:
            if room.chat.blocked:
                raise RefusedError(403, BLOCKED)
            if self.state.settings.people_must_start and not room.chat.started:
                raise RefusedError(403, NOT_STARTED)
        if not params.text("message_thread_id"):
            return room
        thread_id = params.integer("message_thread_id", 0, 0, 2**31 - 1)
        if not thread_id:
            return room
        if isinstance(room.peer, Group) and not room.peer.is_forum:
            # A group without topics has no threads to look for: the field is passed over.
            return room
        if thread_id not in room.peer.topics:
            raise bad_request("message thread not found")
        return Room(bot, room.peer, room.chat, thread_id)

    def _peer(self, given: str) -> Peer:
        if not given:
            raise bad_request("chat_id is empty")
        number = int(given) if _CHAT_ID.fullmatch(given) else 0
        if not 0 < abs(number) < CHAT_ID_LIMIT:
            raise bad_request("chat not found")
        if number > 0:
            return self.state.person(number)
        group = self.state.groups.get(number)
        if group is None:
            raise bad_request("chat not found")
        return group


def _check_alive(peer: Peer) -> None:
    if not isinstance(peer, Group):
        if peer.is_deactivated:
            raise RefusedError(403, DEACTIVATED)
        return
    if peer.migrated_to is not None:
        raise RefusedError(400, UPGRADED, {"migrate_to_chat_id": peer.migrated_to})
    if peer.is_kicked:
        kind = "supergroup" if peer.is_supergroup else "group"
        raise RefusedError(403, f"Forbidden: bot was kicked from the {kind} chat")
