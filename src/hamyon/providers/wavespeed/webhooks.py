"""Whether a webhook is the vendor's.

WaveSpeed's three headers look like those of other vendors, and its cryptography is its own: the
key is the secret's text after ``whsec_`` as it stands, the signature ``v3,`` and lower-case hex.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import orjson

from hamyon.kit.clock import Clock
from hamyon.providers.wavespeed.types import CallFailed, WebhookEvent

TOLERANCE_S: Final = 300
REFETCH_AFTER: Final = timedelta(minutes=1)
_PREDICTION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class WebhookVerifier:
    """Keeps the secret, and asks for it anew at most once a minute: keys are rotated, and forged
    webhooks must not become calls to the vendor."""

    def __init__(self, fetch_secret: Callable[[], Awaitable[str]], clock: Clock) -> None:
        self._fetch_secret = fetch_secret
        self._clock = clock
        self._secret: str | None = None
        self._asked_at: datetime | None = None
        self._asking = asyncio.Lock()

    async def verify(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent | None:
        """The event, or None for anything that is not surely the vendor's.

        ``headers`` must answer to lower-case names.
        """
        event_id = headers.get("webhook-id", "")
        sent_at = headers.get("webhook-timestamp", "")
        signatures = headers.get("webhook-signature", "")[:1000].split(" ")
        if not event_id or not re.fullmatch(r"[0-9]{1,12}", sent_at):
            return None
        if abs(self._clock.now().timestamp() - int(sent_at)) > TOLERANCE_S:
            return None
        message = f"{event_id}.{sent_at}.".encode("utf-8", "replace") + body
        if not _genuine(self._secret, message, signatures):
            known = self._secret
            await self._refetch()
            if self._secret == known or not _genuine(self._secret, message, signatures):
                return None
        return _event(event_id, body)

    async def _refetch(self) -> None:
        async with self._asking:
            now = self._clock.now()
            if self._asked_at is not None and now - self._asked_at < REFETCH_AFTER:
                return
            self._asked_at = now
            try:
                self._secret = await self._fetch_secret()
            except CallFailed:
                return  # The old secret stays; polling finds the result without the webhook.


def _genuine(secret: str | None, message: bytes, signatures: list[str]) -> bool:
    if secret is None:
        return False
    key = secret.removeprefix("whsec_").encode()
    expected = b"v3," + hmac.digest(key, message, hashlib.sha256).hex().encode()
    given = [signature.encode("utf-8", "replace") for signature in signatures]
    return any(hmac.compare_digest(expected, one) for one in given)


def _event(event_id: str, body: bytes) -> WebhookEvent | None:
    data = _object(body)
    prediction_id = prediction_id_of(body)
    if data is None or prediction_id is None:
        return None
    return WebhookEvent(event_id, prediction_id, str(data.get("status") or ""))


def prediction_id_of(body: bytes) -> str | None:
    """Which prediction a webhook's body is about; None for what is no webhook's body."""
    data = _object(body)
    prediction_id = data.get("id") if data is not None else None
    if isinstance(prediction_id, str) and _PREDICTION_ID.fullmatch(prediction_id):
        return prediction_id
    return None


def _object(body: bytes) -> dict[str, object] | None:
    try:
        data = orjson.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
