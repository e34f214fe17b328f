"""answerCallbackQuery."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.telegram.call import BotCall
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.stars import QUERY_TOO_OLD
from sandbox.telegram.state import State

TEXT_LENGTH_MAX = 200
URL_PREFIXES = ("https://t.me/", "http://t.me/", "tg://")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """answerCallbackQuery. That a second answer is refused, and both upper-case codes, are the
    backend's, and an assumption."""

    state: State

    async def answer_callback_query(self, call: BotCall) -> object:
        """Stop the button's progress bar, with a few words above the chat or in an alert."""
        params = call.params
        text, url = params.text("text"), params.text("url")
        if len(text.encode("utf-16-le")) // 2 > TEXT_LENGTH_MAX:
            raise bad_request("MESSAGE_TOO_LONG")
        if url and not url.startswith(URL_PREFIXES):
            raise bad_request("URL_INVALID")
        number = params.text("callback_query_id")
        tap = self.state.taps.take(call.bot, number, self.state.settings.callback_lifetime_s)
        if tap is None:
            raise bad_request(QUERY_TOO_OLD)
        chat = call.bot.chat(tap.chat_id)
        chat.toast(number, text, show_alert=params.flag("show_alert"), url=url)
        return True
