"""Methods about what a bot tells of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from sandbox.telegram.call import BotCall, Method
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.links import checked_url, is_this_machine, split_url
from sandbox.telegram.params import Params
from sandbox.telegram.profile import Commands, Scope
from sandbox.telegram.rooms import Rooms

LENGTHS_MAX = {"name": 64, "description": 512, "short_description": 120}
CODES = {
    "name": "BOT_TITLE_TOO_LONG",
    "description": "DESCRIPTION_TOO_LONG",
    "short_description": "ABOUT_TOO_LONG",
}
"""Assumptions: the backend's codes for what is too long."""
COMMANDS_MAX = 100
COMMAND_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 256
WIDE_SCOPES = frozenset(
    {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}
)
CHAT_SCOPES = frozenset({"chat", "chat_administrators", "chat_member"})
_COMMAND = re.compile(r"[a-z0-9_]+")
_LANGUAGE = re.compile(r"(?:[a-z]{2})?")


@dataclass(frozen=True, slots=True)
class Profiles:
    """Simple stores: what is set is read again, and shown to people by their chat."""

    rooms: Rooms

    def text_methods(self) -> dict[str, Method]:
        """A pair of methods for each text."""
        methods: dict[str, Method] = {}
        for kind, name in (
            ("name", "MyName"),
            ("description", "MyDescription"),
            ("short_description", "MyShortDescription"),
        ):
            methods[f"set{name}"] = self._set_text(kind)
            methods[f"get{name}"] = self._get_text(kind)
        return methods

    def _set_text(self, kind: str) -> Method:
        async def set_text(call: BotCall) -> object:
            text, language = call.params.text(kind), _language(call.params)
            if len(text) > LENGTHS_MAX[kind]:
                raise bad_request(CODES[kind])
            call.bot.profile.texts[kind, language] = text
            return True

        return set_text

    def _get_text(self, kind: str) -> Method:
        async def get_text(call: BotCall) -> object:
            default = call.bot.settings.first_name if kind == "name" else ""
            text = call.bot.profile.text(kind, _language(call.params), default)
            return {kind: text}

        return get_text

    async def set_my_commands(self, call: BotCall) -> object:
        scope, language = self._scope(call), _language(call.params)
        call.bot.profile.commands[scope, language] = _commands(call.params)
        return True

    async def get_my_commands(self, call: BotCall) -> object:
        """Those of exactly this scope and language."""
        key = (self._scope(call), _language(call.params))
        return call.bot.profile.commands.get(key, [])

    async def delete_my_commands(self, call: BotCall) -> object:
        call.bot.profile.commands.pop((self._scope(call), _language(call.params)), None)
        return True

    async def set_chat_menu_button(self, call: BotCall) -> object:
        """For one private chat, or for all that have none of their own."""
        button = _menu_button(call.params)
        call.bot.profile.menu_buttons[self._private_chat(call)] = button
        return True

    async def get_chat_menu_button(self, call: BotCall) -> object:
        buttons = call.bot.profile.menu_buttons
        default = buttons.get(0, {"type": "default"})
        return buttons.get(self._private_chat(call), default)

    def _private_chat(self, call: BotCall) -> int:
        if not call.params.text("chat_id"):
            return 0
        room = self.rooms.readable(call.bot, call.params)
        if room.peer.id < 0:
            raise bad_request("method is available for private chats only")
        return room.peer.id

    def _scope(self, call: BotCall) -> Scope:
        """Raises ``RefusedError`` (400)."""
        if not call.params.text("scope"):
            return ("default", 0, 0)
        try:
            scope = orjson.loads(call.params.text("scope"))
        except orjson.JSONDecodeError as error:
            raise bad_request("can't parse BotCommandScope JSON object") from error
        if not isinstance(scope, dict):
            raise _bad_scope("BotCommandScope must be an Object")
        kind = scope.get("type")
        if kind in WIDE_SCOPES:
            return (kind, 0, 0)
        if kind not in CHAT_SCOPES:
            raise _bad_scope("Unsupported type specified")
        named = Params({"chat_id": str(scope.get("chat_id") or "")})
        if not named.text("chat_id"):
            raise _bad_scope("Empty chat_id specified")
        user_id = scope.get("user_id") if kind == "chat_member" else 0
        if isinstance(user_id, bool) or not isinstance(user_id, int):
            raise _bad_scope("Invalid user_id specified")
        return (kind, self.rooms.readable(call.bot, named).peer.id, user_id)


def _bad_scope(text: str) -> RefusedError:
    return bad_request(f"can't parse BotCommandScope: {text}")


def _language(params: Params) -> str:
    language = params.text("language_code")
    if not _LANGUAGE.fullmatch(language):
        raise bad_request("invalid language code specified")
    return language


def _commands(params: Params) -> Commands:
    try:
        given = orjson.loads(params.text("commands") or "[]")
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse commands JSON object") from error
    if not isinstance(given, list):
        raise bad_request("expected an Array of BotCommand")
    if len(given) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    return [_command(one) for one in given]


def _command(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    command, description = given.get("command"), given.get("description")
    for name, value in (("command", command), ("description", description)):
        if not isinstance(value, str):
            raise bad_request(f"can't parse BotCommand: Can't find field \"{name}\"")
    command = str(command).strip().removeprefix("/")
    description = str(description).strip()
    if not command:
        raise bad_request("command must be non-empty")
    if len(command) > COMMAND_LENGTH_MAX:
        raise bad_request(f"command length must not exceed {COMMAND_LENGTH_MAX}")
    if not description:
        raise bad_request("command description must be non-empty")
    if not _COMMAND.fullmatch(command):
        raise bad_request("BOT_COMMAND_INVALID")
    if len(description) > DESCRIPTION_LENGTH_MAX:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": command, "description": description}


def _menu_button(params: Params) -> dict[str, object]:
    """Raises ``RefusedError`` (400)."""
    if not params.text("menu_button"):
        return {"type": "default"}
    try:
        given = orjson.loads(params.text("menu_button"))
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse menu button JSON object") from error
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in {"default", "commands"}:
        return {"type": kind}
    if kind != "web_app":
        told = "MenuButton has unsupported type" if kind else "MenuButton must be an Object"
        raise bad_request(f"can't parse menu button: {told}")
    app = given.get("web_app")
    text, url = given.get("text"), app.get("url") if isinstance(app, dict) else None
    if not isinstance(text, str) or not isinstance(url, str) or not text:
        raise bad_request("can't parse menu button: Can't find field \"web_app\"")
    parts = split_url(url)
    is_here = parts is not None and is_this_machine(parts.hostname or "")
    if not is_here and not (checked_url(url) or "").startswith("https://"):
        raise bad_request("BUTTON_URL_INVALID")
    return {"type": "web_app", "text": text, "web_app": {"url": url}}
