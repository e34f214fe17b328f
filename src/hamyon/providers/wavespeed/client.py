"""The calls of WaveSpeed's API, each once, without opinion on what an answer means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from hamyon.kit.http import HttpClient, HttpFailure, Response
from hamyon.providers.wavespeed.types import SUBMIT_LIMIT_BYTES, Answer, CallFailed

_MODEL_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_RETRY_AFTER_MAX_S: Final = 3600.0


class WaveSpeedClient:
    """``submit`` and ``result`` raise HttpFailure; the others CallFailed for whatever went wrong.

    The key travels in a header, to ``base_url`` only.
    """

    def __init__(
        self, http: HttpClient, *, api_key: str, base_url: str, timeout_s: float = 30.0
    ) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._base_url = base_url.rstrip("/") + "/api/v3"
        self._timeout_s = timeout_s

    async def submit(
        self, model_path: str, inputs: Mapping[str, object], callback_url: str | None
    ) -> Answer:
        """Ask for the work, once. Raises HttpFailure, and ValueError for a path of no model."""
        if not _MODEL_PATH.fullmatch(model_path):
            raise ValueError(f"no model path: {model_path!r}")
        query = f"?webhook={quote(callback_url, safe='')}" if callback_url else ""
        return await self._call("POST", f"/{model_path}{query}", dict(inputs))

    async def result(self, prediction_id: str) -> Answer:
        """The prediction as it stands."""
        return await self._call("GET", f"/predictions/{quote(prediction_id, safe='')}/result")

    async def price_micro_usd(self, model_path: str, inputs: Mapping[str, object]) -> int:
        """What the provider would take for these inputs today."""
        data = await self._data("POST", "/model/price", {"model_id": model_path, "inputs": inputs})
        for field in ("discounted_price", "price", "unit_price"):
            if data.get(field) is not None:
                return _micro_usd(data[field])
        raise CallFailed("the price answer has no price")

    async def balance_micro_usd(self) -> int:
        """What is left of our money there."""
        return _micro_usd((await self._data("GET", "/balance")).get("balance"))

    async def webhook_secret(self) -> str:
        """The secret of this API key, as the vendor writes it (``whsec_...``)."""
        secret = (await self._data("GET", "/webhook/secret")).get("secret")
        if not isinstance(secret, str) or not secret.removeprefix("whsec_"):
            raise CallFailed("the secret answer has no secret")
        return secret

    async def upload(self, content: bytes, *, name: str, mime: str) -> str:
        """Put a picture into the vendor's store (kept there 7 days); its URL for ``images``."""
        wanted = {"filename": name, "size": len(content), "content_type": mime}
        data = await self._data("POST", "/media/uploads", wanted)
        place, url = data.get("upload"), data.get("download_url")
        if not isinstance(place, Mapping) or not isinstance(url, str):
            raise CallFailed("the upload answer has no place")
        headers = place.get("headers")
        try:
            stored = await self._http.request(
                str(place.get("method") or "PUT"),
                str(place.get("url")),
                # Exactly these: the place is signed for them, and our key is not its business.
                headers={str(k): str(v) for k, v in headers.items()}
                if isinstance(headers, Mapping)
                else {},
                data=content,
                timeout_s=self._timeout_s,
                limit_bytes=SUBMIT_LIMIT_BYTES,
            )
        except HttpFailure as failure:
            raise CallFailed(f"upload: {failure}") from None
        if not 200 <= stored.status < 300:
            raise CallFailed(f"upload answered {stored.status}")
        return url

    async def _data(self, method: str, path: str, json: object = None) -> Mapping[str, object]:
        try:
            answer = await self._call(method, path, json)
        except HttpFailure as failure:
            raise CallFailed(f"{path}: {failure}") from None
        if not answer.ok:
            raise CallFailed(f"{path}: {answer.status} {answer.code} {answer.message}")
        return answer.data

    async def _call(self, method: str, path: str, json: object = None) -> Answer:
        response = await self._http.request(
            method,
            self._base_url + path,
            headers=self._headers,
            json=json,
            timeout_s=self._timeout_s,
            limit_bytes=SUBMIT_LIMIT_BYTES if method == "POST" else 32 * SUBMIT_LIMIT_BYTES,
        )
        return _answer(response)


def _answer(response: Response) -> Answer:
    try:
        body = response.json()
    except ValueError:
        body = None
    envelope: Mapping[str, object] = body if isinstance(body, Mapping) else {}
    code, data = envelope.get("code"), envelope.get("data")
    return Answer(
        # Whether a submit answers 200 or another 2xx is not documented.
        status=200 if 200 <= response.status < 300 else response.status,
        code=code if isinstance(code, int) else None,
        message=str(envelope.get("message") or "")[:500],
        data=data if isinstance(data, Mapping) else {},
        retry_after_s=_retry_after_s(response.headers.get("Retry-After")),
    )


def _retry_after_s(value: str | None) -> float | None:
    """Seconds; a date is not documented for this vendor and counts as no wish."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(seconds, _RETRY_AFTER_MAX_S) if math.isfinite(seconds) and seconds >= 0 else None


def _micro_usd(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CallFailed("an amount that is no number")
    return int((Decimal(str(value)) * 1_000_000).to_integral_value())
