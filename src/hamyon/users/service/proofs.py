"""Telegram's proofs of who a person is: Mini App ``initData`` and the Login Widget's fields.

Both are an HMAC-SHA256 over sorted ``key=value`` lines, under different keys made of the bot's
token (wire.md 5.6 and 5.7), so that one scheme's hash is worthless in the other. Nothing is read
out of a proof before its hash was compared.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from hamyon.users.errors import SignInExpired, SignInRefused, SignInUnavailable
from hamyon.users.types import TELEGRAM_ID_MAX, SignIn, TelegramPerson

INIT_DATA_CHARACTERS_MAX: Final = 8192
FIELDS_MAX: Final = 32
FUTURE_S_MAX: Final = 60
TEXT_CHARACTERS_MAX: Final = 512
WIDGET_FIELDS: Final = frozenset(
    ("id", "first_name", "last_name", "username", "photo_url", "auth_date", "hash")
)
_FIELD_NAME: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A line break in a value would let two different sets of fields make the same signed lines.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def read_init_data(raw: str, sign_in: SignIn, *, now: datetime) -> TelegramPerson:
    """Whom a Mini App's ``initData`` proves. It may be presented again while it is young.

    Raises SignInUnavailable, SignInRefused and SignInExpired.
    """
    token = _token(sign_in)
    fields = _fields_of_query(raw)
    _check_hash(fields, hmac.digest(b"WebAppData", token, "sha256"))
    auth_date = _auth_date(fields, sign_in.proof_ttl_s, now)
    person = _person_json(fields.get("user"))
    return TelegramPerson(
        id=_person_id(person.get("id")),
        first_name=_text(person, "first_name"),
        last_name=_text(person, "last_name"),
        username=_text(person, "username"),
        language_code=_text(person, "language_code"),
        start_param=fields.get("start_param"),
        auth_date=auth_date,
        proof_hash=_proof_hash(fields),
    )


def read_widget(fields: Mapping[str, str], sign_in: SignIn, *, now: datetime) -> TelegramPerson:
    """Whom the Login Widget's fields prove, exactly as they were received, as text.

    It is good for one sign-in, which the caller sees to.
    Raises SignInUnavailable, SignInRefused and SignInExpired.
    """
    token = _token(sign_in)
    if not fields.keys() <= WIDGET_FIELDS or any(map(_is_unfit, fields.values())):
        raise SignInRefused
    _check_hash(fields, sha256(token).digest())
    identity = fields.get("id", "")
    return TelegramPerson(
        id=_person_id(int(identity) if _NUMBER.fullmatch(identity) else None),
        first_name=_text(fields, "first_name"),
        last_name=_text(fields, "last_name"),
        username=_text(fields, "username"),
        language_code=None,
        start_param=None,
        auth_date=_auth_date(fields, sign_in.proof_ttl_s, now),
        proof_hash=_proof_hash(fields),
    )


def _token(sign_in: SignIn) -> bytes:
    if not sign_in.bot_token:
        raise SignInUnavailable
    return sign_in.bot_token.encode()


def _fields_of_query(raw: str) -> dict[str, str]:
    """The fields of a query string, each once. Raises SignInRefused for anything doubtful."""
    parts = raw.split("&")
    if len(raw) > INIT_DATA_CHARACTERS_MAX or len(parts) > FIELDS_MAX:
        raise SignInRefused
    fields: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not _FIELD_NAME.fullmatch(name) or name in fields:
            raise SignInRefused
        fields[name] = _unescape(value)
    return fields


def _unescape(value: str) -> str:
    if not value.isascii() or _BROKEN_ESCAPE.search(value):
        raise SignInRefused
    try:
        text = unquote_to_bytes(value.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise SignInRefused from error
    if _CONTROL.search(text):
        raise SignInRefused
    return text


def _is_unfit(value: str) -> bool:
    return len(value) > INIT_DATA_CHARACTERS_MAX or _CONTROL.search(value) is not None


def _check_hash(fields: Mapping[str, str], key: bytes) -> None:
    given = fields.get("hash", "")
    if not _HASH.fullmatch(given):
        raise SignInRefused
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "hash")
    try:
        signed = hmac.new(key, lines.encode(), sha256).hexdigest()
    except UnicodeEncodeError as error:  # Half a surrogate pair, out of a JSON body.
        raise SignInRefused from error
    if not hmac.compare_digest(signed, given):
        raise SignInRefused


def _auth_date(fields: Mapping[str, str], ttl_s: int, now: datetime) -> datetime:
    """When Telegram signed it; neither long ago nor in the future."""
    given = fields.get("auth_date", "")
    if not _NUMBER.fullmatch(given) or len(given) > 11:
        raise SignInRefused
    age_s = now.timestamp() - int(given)
    if age_s > ttl_s or age_s < -FUTURE_S_MAX:
        raise SignInExpired
    return datetime.fromtimestamp(int(given), UTC)


def _person_json(raw: str | None) -> Mapping[str, Any]:
    try:
        person = json.loads(raw or "")
    except (ValueError, RecursionError) as error:
        raise SignInRefused from error
    if not isinstance(person, dict) or person.get("is_bot") is True:
        raise SignInRefused
    return person


def _person_id(value: object) -> int:
    if type(value) is not int or not 0 < value <= TELEGRAM_ID_MAX:
        raise SignInRefused
    return value


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or "\0" in value:
        raise SignInRefused
    # Half a surrogate pair can be written in JSON and cannot be stored.
    return value.encode("utf-8", "replace").decode()


def _proof_hash(fields: Mapping[str, str]) -> bytes:
    return sha256(fields["hash"].encode()).digest()
