"""The letters about support: what operators hear of a message, and people of an answer."""

from __future__ import annotations

import re
from typing import Final

from aiogram.filters.callback_data import CallbackData

from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard, Letter, Target, TextMessage
from hamyon.notices.types import Notice
from hamyon.users.types import User

MESSAGE: Final = "support_message"
REPLY: Final = "support_reply"
CLOSED: Final = "support_closed"
KINDS: Final = (MESSAGE, REPLY, CLOSED)

_MARK: Final = re.compile(r"💬 #([1-9][0-9]{0,17})\b", re.ASCII)


class Support(CallbackData, prefix="sup"):
    """``open`` leads a person to support, ``done`` away from it; ``list`` is for operators."""

    act: str


class OfThread(CallbackData, prefix="supt"):
    """What an operator does with a conversation: ``show``, ``photos``, ``reply``, ``close``,
    ``close_yes``."""

    act: str
    thread: int


def mark(thread_id: int) -> str:
    """How a message to operators begins that they may reply to in Telegram itself."""
    return f"💬 #{thread_id}"


def thread_of_mark(said: str) -> int | None:
    """Which conversation a message of the bot is about.

    Only its very beginning counts: what follows are the words of people.
    """
    found = _MARK.match(said)
    return int(found[1]) if found else None


def thread_rows(language: Language, thread_id: int) -> Keyboard:
    """What can be done with a conversation."""
    return [
        [
            _button(language, "reply", thread_id),
            _button(language, "close", thread_id),
            _button(language, "show", thread_id),
        ]
    ]


def _button(language: Language, act: str, thread_id: int) -> Button:
    data = OfThread(act=act, thread=thread_id).pack()
    return Button(text(language, f"support.button_{act}"), data=data)


class SupportLetters:
    """``Composer`` for the kinds of this module."""

    async def compose(self, notice: Notice, user: User) -> Letter | None:
        """The letter, with the buttons that lead on."""
        language = user.language
        if notice.kind == MESSAGE:
            html = operators_letter(language, notice)
            thread_id = int(str(notice.facts["thread_id"]))
            message = TextMessage(html, thread_rows(language, thread_id))
        else:
            answer = Button(
                text(language, "support.button_answer"), data=Support(act="open").pack()
            )
            html = rich_text(language, f"notice.{notice.kind}", notice.facts)
            message = TextMessage(html, [[answer]])
        return Letter(Target(user.id), [message])


def operators_letter(language: Language, notice: Notice) -> str:
    """What operators hear of a person's message."""
    facts = dict(notice.facts)
    photos = facts.pop("photos", 0)
    shown = [str(facts.pop("text"))]
    if isinstance(photos, int) and photos:
        shown.append(text(language, "support.line_photos", {"count": photos}))
    facts |= {
        "mark": mark(int(str(facts["thread_id"]))),
        "text": "\n".join(part for part in shown if part),
    }
    return rich_text(language, "notice.operators.support_message", facts)
