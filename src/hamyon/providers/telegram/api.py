"""The Bot API over the shared client: each call once, and what is known after it.

The token is part of every address. It leaves this module in no message: the shared client names
the host alone, and a refusal that repeats the address is cleaned of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote

import aiohttp
import orjson

from hamyon.kit.http import FailureKind, HttpClient, HttpFailure, Response

ANSWER_LIMIT_BYTES: Final = 1024 * 1024
UPDATES_LIMIT_BYTES: Final = 16 * 1024 * 1024
UPDATES_MAX: Final = 100
PRE_CHECKOUT_TIMEOUT_S: Final = 5.0
"""Telegram gives up after 10 s; what was not answered in half of that is not worth waiting for."""
UPLOAD_BYTES_PER_S: Final = 512 * 1024
"""The slowest way to Telegram that an upload gets the time for."""
_RETRY_AFTER_MAX_S: Final = 3600.0
_DESCRIPTION_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a call; a parameter names it as ``attach://`` and its key."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """Telegram did it; ``result`` as it came."""

    result: object


@dataclass(frozen=True, slots=True)
class BotRefused:
    """Telegram surely did nothing. ``error_code`` is 4xx; 429 alone may be tried again."""

    error_code: int
    description: str
    retry_after_s: float | None = None
    migrate_to_chat_id: int | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the very same call can succeed later."""
        return self.error_code == 429


@dataclass(frozen=True, slots=True)
class BotUnclear:
    """Nobody knows whether Telegram did it. Not ``was_sent``: it never heard of it.

    ``was_answered``: something was said, if nothing that proves anything, as by a broken gateway.
    """

    reason: str
    was_sent: bool = True
    was_answered: bool = False


BotOutcome: TypeAlias = Answered | BotRefused | BotUnclear


class BotApi:
    """One bot at one server. No call raises for anything that Telegram or the network does."""

    def __init__(
        self, http: HttpClient, *, token: str, base_url: str, timeout_s: float = 10.0
    ) -> None:
        self._http = http
        self._token = token
        self._url = f"{base_url.rstrip('/')}/bot{quote(token, safe=':')}/"
        self._timeout_s = timeout_s

    async def call(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        files: Mapping[str, Attachment] | None = None,
        timeout_s: float | None = None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> BotOutcome:
        """Call ``method`` once; parameters that are None are left out.

        Files get time on top by their size.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        time_s = self._timeout_s if timeout_s is None else timeout_s
        if files:
            time_s += sum(len(one.content) for one in files.values()) / UPLOAD_BYTES_PER_S
        try:
            response = await self._http.request(
                "POST",
                self._url + method,
                json=None if files else given,
                data=_form(given, files) if files else None,
                timeout_s=time_s,
                limit_bytes=limit_bytes,
            )
        except HttpFailure as failure:
            return BotUnclear(f"{method}: {failure}", failure.kind is not FailureKind.NOT_SENT)
        if files and response.status == 413:
            # Whoever in between finds a file too large has passed nothing of it on.
            return BotRefused(413, "Request Entity Too Large")
        return self._outcome(method, response)

    async def answer_pre_checkout(self, query_id: str, error_message: str | None = None) -> bool:
        """Let somebody pay, or tell him with ``error_message`` why not.

        False: Telegram did not take the answer, or not in time. Then nothing is paid, and what is
        paid nevertheless comes as a ``successful_payment``.
        """
        answer: dict[str, object] = {"pre_checkout_query_id": query_id, "ok": error_message is None}
        outcome = await self.call(
            "answerPreCheckoutQuery",
            answer | {"error_message": error_message},
            timeout_s=PRE_CHECKOUT_TIMEOUT_S,
        )
        return isinstance(outcome, Answered) and outcome.result is True

    async def set_webhook(
        self,
        url: str,
        *,
        secret_token: str,
        allowed_updates: Sequence[str],
        max_connections: int | None = None,
    ) -> BotOutcome:
        """Have updates sent to ``url``, each with ``secret_token`` in a header."""
        wanted = {
            "url": url,
            "secret_token": secret_token,
            "allowed_updates": list(allowed_updates),
            "max_connections": max_connections,
        }
        return await self.call("setWebhook", wanted)

    async def delete_webhook(self) -> BotOutcome:
        """Keep updates for ``get_updates``; those that wait stay."""
        return await self.call("deleteWebhook", {"drop_pending_updates": False})

    async def get_updates(
        self, offset: int | None, timeout_s: int, allowed_updates: Sequence[str]
    ) -> Sequence[Mapping[str, object]] | BotRefused | BotUnclear:
        """Updates from ``offset`` on, waiting up to ``timeout_s`` for the first.

        Asking with an offset forgets every update below it.
        """
        wanted = {
            "offset": offset,
            "timeout": timeout_s,
            "limit": UPDATES_MAX,
            "allowed_updates": list(allowed_updates),
        }
        outcome = await self.call(
            "getUpdates",
            wanted,
            timeout_s=timeout_s + self._timeout_s,
            limit_bytes=UPDATES_LIMIT_BYTES,
        )
        if not isinstance(outcome, Answered):
            return outcome
        updates = outcome.result
        if not isinstance(updates, list) or not all(isinstance(one, Mapping) for one in updates):
            return BotUnclear("getUpdates: the answer is no list of updates", was_answered=True)
        return updates

    def _outcome(self, method: str, response: Response) -> BotOutcome:
        try:
            body = response.json()
        except ValueError:
            body = None
        said = body if isinstance(body, Mapping) else {}
        if response.status == 200 and said.get("ok") is True and "result" in said:
            return Answered(said["result"])
        code = said.get("error_code")
        code = response.status if isinstance(code, bool) or not isinstance(code, int) else code
        description = str(said.get("description") or "").replace(self._token, "...")
        description = description[:_DESCRIPTION_MAX]
        # A gateway in between says 4xx too; only Telegram's own words prove that it did nothing.
        if said.get("ok") is False and 400 <= code < 500 and response.status < 500:
            return BotRefused(
                code, description, _retry_after_s(said, response), _migrate_to_chat_id(said)
            )
        said_instead = f"{method}: {response.status} {description}".strip()
        return BotUnclear(said_instead, was_answered=True)


def _form(given: Mapping[str, object], files: Mapping[str, Attachment]) -> aiohttp.FormData:
    """Multipart: texts as they are, other values as their JSON, and the files."""
    # Telegram takes file names as they stand, not percent-encoded.
    form = aiohttp.FormData(quote_fields=False)
    for name, value in given.items():
        form.add_field(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    for name, file in files.items():
        filename = "".join(one if one.isprintable() else "_" for one in file.name)
        form.add_field(name, file.content, filename=filename, content_type=file.mime)
    return form


def _migrate_to_chat_id(said: Mapping[str, object]) -> int | None:
    parameters = said.get("parameters")
    number = parameters.get("migrate_to_chat_id") if isinstance(parameters, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _retry_after_s(said: Mapping[str, object], response: Response) -> float | None:
    parameters = said.get("parameters")
    wish = parameters.get("retry_after") if isinstance(parameters, Mapping) else None
    try:
        seconds = float(str(wish if wish is not None else response.headers.get("Retry-After")))
    except ValueError:
        return None
    return min(seconds, _RETRY_AFTER_MAX_S) if math.isfinite(seconds) and seconds >= 0 else None
