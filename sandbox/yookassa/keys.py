"""``Idempotence-Key``: the same key with the same request gives the first answer again.

The vendor keeps keys for 24 hours. Assumptions: a key belongs to one call of the shop, so that it
does not fit another address either; refusals are remembered like successes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from sandbox.yookassa.envelope import invalid

HEADER = "Idempotence-Key"
KEY_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: bytes
    status: int
    body: bytes
    at_ms: int


@dataclass(slots=True)
class Keys:
    """The answers that may be asked for again, oldest first."""

    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    repeats: int = 0

    def recall(self, key: str, fingerprint: bytes) -> web.Response | None:
        """The first answer, if there was one. Raises ``RefusedError`` for another request."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.fingerprint != fingerprint:
            raise invalid(HEADER, "Idempotence key duplicated")
        self.repeats += 1
        return _json(kept.status, kept.body)

    def keep(self, key: str, fingerprint: bytes, answer: web.Response, now_ms: int) -> None:
        """Remember an answer."""
        body = answer.body
        content = bytes(body) if isinstance(body, bytes | bytearray) else b""
        self._kept[key] = _Kept(fingerprint, answer.status, content, now_ms)

    def forget(self, before_ms: int) -> None:
        """Let go of what is older."""
        while self._kept and next(iter(self._kept.values())).at_ms <= before_ms:
            self._kept.popitem(last=False)


def checked_key(given: str | None) -> str:
    """The header's value. Raises ``RefusedError`` (400) for none, or one that is too long.

    The description for a missing one is an assumption.
    """
    if not given:
        raise invalid(HEADER, "Idempotence key is missing")
    if len(given) > KEY_LENGTH_MAX:
        raise invalid(
            HEADER,
            "Idempotence key is too long. Send the value in accordance with the documentation",
        )
    return given


def fingerprint(method: str, path: str, body: object) -> bytes:
    """The same for the same call with the same data."""
    content = orjson.dumps([method, path, body], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).digest()


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
