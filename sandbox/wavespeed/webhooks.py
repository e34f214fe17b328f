"""Webhooks of the simulated vendor: bare predictions, signed, repeated until answered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientError, ClientTimeout

from sandbox.faults import FaultKind
from sandbox.wavespeed.jobs import Job
from sandbox.wavespeed.state import State

LATE_S = 2.0
DUPLICATE_PAUSE_S = 0.05


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """``v3,<hex>``; the key is the text after ``whsec_`` as it stands, not base64-decoded."""
    key = secret.removeprefix("whsec_").encode()
    message = f"{message_id}.{timestamp}.".encode() + body
    return "v3," + hmac.new(key, message, hashlib.sha256).hexdigest()


def acceptable_url(url: str) -> bool:
    """HTTPS, as the vendor asks; plain HTTP only to this machine, which the vendor refuses."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        return False
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(parts.hostname).is_loopback
    return False


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers the webhook of a finished job."""

    state: State

    async def send(self, job: Job, body: Mapping[str, object]) -> None:
        """Deliver as settings and the job's faults say; returns when it is over."""
        url, settings = job.webhook_url, self.state.settings.webhooks
        if url is None:
            return
        if not settings.enabled or job.fault(FaultKind.WEBHOOK_LOST):
            self.state.stats.webhooks["lost"] += 1
            job.notified.set()
            return
        late = job.fault(FaultKind.WEBHOOK_LATE)
        wait_s = settings.delay_s
        if late is not None:
            wait_s += LATE_S if late.seconds is None else late.seconds
        if wait_s:
            await asyncio.sleep(wait_s)
        secret = job.account.secret
        if job.fault(FaultKind.WEBHOOK_BAD_SIGNATURE):
            secret = "whsec_" + secrets.token_urlsafe(24)
        duplicate = job.fault(FaultKind.WEBHOOK_DUPLICATE)
        message_id = "msg_" + secrets.token_hex(12)
        content = orjson.dumps(body)
        for number in range(duplicate.copies if duplicate else 1):
            if number and duplicate:
                pause = DUPLICATE_PAUSE_S if duplicate.seconds is None else duplicate.seconds
                await asyncio.sleep(pause)
            await self._deliver(job, url, secret, message_id, content)

    async def _deliver(self, job: Job, url: str, secret: str, message_id: str, body: bytes) -> None:
        """One delivery with its repeats; every attempt has a fresh timestamp and signature."""
        settings = self.state.settings.webhooks
        for delay_s in (0.0, *settings.retry_delays_s):
            if delay_s:
                await asyncio.sleep(delay_s)
            answered = await self._attempt(url, secret, message_id, body)
            job.notified.set()
            if answered:
                return
        self.state.stats.webhooks["given_up"] += 1

    async def _attempt(self, url: str, secret: str, message_id: str, body: bytes) -> bool:
        stats = self.state.stats
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(secret, message_id, timestamp, body),
        }
        timeout = ClientTimeout(total=self.state.settings.webhooks.timeout_s)
        stats.webhooks["sent"] += 1
        try:
            async with self.state.session.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                answered = 200 <= answer.status < 300
        except (ClientError, OSError, TimeoutError, ValueError):
            answered = False
        stats.webhooks["answered" if answered else "failed"] += 1
        return answered
