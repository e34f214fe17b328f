"""Buttons: inline keyboards under a message, and keyboards in place of the person's letters."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.links import checked_url, is_this_machine

CALLBACK_BYTES_MAX = 64
COPY_LENGTH_MAX = 256
INLINE_BUTTONS_MAX = 100
BUTTONS_MAX = 300
INLINE_KINDS = (
    "url",
    "callback_data",
    "callback_game",
    "pay",
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "login_url",
    "web_app",
    "copy_text",
)
"""In the order in which the server looks for them; a button is the first that it has."""
MAY_BE_EMPTY = frozenset({"switch_inline_query", "switch_inline_query_current_chat"})


@dataclass(frozen=True, slots=True)
class Markup:
    """``inline`` becomes part of the message; ``keyboard`` changes what the person types with."""

    inline: dict[str, object] | None = None
    keyboard: dict[str, object] | None = None


NONE = Markup()


def read_markup(text: str, *, is_private: bool, is_invoice: bool = False) -> Markup:
    """What ``reply_markup`` asks for. Raises ``RefusedError`` (400).

    That too many buttons are ``REPLY_MARKUP_TOO_LONG``, and which codes bad buttons have, is the
    backend's: assumptions.
    """
    if not text:
        return NONE
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse reply keyboard markup JSON object") from error
    if not isinstance(given, dict):
        raise bad_request("object expected as reply markup")
    if given.get("keyboard") is not None:
        return _keyboard(given)
    if given.get("inline_keyboard") is not None:
        return _inline(given["inline_keyboard"], is_private=is_private, is_invoice=is_invoice)
    if given.get("remove_keyboard") is True or given.get("force_reply") is True:
        return Markup(keyboard=_shown(given))
    return NONE


def inline_only(text: str, *, is_private: bool, is_invoice: bool = False) -> Markup:
    """The markup of a message that is edited. Raises ``RefusedError`` (400)."""
    markup = read_markup(text, is_private=is_private, is_invoice=is_invoice)
    if markup.keyboard is not None:
        raise bad_request("inline keyboard expected")
    return markup


def _inline(given: object, *, is_private: bool, is_invoice: bool) -> Markup:
    rows: list[list[dict[str, object]]] = []
    is_first = True
    for row in _rows(given, 'field "inline_keyboard" of the InlineKeyboardMarkup'):
        buttons = []
        for button in row:
            shown = _inline_button(button, is_private=is_private)
            if ("pay" in shown) and not (is_invoice and is_first):
                raise bad_request("BUTTON_TYPE_INVALID")
            if is_invoice and is_first and "pay" not in shown:
                raise bad_request("REPLY_MARKUP_BUY_EMPTY")
            is_first = False
            buttons.append(shown)
        if buttons:
            rows.append(buttons)
    if sum(map(len, rows)) > INLINE_BUTTONS_MAX:
        raise bad_request("reply markup is too long")
    return Markup(inline={"inline_keyboard": rows}) if rows else NONE


def _rows(given: object, name: str) -> list[list[object]]:
    if not isinstance(given, list) or not all(isinstance(row, list) for row in given):
        raise bad_request(f"{name} must be an Array of Arrays")
    return given


def _inline_button(given: object, *, is_private: bool) -> dict[str, object]:
    if not isinstance(given, dict):
        raise _bad_inline("InlineKeyboardButton must be an Object")
    text = given.get("text")
    if not isinstance(text, str):
        raise _bad_inline('Can\'t find field "text"')
    if not text:
        raise bad_request("inline keyboard button text must be non-empty")
    kind = next((name for name in INLINE_KINDS if _has(given, name)), None)
    if kind is None:
        raise _bad_inline("Text buttons are unallowed in the inline keyboard")
    value = given[kind]
    if kind == "callback_data":
        if not isinstance(value, str) or len(value.encode()) > CALLBACK_BYTES_MAX:
            raise bad_request("BUTTON_DATA_INVALID")
    elif kind == "url":
        _check_url(value, is_web_app=False)
    elif kind == "web_app":
        if not is_private:
            raise bad_request("BUTTON_TYPE_INVALID")
        _check_url(_field(value, "url"), is_web_app=True)
    elif kind == "copy_text" and not 1 <= len(_field(value, "text")) <= COPY_LENGTH_MAX:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    return {"text": text, kind: value} | _look(given)


def _has(button: Mapping[str, object], name: str) -> bool:
    value = button.get(name)
    return value is not None and (value != "" or name in MAY_BE_EMPTY)


def _look(button: Mapping[str, object]) -> dict[str, object]:
    return {
        name: button[name]
        for name in ("style", "icon_custom_emoji_id")
        if button.get(name) is not None
    }


def _field(value: object, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise _bad_inline(f'Can\'t find field "{name}"')
    return found


def _check_url(url: object, *, is_web_app: bool) -> None:
    """A link that Telegram takes, or anything to this machine, which Telegram would refuse."""
    if not isinstance(url, str):
        raise bad_request("BUTTON_URL_INVALID")
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and is_this_machine(parts.hostname or ""):
            return
    checked = checked_url(url)
    if checked is None or (is_web_app and not checked.startswith("https://")):
        raise bad_request("BUTTON_URL_INVALID")


def _keyboard(given: Mapping[str, object]) -> Markup:
    rows: list[list[dict[str, object]]] = []
    for row in _rows(given["keyboard"], 'field "keyboard"'):
        buttons = [_button(button) for button in row]
        if buttons:
            rows.append(buttons)
    if sum(map(len, rows)) > BUTTONS_MAX:
        raise bad_request("reply markup is too long")
    return Markup(keyboard=_shown(given) | {"keyboard": rows}) if rows else NONE


def _button(given: object) -> dict[str, object]:
    if isinstance(given, str):
        given = {"text": given}
    if not isinstance(given, dict):
        raise _bad_button("KeyboardButton must be a String or an Object")
    text = given.get("text")
    if not isinstance(text, str):
        raise _bad_button('Can\'t find field "text"')
    if not text:
        raise bad_request("keyboard button text must be non-empty")
    if given.get("web_app") is not None:
        _check_url(_field(given["web_app"], "url"), is_web_app=True)
    return _shown(given)


def _shown(given: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if value is not None}


def _bad_inline(text: str) -> RefusedError:
    return bad_request(f"can't parse inline keyboard button: {text}")


def _bad_button(text: str) -> RefusedError:
    return bad_request(f"can't parse keyboard button: {text}")
