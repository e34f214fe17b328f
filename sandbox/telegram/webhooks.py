"""setWebhook, deleteWebhook, getWebhookInfo."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.telegram.bots import Webhook
from sandbox.telegram.call import BotCall
from sandbox.telegram.delivery import Delivery
from sandbox.telegram.envelope import RefusedError, Told, bad_request
from sandbox.telegram.links import is_this_machine
from sandbox.telegram.updates import forget_waiting, remember_allowed

CONNECTIONS = 40
CONNECTIONS_MAX = 100
SECRET_LENGTH_MAX = 256
PORTS = frozenset({443, 80, 88, 8443})
SET_WEBHOOK = "Conflict: terminated by setWebhook request"
_SECRET = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The methods about a bot's webhook. Certificates and fixed addresses are not looked at."""

    delivery: Delivery

    async def set_webhook(self, call: BotCall) -> object:
        """Send updates to ``url`` from now on; an empty one is deleteWebhook."""
        bot, params = call.bot, call.params
        url = params.text("url")
        if not url:
            return await self.delete_webhook(call)
        _check_url(url)
        secret = params.text("secret_token")
        if len(secret) > SECRET_LENGTH_MAX:
            raise bad_request("secret token is too long")
        if not _SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        connections = params.integer("max_connections", CONNECTIONS, 1, CONNECTIONS_MAX)
        remember_allowed(bot, params)
        drops = params.flag("drop_pending_updates")
        now = bot.webhook
        if now is not None and not drops:
            wanted = (url, secret, connections)
            if (now.url, now.secret, now.max_connections) == wanted:
                return Told(result=True, description="Webhook is already set")
        if drops:
            forget_waiting(bot)
        bot.wake(RefusedError(409, SET_WEBHOOK))
        webhook = Webhook(url, secret, connections, asyncio.Semaphore(connections))
        self.delivery.open(bot, webhook)
        return Told(result=True, description="Webhook was set")

    async def delete_webhook(self, call: BotCall) -> object:
        """Back to getUpdates, which then brings what was not taken."""
        bot = call.bot
        if call.params.flag("drop_pending_updates"):
            forget_waiting(bot)
        if bot.webhook is None:
            return Told(result=True, description="Webhook is already deleted")
        self.delivery.close(bot)
        return Told(result=True, description="Webhook was deleted")

    async def get_webhook_info(self, call: BotCall) -> object:
        bot, webhook = call.bot, call.bot.webhook
        info: dict[str, object] = {
            "url": "" if webhook is None else webhook.url,
            "has_custom_certificate": False,
            "pending_update_count": len(bot.waiting),
        }
        if webhook is not None:
            if webhook.last_error_at:
                info["last_error_date"] = webhook.last_error_at
                info["last_error_message"] = webhook.last_error
            info["max_connections"] = webhook.max_connections
            info["ip_address"] = "<unknown>"
        if bot.allowed_updates is not None:
            info["allowed_updates"] = sorted(bot.allowed_updates)
        return info


def _check_url(url: str) -> None:
    """HTTPS on one of four ports; anything to this machine, which Telegram would refuse.

    Raises ``RefusedError`` (400).
    """
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port
    except ValueError as error:
        raise bad_request("invalid webhook URL specified") from error
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise bad_request("invalid webhook URL specified")
    if is_this_machine(parts.hostname):
        return
    if parts.scheme == "http":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if port is not None and port not in PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
