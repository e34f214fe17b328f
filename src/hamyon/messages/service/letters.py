"""The letter that a notice becomes: its own composer's, else one sentence of the catalogue."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hamyon.kit.texts import rich_text
from hamyon.messages.service.facts import shown
from hamyon.messages.types import Letter, Needs, Target, TextMessage
from hamyon.notices.types import Notice
from hamyon.users.types import User


async def compose(needs: Needs, notice: Notice, user: User) -> Letter | None:
    """The letter for ``user``; None when he need not be told."""
    composer = needs.composers.get(notice.kind)
    if composer is not None:
        return await composer.compose(notice, user)
    return plain_letter(notice, user, needs.settings.zone)


def plain_letter(notice: Notice, user: User, zone: ZoneInfo) -> Letter:
    """One sentence, in the person's language; operators have sentences of their own."""
    key = text_key(notice.kind, for_operators=notice.user_id is None)
    html = rich_text(user.language, key, shown(user.language, notice, zone))
    return Letter(Target(user.id), [TextMessage(html)])


def text_key(kind: str, *, for_operators: bool) -> str:
    """Where the catalogue has the sentence of a kind."""
    return f"notice.operators.{kind}" if for_operators else f"notice.{kind}"
