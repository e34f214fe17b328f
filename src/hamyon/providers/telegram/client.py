"""A bot at Telegram, in the words of the surface that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hamyon.providers.telegram.api import Answered, BotApi, BotOutcome, BotRefused, BotUnclear


@dataclass(frozen=True, slots=True)
class Trouble:
    """A refused call, with Telegram's ``error_code``; or, without one, an unclear one."""

    code: int | None
    description: str
    retry_after_s: float | None = None


class TelegramBot:
    """The calls that serving a bot needs, over the Bot API. None of them raises."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def get_me(self) -> str | Trouble:
        """The bot's username."""
        outcome = await self._api.call("getMe")
        if not isinstance(outcome, Answered):
            return _trouble(outcome)
        me = outcome.result
        username = me.get("username") if isinstance(me, Mapping) else None
        if not isinstance(username, str):
            return Trouble(None, "getMe: the answer names no bot")
        return username

    async def get_updates(
        self, offset: int | None, timeout_s: int, allowed_updates: Sequence[str]
    ) -> Sequence[Mapping[str, object]] | Trouble:
        """Updates from ``offset`` on, in their order; those below it are forgotten there."""
        outcome = await self._api.get_updates(offset, timeout_s, allowed_updates)
        return _trouble(outcome) if isinstance(outcome, BotRefused | BotUnclear) else outcome

    async def answer_pre_checkout(self, query_id: str, error_message: str | None) -> bool:
        """Let somebody pay, or tell him why not. Whether Telegram took the answer."""
        return await self._api.answer_pre_checkout(query_id, error_message)

    async def set_webhook(
        self, url: str, *, secret_token: str, allowed_updates: Sequence[str]
    ) -> Trouble | None:
        """Have updates sent to ``url``, beginning with those that wait. None: done."""
        return _done(
            await self._api.set_webhook(
                url, secret_token=secret_token, allowed_updates=allowed_updates
            )
        )

    async def delete_webhook(self) -> Trouble | None:
        """Keep updates for ``get_updates``; those that wait stay. None: done."""
        return _done(await self._api.delete_webhook())


def _done(outcome: BotOutcome) -> Trouble | None:
    if not isinstance(outcome, Answered):
        return _trouble(outcome)
    return None if outcome.result is True else Trouble(None, "Telegram did not say True")


def _trouble(outcome: BotRefused | BotUnclear) -> Trouble:
    if isinstance(outcome, BotUnclear):
        return Trouble(None, outcome.reason)
    return Trouble(outcome.error_code, outcome.description, outcome.retry_after_s)
