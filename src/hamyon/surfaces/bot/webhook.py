"""Telling Telegram where to send updates."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog

from hamyon.kit.settings import Settings
from hamyon.surfaces.bot.backoff import Backoff
from hamyon.surfaces.bot.routes import PATH
from hamyon.surfaces.bot.types import ALLOWED_UPDATES, BotClient, Needs

log = structlog.get_logger("hamyon.bot")


def webhook_url(settings: Settings) -> str | None:
    """Where Telegram can reach us; None without https, which only a Telegram on this very machine
    does without."""
    url = settings.public_url
    if url is None:
        return None
    here = _is_here(url) and _is_here(settings.telegram_api_base_url)
    return url + PATH if here or url.startswith("https://") else None


class Webhook:
    """Sets the webhook, and then leaves the work to the route until it is stopped."""

    def __init__(self, needs: Needs, bot: BotClient, url: str) -> None:
        self._needs = needs
        self._bot = bot
        self._url = url
        self._stop = asyncio.Event()
        self._backoff = Backoff(self._stop)

    async def run(self) -> None:
        """Set it, however long that takes. Updates that wait are sent then."""
        while not self._stop.is_set():
            trouble = await self._bot.set_webhook(
                self._url, secret_token=self._needs.bot_secret, allowed_updates=ALLOWED_UPDATES
            )
            if trouble is None:
                log.info("Telegram sends updates", url=self._url)
                break
            await self._backoff.after(trouble)
        await self._stop.wait()

    def stop(self) -> None:
        """The webhook stays: whatever runs next finds what was sent meanwhile repeated."""
        self._stop.set()


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
