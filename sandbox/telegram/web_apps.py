"""Mini Apps: how a person's Telegram opens one, with signed words that say who it is."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

import orjson

from sandbox.telegram.bots import Bot
from sandbox.telegram.chats import Chat
from sandbox.telegram.state import Person

VERSION = "9.0"
PLATFORM = "weba"


def init_data(bot: Bot, person: Person) -> str:
    """``initData`` as Telegram signs it with the bot's token.

    Without ``signature``, which only Telegram's own key could make.
    """
    user = person.as_user()
    del user["is_bot"]
    fields = {
        "query_id": "AA" + secrets.token_urlsafe(15),
        "user": orjson.dumps(user).decode(),
        "auth_date": str(int(time.time())),
    }
    told = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    key = hmac.digest(b"WebAppData", bot.settings.token.encode(), hashlib.sha256)
    signed = hmac.new(key, told.encode(), hashlib.sha256).hexdigest()
    return urlencode(fields | {"hash": signed}, quote_via=quote)


def launch_url(bot: Bot, person: Person, url: str) -> str:
    """The address under which the app is opened; what Telegram adds stands behind the ``#``."""
    added = {
        "tgWebAppData": init_data(bot, person),
        "tgWebAppVersion": VERSION,
        "tgWebAppPlatform": PLATFORM,
        "tgWebAppThemeParams": "{}",
    }
    joint = "&" if "#" in url else "#"
    return f"{url}{joint}{urlencode(added, quote_via=quote)}"


def app_urls(bot: Bot, chat: Chat) -> Iterator[object]:
    """Every Mini App that the chat has a button for now."""
    menus = bot.profile.menu_buttons
    yield _url(menus.get(chat.id) or menus.get(0) or {})
    for entry in chat.entries.values():
        for button in () if entry.deleted else inline_buttons(entry.message):
            yield _url(button)


def inline_buttons(message: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The buttons under a message as it now stands."""
    markup = message.get("reply_markup")
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    return [button for row in rows for button in row]


def _url(button: Mapping[str, object]) -> object:
    app = button.get("web_app")
    return app.get("url") if isinstance(app, dict) else None
