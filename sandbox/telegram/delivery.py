"""Webhooks: every update to the bot's address, repeated until it is taken, in order."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from aiohttp import ClientError, ClientResponse, ClientTimeout

from sandbox.telegram.bots import Bot, Update, Webhook
from sandbox.telegram.envelope import RefusedError
from sandbox.telegram.params import Params, read_reply
from sandbox.telegram.state import State

RETRY_AFTER_S_MAX = 3600
RESEND_S_MAX = 60

Reply = Callable[[Bot, Params], Awaitable[None]]
"""Executes what a webhook's answer asks for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends what waits. Each kind of updates of one person or chat has its own lane: an update
    that is not taken holds up its lane and no other."""

    state: State
    reply: Reply

    def add(self, bot: Bot, update: Update) -> None:
        """Send an update, when the bot has a webhook."""
        webhook = bot.webhook
        if webhook is None:
            return
        key = (update.news.kind, update.news.subject)
        lane = webhook.lanes.get(key)
        if lane is not None:
            lane.append(update)
            return
        webhook.lanes[key] = deque([update])
        task = asyncio.create_task(self._drain(bot, webhook, key))
        webhook.tasks.add(task)
        task.add_done_callback(webhook.tasks.discard)

    def open(self, bot: Bot, webhook: Webhook) -> None:
        """Send to this address from now on, beginning with what waits."""
        self.close(bot)
        bot.webhook = webhook
        for update in tuple(bot.waiting.values()):
            self.add(bot, update)

    def close(self, bot: Bot) -> None:
        """Send nothing any more; what was not taken waits on."""
        webhook, bot.webhook = bot.webhook, None
        if webhook is not None:
            for task in tuple(webhook.tasks):
                task.cancel()

    async def _drain(self, bot: Bot, webhook: Webhook, key: tuple[str, int]) -> None:
        lane = webhook.lanes[key]
        try:
            while lane:
                await self._deliver(bot, webhook, lane[0])
                lane.popleft()
        finally:
            del webhook.lanes[key]

    async def _deliver(self, bot: Bot, webhook: Webhook, update: Update) -> None:
        """All copies of one update, each until it is taken or too old."""
        while update.copies and update.id in bot.waiting:
            taken = await self._until_taken(bot, webhook, update)
            bot.counts.updates["delivered" if taken else "expired"] += 1
            update.copies = update.copies - 1 if taken else 0
        bot.waiting.pop(update.id, None)

    async def _until_taken(self, bot: Bot, webhook: Webhook, update: Update) -> bool:
        """The server's own rhythm: again at once, then after 2, 4, 8... up to 60 to 120 seconds;
        a ``Retry-After`` takes their place. Its age counts as if nothing were scaled."""
        delay_s, age_s, is_repeat = 1, 0, False
        while True:
            retry_after_s = await self._attempt(bot, webhook, update)
            if retry_after_s is None:
                return True
            wait_s = min(retry_after_s, RETRY_AFTER_S_MAX)
            if not wait_s and is_repeat:
                longest_s = RESEND_S_MAX + secrets.randbelow(RESEND_S_MAX + 1)
                wait_s = delay_s = min(longest_s, delay_s * 2)
            is_repeat = True
            age_s += wait_s
            if age_s > update.news.lifetime_s:
                return False
            await asyncio.sleep(wait_s * self.state.settings.webhooks.retry_scale)

    async def _attempt(self, bot: Bot, webhook: Webhook, update: Update) -> int | None:
        """None when it was taken, else the ``Retry-After`` in seconds, or 0."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
        secret = secrets.token_hex(16) if update.is_forged else webhook.secret
        update.is_forged = False
        if secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = secret
        body = orjson.dumps(update.as_json())
        timeout = ClientTimeout(total=self.state.settings.webhooks.timeout_s)
        counts = bot.counts.webhooks
        async with webhook.slots:
            counts["sent"] += 1
            try:
                async with self.state.session.post(
                    webhook.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
                ) as answer:
                    if 200 <= answer.status < 300:
                        counts["answered"] += 1
                        asked = await _asked(answer)
                    else:
                        _failed(bot, webhook, _wrong_response(answer))
                        return _retry_after_s(answer)
            except (ClientError, OSError, TimeoutError, ValueError) as error:
                _failed(bot, webhook, str(error) or type(error).__name__)
                return 0
        if asked.text("method"):
            counts["replies"] += 1
            await self.reply(bot, asked)
        return None


async def _asked(answer: ClientResponse) -> Params:
    """What the answer asks for; one that cannot be read asks for nothing."""
    try:
        return await read_reply(answer)
    except (ValueError, RefusedError):
        return Params()


def _failed(bot: Bot, webhook: Webhook, error: str) -> None:
    bot.counts.webhooks["failed"] += 1
    webhook.last_error_at = int(time.time())
    webhook.last_error = error


def _wrong_response(answer: ClientResponse) -> str:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = answer.reason or ""
    return f"Wrong response from the webhook: {answer.status} {phrase}"


def _retry_after_s(answer: ClientResponse) -> int:
    given = answer.headers.get("Retry-After", "")
    return int(given) if given.isascii() and given.isdecimal() else 0
