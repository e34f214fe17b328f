"""The bot: how its updates come, by the settings."""

from __future__ import annotations

from hamyon.surfaces.bot.polling import Polling
from hamyon.surfaces.bot.types import Needs
from hamyon.surfaces.bot.webhook import Webhook, webhook_url


def create_bot(needs: Needs) -> Polling | Webhook:
    """A bot over what wiring built; ``run`` it, ``stop`` it.

    ``BOT_TOKEN`` must be set, and for a webhook an address that Telegram can reach.
    """
    assert needs.bot is not None, "there is no BOT_TOKEN"
    if needs.settings.bot_mode == "polling":
        return Polling(needs, needs.bot)
    url = webhook_url(needs.settings)
    assert url is not None, "Telegram cannot reach PUBLIC_URL"
    return Webhook(needs, needs.bot, url)
