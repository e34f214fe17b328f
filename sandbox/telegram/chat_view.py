"""A chat as a person's screen shows it, in JSON: whole, or what has changed since a version."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.telegram.bots import Bot
from sandbox.telegram.chats import Chat, Entry, Toast
from sandbox.telegram.identity import as_json
from sandbox.telegram.people import People
from sandbox.telegram.spans import find_spans
from sandbox.telegram.state import Person


@dataclass(frozen=True, slots=True)
class ChatView:
    """Looks at chats and changes nothing."""

    people: People

    def whole(self, bot: Bot, person: Person) -> dict[str, object]:
        """Everything, for a screen that shows nothing yet; old toasts are over."""
        return self._told(bot, person, 0) | {"is_whole": True, "deleted": [], "toasts": []}

    def since(self, bot: Bot, person: Person, version: int) -> dict[str, object]:
        """What is new, edited or deleted, and what is short enough to be told each time."""
        return self._told(bot, person, version) | {"is_whole": False}

    def _told(self, bot: Bot, person: Person, version: int) -> dict[str, object]:
        chat = bot.chat(person.id)
        changed = list(chat.since(version))
        return {
            "version": chat.version,
            "person": as_json(person),
            "bot": _bot(bot, person),
            "is_started": chat.started,
            "is_blocked": chat.blocked,
            "messages": [_message(entry) for entry in changed if not entry.deleted],
            "deleted": [entry.id for entry in changed if entry.deleted],
            "paid": [entry.id for entry in chat.entries.values() if self._is_paid(entry)],
            "reactions": {str(number): shown for number, shown in chat.reactions.items()},
            "pinned": list(chat.pinned),
            "keyboard": chat.keyboard,
            "toasts": [_toast(one) for one in chat.toasts if one.changed > version],
            "action": _action(chat),
        }

    def _is_paid(self, entry: Entry) -> bool:
        invoice = self.people.invoice(entry)
        return invoice is not None and invoice.paid


def _bot(bot: Bot, person: Person) -> dict[str, object]:
    """The bot as it tells of itself in the person's language."""
    language = (person.language_code or "")[:2].lower()
    profile, settings = bot.profile, bot.settings
    return {
        "id": bot.id,
        "username": settings.username,
        "first_name": profile.text("name", language, settings.first_name),
        "description": profile.text("description", language),
        "commands": profile.commands_for(person.id, language),
        "menu_button": profile.menu_buttons.get(person.id) or profile.menu_buttons.get(0),
    }


def _message(entry: Entry) -> dict[str, object]:
    """A message, whose it is, and what Telegram's apps mark in its words by themselves."""
    message = entry.message
    words = message.get("text") or message.get("caption") or ""
    return {
        "message": message,
        "is_mine": not entry.is_from_bot,
        "forces_reply": "force_reply" in (entry.keyboard or {}),
        "spans": find_spans(str(words)),
    }


def _toast(one: Toast) -> dict[str, object]:
    return {
        "query_id": one.query_id,
        "text": one.text,
        "show_alert": one.show_alert,
        "url": one.url,
    }


def _action(chat: Chat) -> dict[str, object] | None:
    if chat.action is None or chat.action.name == "cancel":
        return None
    return {"name": chat.action.name, "age_s": round(time.monotonic() - chat.action.at, 3)}
