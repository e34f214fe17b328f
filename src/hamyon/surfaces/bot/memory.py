"""What the bot remembers of a chat between two updates; it lies in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hamyon.surfaces.bot.store import chats as store
from hamyon.surfaces.bot.types import Needs

PATIENCE: Final = timedelta(hours=1)
"""How long a question to a person stands; later his text is a text like any other."""


async def expect(
    needs: Needs, user_id: int, what: str, facts: Mapping[str, object] | None = None
) -> None:
    """The person's next text answers a question: ``what`` names it, ``Expecting`` catches it."""
    until = needs.clock.now() + PATIENCE
    await store.expect(needs.pool, user_id, what=what, facts=facts or {}, until=until)


async def expect_nothing(needs: Needs, user_id: int) -> None:
    """The question was answered, or has become idle."""
    await store.expect(needs.pool, user_id, what=None, facts={}, until=None)


async def remember_choices(needs: Needs, user_id: int, choices: Mapping[str, object]) -> None:
    """What to offer first the next time; JSON values."""
    await store.choose(needs.pool, user_id, choices)
