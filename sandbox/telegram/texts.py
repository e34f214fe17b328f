"""The text or caption of a call, with its entities, within its limits."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from sandbox.telegram.entities import Entity, EntityError, Formatted, tidy, units
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.html_parser import parse_html
from sandbox.telegram.markdown_parser import parse_markdown
from sandbox.telegram.state import State

TEXT_LENGTH_MAX = 4096
CAPTION_LENGTH_MAX = 1024
SOURCE_BYTES_MAX = 32_768
PARSERS = {"html": parse_html, "markdownv2": parse_markdown}
"""Legacy Markdown is not played."""


def message_text(state: State, given: Mapping[str, str]) -> dict[str, object]:
    """``text`` and ``entities`` as a message has them. Raises ``RefusedError`` (400).

    Links, commands and the like that Telegram finds in a text by itself are not looked for.
    """
    text, mode = given.get("text", ""), given.get("parse_mode", "")
    if not text.strip():
        raise bad_request("message text is empty")
    if not mode and not given.get("entities"):
        # Nearly every message comes this way, and a thousand of them a second.
        shown = text.replace("\r", "").strip()
        if len(text) > SOURCE_BYTES_MAX // 4:
            _check_source(text)
        if len(shown) > TEXT_LENGTH_MAX // 2 and units(shown) > TEXT_LENGTH_MAX:
            raise bad_request("message is too long")
        return {"text": shown}
    formatted = _read(text, mode, given.get("entities", ""))
    if not formatted.text:
        raise bad_request("message text is empty")
    if units(formatted.text) > TEXT_LENGTH_MAX:
        raise bad_request("message is too long")
    content: dict[str, object] = {"text": formatted.text}
    if formatted.entities:
        content["entities"] = _as_json(state, formatted)
    return content


def caption(state: State, given: Mapping[str, str]) -> dict[str, object]:
    """``caption`` and ``caption_entities``, or nothing. Raises ``RefusedError`` (400)."""
    entities = given.get("caption_entities", "")
    formatted = _read(given.get("caption", ""), given.get("parse_mode", ""), entities)
    if units(formatted.text) > CAPTION_LENGTH_MAX:
        raise bad_request("message caption is too long")
    content: dict[str, object] = {}
    if formatted.text:
        content["caption"] = formatted.text
        if formatted.entities:
            content["caption_entities"] = _as_json(state, formatted)
    return content


def _read(text: str, mode: str, entities: str) -> Formatted:
    _check_source(text)
    mode = mode.lower()
    if not text or mode in {"", "none"}:
        return tidy(text, _given(entities) if text and entities else ())
    parser = PARSERS.get(mode)
    if parser is None:
        raise bad_request("unsupported parse_mode")
    try:
        return tidy(*parser(text))
    except EntityError as error:
        raise bad_request(f"can't parse entities: {error}") from error


def _check_source(text: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > SOURCE_BYTES_MAX:
        raise bad_request("text is too long")


def _given(entities: str) -> list[Entity]:
    """Entities that the caller has made himself; a list that is none is no entity, as there."""
    try:
        listed = orjson.loads(entities)
    except orjson.JSONDecodeError:
        return []
    return [_entity(one) for one in listed] if isinstance(listed, list) else []


def _entity(given: object) -> Entity:
    if not isinstance(given, dict):
        raise _bad_entity("expected an Object")
    kind, offset, length = given.get("type"), given.get("offset"), given.get("length")
    for name, value in (("offset", offset), ("length", length)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise _bad_entity(f'Can\'t find field "{name}"')
    if not isinstance(kind, str):
        raise _bad_entity('Can\'t find field "type"')
    assert isinstance(offset, int)
    assert isinstance(length, int)
    if not 0 <= offset <= 1_000_000:
        raise bad_request(f"receive an entity with incorrect offset {offset}")
    if not 0 <= length <= 1_000_000:
        raise bad_request(f"receive an entity with incorrect length {length}")
    argument = {
        name: given[name] for name in ("url", "language", "custom_emoji_id") if name in given
    }
    user = given.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    return Entity(kind, offset, length, argument, user_id if isinstance(user_id, int) else None)


def _bad_entity(text: str) -> RefusedError:
    return bad_request(f"can't parse MessageEntity: {text}")


def _as_json(state: State, formatted: Formatted) -> list[dict[str, object]]:
    shown = []
    for one in formatted.entities:
        entity = one.as_json()
        if one.user_id is not None:
            entity["user"] = state.person(one.user_id).as_user()
        shown.append(entity)
    return shown
