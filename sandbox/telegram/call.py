"""One call of a method, and what a method is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sandbox.telegram.bots import Bot
from sandbox.telegram.params import Params


@dataclass(frozen=True, slots=True)
class BotCall:
    """Who calls with what. ``request`` is None for a call in a webhook's answer."""

    bot: Bot
    params: Params
    request: web.Request | None = None

    @property
    def origin(self) -> str:
        """The address under which the caller reaches this machine."""
        return "" if self.request is None else f"{self.request.scheme}://{self.request.host}"

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        if self.request is None:
            return False
        return self.request.transport is None or self.request.transport.is_closing()


Method = Callable[[BotCall], Awaitable[object]]
"""Answers a call with its result. Raises ``RefusedError``."""
