"""Which updates a handler is for, beyond what aiogram's own filters say."""

from __future__ import annotations

from aiogram.filters import Filter
from aiogram.types import TelegramObject

from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.types import Chat, Needs
from hamyon.users.service import operators
from hamyon.users.types import User


class Expecting(Filter):
    """The person was asked for ``what``, and answers now."""

    def __init__(self, what: str) -> None:
        self._what = what

    async def __call__(self, event: TelegramObject, chat: Chat) -> bool:
        return chat.expecting == self._what


class Operates(Filter):
    """The person has a role, at least this one; handlers get it as ``role``.

    For everybody else the handler does not exist. The database is asked each time.
    """

    def __init__(self, least: Role = Role.SUPPORT) -> None:
        self._least = least

    async def __call__(
        self, event: TelegramObject, needs: Needs, person: User
    ) -> bool | dict[str, object]:
        role = await operators.role_of(needs.pool, person.id)
        if role is None or role < self._least:
            return False
        return {"role": role}
