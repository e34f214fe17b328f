"""What bots send: sendMessage, and the record that the others write into."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.telegram.bots import Bot, Sent
from sandbox.telegram.call import BotCall
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.params import Params
from sandbox.telegram.state import Person, State

TEXT_LENGTH_MAX = 4096


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages to people. Everybody has started every bot, and there are no groups yet."""

    state: State

    async def send_message(self, call: BotCall) -> object:
        """A text. Its entities and buttons are taken and not played."""
        person = self.chat(call.params)
        text = call.params.text("text")
        if not text.strip():
            raise bad_request("message text is empty")
        # Telegram counts the 16-bit units of UTF-16.
        if len(text.encode("utf-16-le")) // 2 > TEXT_LENGTH_MAX:
            raise bad_request("message is too long")
        return record(call.bot, person, {"text": text})

    def chat(self, params: Params) -> Person:
        """Whom ``chat_id`` names. Raises ``RefusedError`` (400)."""
        given = params.text("chat_id").strip()
        if not given:
            raise bad_request("chat_id is empty")
        if not (given.isascii() and given.isdecimal() and 0 < int(given) < 2**52):
            raise bad_request("chat not found")
        return self.state.person(int(given))


def record(
    bot: Bot, person: Person, content: Mapping[str, object], *, page: str | None = None
) -> dict[str, object]:
    """A message from the bot, remembered; ``page`` is where its invoice can be paid."""
    message = _frame(bot, bot.as_user(), person) | dict(content)
    bot.sent.append(Sent(message, person.id, page))
    return message


def from_person(bot: Bot, person: Person, content: Mapping[str, object]) -> dict[str, object]:
    """A message that the bot is told of as the person's own."""
    return _frame(bot, person.as_user(), person) | dict(content)


def _frame(bot: Bot, sender: Mapping[str, object], person: Person) -> dict[str, object]:
    return {
        "message_id": bot.take_message_id(),
        "from": sender,
        "chat": person.as_chat(),
        "date": int(time.time()),
    }
