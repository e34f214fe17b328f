"""What a bot tells of itself: names, descriptions, commands and the button beside the input."""

from __future__ import annotations

from dataclasses import dataclass, field

Commands = list[dict[str, object]]
Scope = tuple[str, int, int]
"""A scope's type with the chat and the person that it is about, or 0."""


@dataclass(slots=True)
class Profile:
    """``texts`` are by kind (``name``, ``description``, ``short_description``) and language;
    ``commands`` by scope and language; ``menu_buttons`` by chat, 0 for all others."""

    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    commands: dict[tuple[Scope, str], Commands] = field(default_factory=dict)
    menu_buttons: dict[int, dict[str, object]] = field(default_factory=dict)

    def text(self, kind: str, language: str, default: str = "") -> str:
        """In this language, else in the one for everybody."""
        return self.texts.get((kind, language)) or self.texts.get((kind, "")) or default

    def commands_for(self, chat_id: int, language: str | None) -> Commands:
        """What a person's list of commands shows in a private chat: the nearest scope's, in the
        person's language before all others."""
        scopes: tuple[Scope, ...] = (
            ("chat", chat_id, 0),
            ("all_private_chats", 0, 0),
            ("default", 0, 0),
        )
        for scope in scopes:
            for one in (language or "", ""):
                found = self.commands.get((scope, one))
                if found:
                    return found
        return []
