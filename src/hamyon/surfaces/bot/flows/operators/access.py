"""Who may do what here: the role is asked for at every update, an old button opens nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiogram import BaseMiddleware, Router
from aiogram.dispatcher.flags import get_flag
from aiogram.types import TelegramObject, Update

from hamyon.kit.errors import PermissionDenied
from hamyon.kit.web.permission import Operator, Role
from hamyon.surfaces.bot.flows.operators.desk import Desk
from hamyon.surfaces.bot.types import Needs
from hamyon.users.service import operators
from hamyon.users.types import Acting, User

LEAST: Final = "least_role"

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


def least(role: Role) -> dict[str, Any]:
    """A handler's flag: who has a lower role, or none, is refused in words.

    The handler gets a ``desk``.
    """
    return {LEAST: role}


class Duty(BaseMiddleware):
    """Lets nobody to a handler whose flag asks for more than his role."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        needed: Role | None = get_flag(data, LEAST)
        if needed is None:
            return await handler(event, data)
        needs: Needs = data["needs"]
        person: User = data["person"]
        update: Update = data["event_update"]
        role = await operators.role_of(needs.pool, person.id)
        if role is None or role < needed:
            raise PermissionDenied
        operator = Operator(person.id, str(person.id), role)
        acting = Acting(operator, address=None, request_id=f"tg:{update.update_id}")
        desk = Desk(needs, data["bot"], person, data["language"], acting)
        return await handler(event, data | {"desk": desk})


def guard(router: Router) -> Router:
    """Have the flags of a router's handlers obeyed."""
    router.message.middleware(Duty())
    router.callback_query.middleware(Duty())
    return router
