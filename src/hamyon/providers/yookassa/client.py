"""The calls of YooKassa's API, each once, and what is known after it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode

from hamyon.kit.http import HttpClient, HttpFailure, Response
from hamyon.payments.types.gateway import Declined, Unclear

ANSWER_LIMIT_BYTES: Final = 512 * 1024
LIST_LIMIT_BYTES: Final = 8 * 1024 * 1024
_TEXT_MAX: Final = 500
_MAYBE_LATER: Final = frozenset({408, 429})
"""These may be done when they are asked again, with the same key."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The vendor surely did nothing; a 4xx in its own words."""

    status: int
    code: str
    description: str
    parameter: str

    @property
    def is_absence(self) -> bool:
        """There is no such payment or refund."""
        return self.status == 404 and self.code == "not_found"

    @property
    def is_used_key(self) -> bool:
        """The idempotence key did something already, with another body than this one."""
        about_key = self.parameter.lower() == "idempotence-key"
        return self.status == 400 and about_key and "duplicat" in self.description.lower()

    def declined(self) -> Declined:
        """The same for payments."""
        said = self.description or self.code
        if self.status in {401, 403}:
            return Declined(self.code, f"the shop's key is refused: {said}")
        return Declined(self.code, f"{said} ({self.parameter})" if self.parameter else said)

    def unclear(self) -> Unclear:
        """For a question that was refused: that says nothing about what was asked for."""
        return Unclear(f"{self.status} {self.declined().message}")


Answer: TypeAlias = Mapping[str, object] | Refusal | Unclear


class YooKassaClient:
    """One shop. No call raises for anything that the vendor or the network does.

    The key travels in a header, to ``base_url`` only.
    """

    def __init__(
        self, http: HttpClient, *, shop_id: str, secret_key: str, base_url: str, timeout_s: float
    ) -> None:
        self._http = http
        basic = base64.b64encode(f"{shop_id}:{secret_key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}"}
        self._secrets = (secret_key, basic)
        self._base_url = base_url.rstrip("/") + "/v3"
        self._timeout_s = timeout_s

    async def create_payment(self, body: Mapping[str, object], key: str) -> Answer:
        """The same ``key`` and body within 24 hours: the same payment."""
        return await self._post("/payments", body, key)

    async def payment(self, payment_id: str) -> Answer:
        return await self._get(f"/payments/{quote(payment_id, safe='')}")

    async def payments(self, query: Mapping[str, str]) -> Answer:
        """A page, by ``created_at.gte``, ``created_at.lt``, ``status``, ``limit``, ``cursor``."""
        return await self._get(f"/payments?{urlencode(query)}", LIST_LIMIT_BYTES)

    async def create_refund(self, body: Mapping[str, object], key: str) -> Answer:
        """The same ``key`` and body within 24 hours: the same refund."""
        return await self._post("/refunds", body, key)

    async def refunds(self, query: Mapping[str, str]) -> Answer:
        """A page, as ``payments``, and by ``payment_id``."""
        return await self._get(f"/refunds?{urlencode(query)}", LIST_LIMIT_BYTES)

    async def _post(self, path: str, body: Mapping[str, object], key: str) -> Answer:
        headers = self._headers | {"Idempotence-Key": key}
        return await self._call("POST", path, headers, dict(body), ANSWER_LIMIT_BYTES)

    async def _get(self, path: str, limit_bytes: int = ANSWER_LIMIT_BYTES) -> Answer:
        return await self._call("GET", path, self._headers, None, limit_bytes)

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], json: object, limit_bytes: int
    ) -> Answer:
        try:
            response = await self._http.request(
                method,
                self._base_url + path,
                headers=headers,
                json=json,
                timeout_s=self._timeout_s,
                limit_bytes=limit_bytes,
            )
        except HttpFailure as failure:
            return Unclear(str(failure))
        return answer_of(response, self._secrets)


def answer_of(response: Response, secrets: Iterable[str] = ()) -> Answer:
    """What an HTTP answer means. ``secrets`` that the vendor repeats are cut out of its words.

    A 4xx counts as refused only in the vendor's own words: what stands in between (a proxy, a
    firewall) says it too, and proves nothing about a payment.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, Mapping):
        return Unclear(f"answered {response.status} with no object")
    if response.status == 200:
        return body
    description = str(body.get("description") or "")
    for secret in secrets:
        description = description.replace(secret, "...")
    said = Refusal(
        response.status,
        str(body.get("code") or "")[:100],
        description[:_TEXT_MAX],
        str(body.get("parameter") or "")[:100],
    )
    refused = 400 <= response.status < 500 and response.status not in _MAYBE_LATER
    if refused and body.get("type") == "error" and said.code:
        return said
    return Unclear(f"answered {response.status} {said.code} {said.description}".strip())
