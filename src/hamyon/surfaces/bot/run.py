"""The bot: how its updates come, by the settings."""

from __future__ import annotations

import asyncio

from hamyon.surfaces.bot.polling import Polling
from hamyon.surfaces.bot.types import Needs
from hamyon.surfaces.bot.webhook import Webhook, webhook_url


class Introduced:
    """A bot that tells Telegram its commands beside its work, which waits for none of it."""

    def __init__(self, needs: Needs, bot: Polling | Webhook) -> None:
        self._needs = needs
        self._bot = bot

    async def run(self) -> None:
        """Work until ``stop``."""
        conversations = self._needs.conversations
        introducing = (
            asyncio.create_task(conversations.introduce(self._needs))
            if conversations is not None
            else None
        )
        try:
            await self._bot.run()
        finally:
            if introducing is not None:
                introducing.cancel()
                await asyncio.wait({introducing})

    def stop(self) -> None:
        """Ask for nothing more."""
        self._bot.stop()


def create_bot(needs: Needs) -> Introduced:
    """A bot over what wiring built; ``run`` it, ``stop`` it.

    ``BOT_TOKEN`` must be set, and for a webhook an address that Telegram can reach.
    """
    assert needs.bot is not None, "there is no BOT_TOKEN"
    if needs.settings.bot_mode == "polling":
        return Introduced(needs, Polling(needs, needs.bot))
    url = webhook_url(needs.settings)
    assert url is not None, "Telegram cannot reach PUBLIC_URL"
    return Introduced(needs, Webhook(needs, needs.bot, url))
