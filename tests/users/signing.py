"""Proofs as Telegram makes them, by the published algorithms and with none of our own code."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import quote

BOT_TOKEN = "7000000001:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
OTHER_BOT_TOKEN = "7000000002:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"


def lines_of(fields: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()


def mini_app_hash(fields: Mapping[str, str], token: str = BOT_TOKEN) -> str:
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return hmac.new(key, lines_of(fields), hashlib.sha256).hexdigest()


def widget_hash(fields: Mapping[str, str], token: str = BOT_TOKEN) -> str:
    key = hashlib.sha256(token.encode()).digest()
    return hmac.new(key, lines_of(fields), hashlib.sha256).hexdigest()


def query(fields: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


def mini_app_fields(
    auth_date: int, user_id: int = 777, *, start_param: str | None = None, **user: object
) -> dict[str, str]:
    person = {
        "id": user_id,
        "first_name": "Oʻktam & Со",
        "last_name": "+=%",
        "username": "oktam",
        "language_code": "uz",
        **user,
    }
    fields = {
        "query_id": "AAHdF6IQAAAAAN0XohDhrOrc",
        "user": json.dumps(person, ensure_ascii=False, separators=(",", ":")),
        "auth_date": str(auth_date),
        "signature": "c2lnbmF0dXJl",
    }
    return fields | ({"start_param": start_param} if start_param else {})


def init_data(fields: Mapping[str, str], token: str = BOT_TOKEN) -> str:
    return query({**fields, "hash": mini_app_hash(fields, token)})


def widget_fields(auth_date: int, user_id: int = 777) -> dict[str, str]:
    return {
        "id": str(user_id),
        "first_name": "Oʻktam",
        "username": "oktam",
        "photo_url": "https://t.me/i/userpic/320/oktam.jpg",
        "auth_date": str(auth_date),
    }


def signed_widget(fields: Mapping[str, str], token: str = BOT_TOKEN) -> dict[str, str]:
    return {**fields, "hash": widget_hash(fields, token)}
