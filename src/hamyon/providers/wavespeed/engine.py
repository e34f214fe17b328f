"""WaveSpeed as an engine of orders."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from hamyon.kit.clock import Clock
from hamyon.kit.http import FailureKind, HttpClient, HttpFailure, StreamedResponse
from hamyon.kit.pictures import EXTENSION
from hamyon.kit.storage import StorageFailed
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.types import (
    Failed,
    Finished,
    JobRequest,
    Output,
    PollOutcome,
    ProviderClass,
    Reference,
    SubmitOutcome,
    Unknown,
)
from hamyon.providers.wavespeed import outcomes
from hamyon.providers.wavespeed.client import WaveSpeedClient
from hamyon.providers.wavespeed.types import OUTPUT_LIMIT_BYTES, CallFailed, WebhookEvent
from hamyon.providers.wavespeed.webhooks import WebhookVerifier, prediction_id_of

PRICED_BY: Final = ("size", "resolution", "max_images", "output_format", "aspect_ratio")
_PRICE_KEPT: Final = timedelta(hours=1)
_PRICE_MISSED: Final = timedelta(minutes=1)
_PRICES_MAX: Final = 500
DOWNLOAD_TIMEOUT_S: Final = 120.0
_NOT_THERE_YET_S: Final = (0.5, 1.5)
"""Pauses before a missing output is believed to be missing: it goes through a CDN."""


class ReferenceRoute(StrEnum):
    """How a person's pictures reach the provider."""

    SIGNED_URL = "signed_url"
    """Our own signed URL; needs a public https address of ours."""
    UPLOAD = "upload"
    """The provider's upload route."""
    INLINE = "inline"
    """Inside the request, as a ``data:`` URI."""


class WaveSpeedEngine:
    """An ``Engine`` over WaveSpeed. Keeps nothing but today's prices and the webhook secret.

    ``public_url`` is ours: with https it makes webhooks and signed reference URLs possible.
    ``allow_http_callbacks`` takes a plain one too, for a sandbox on the same machine.
    """

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        *,
        api_key: str,
        base_url: str,
        public_url: str | None,
        allow_http_callbacks: bool = False,
        timeout_s: float = 30.0,
        poll_after_s: float = 2.0,
        poll_after_webhook_s: float = 10.0,
        max_in_flight: int = 64,
        reference_route: ReferenceRoute | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._client = WaveSpeedClient(
            http, api_key=api_key, base_url=base_url, timeout_s=timeout_s
        )
        self._verifier = WebhookVerifier(self._client.webhook_secret, clock)
        public = (public_url or "").startswith("https://")
        self._callbacks = public or allow_http_callbacks
        self._route = reference_route or (
            ReferenceRoute.SIGNED_URL if public else ReferenceRoute.UPLOAD
        )
        self._poll_after_s = poll_after_webhook_s if self._callbacks else poll_after_s
        self._max_in_flight = max_in_flight
        self._prices: dict[tuple[object, ...], tuple[int | None, datetime]] = {}

    @property
    def name(self) -> str:
        return "wavespeed"

    @property
    def provider_class(self) -> ProviderClass:
        return ProviderClass.ADOPTABLE if self._callbacks else ProviderClass.OPAQUE

    @property
    def max_in_flight(self) -> int:
        return self._max_in_flight

    # --- one job ----------------------------------------------------------------------------------

    async def submit(self, request: JobRequest) -> SubmitOutcome:
        """Send the references, then ask once; before the last call nothing can be accepted."""
        inputs: dict[str, object] = {"prompt": request.prompt, **request.options}
        try:
            if request.references:
                inputs["images"] = await self._images(request.references)
        except CallFailed as failed:
            return Failed("provider_unreachable", str(failed), retryable=True, outage=True)
        except (StorageFailed, OSError) as error:
            return Failed("reference_unreadable", type(error).__name__, retryable=True)
        callback_url = request.callback_url if self._callbacks else None
        try:
            answer = await self._client.submit(request.provider_path, inputs, callback_url)
        except HttpFailure as failure:
            return outcomes.submit_failed(failure)
        except ValueError as error:
            return Failed("model_unavailable", str(error), retryable=False)
        return outcomes.submit_outcome(answer, self._poll_after_s)

    async def poll(self, provider_job_id: str) -> PollOutcome:
        """Ask how it goes; what it cost is looked up when it is done."""
        try:
            answer = await self._client.result(provider_job_id)
        except HttpFailure as failure:
            return Unknown(str(failure))
        outcome = outcomes.poll_outcome(answer, provider_job_id, self._poll_after_s)
        if isinstance(outcome, Finished):
            cost = await self._cost_micro_usd(answer.data)
            return Finished(outcome.outputs, cost_micro_usd=cost)
        return outcome

    async def cancel(self, provider_job_id: str) -> bool:
        """WaveSpeed stops nothing: a task that was accepted runs and is paid for."""
        del provider_job_id
        return False

    async def download(self, output: Output) -> AsyncIterator[bytes]:
        """The output's bytes. Our key is not shown to the host that serves them.

        A missing file is asked for three times before it counts as missing for good.
        """
        if output.content is not None:
            yield output.content
            return
        for pause_s in (0.0, *_NOT_THERE_YET_S):
            await asyncio.sleep(pause_s)
            try:
                async with self._http.stream(
                    output.url or "", timeout_s=DOWNLOAD_TIMEOUT_S, limit_bytes=OUTPUT_LIMIT_BYTES
                ) as answer:
                    if answer.status in {403, 404, 410}:
                        continue
                    _check_download(answer)
                    async for piece in answer.pieces:
                        yield piece
                    return
            except HttpFailure as failure:
                too_large = failure.kind is FailureKind.TOO_LARGE
                raise DownloadFailed(str(failure), permanent=too_large) from None
        raise DownloadFailed("the output is not there", permanent=True)

    # --- around it --------------------------------------------------------------------------------

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent | None:
        """The event when it is surely the vendor's, else None. Lower-case header names."""
        return await self._verifier.verify(headers, body)

    def job_id_of_event(self, body: bytes) -> str | None:
        """The prediction's id in a webhook that was verified when it came."""
        return prediction_id_of(body)

    async def balance_micro_usd(self) -> int | None:
        """What is left of our money there; None when the provider does not say now."""
        try:
            return await self._client.balance_micro_usd()
        except CallFailed:
            return None

    async def price_micro_usd(self, model_path: str, inputs: Mapping[str, object]) -> int | None:
        """What the provider takes for ``inputs``; None when it does not say now.

        Kept for an hour by the inputs that a price may depend on (``PRICED_BY``).
        """
        priced = {key: inputs[key] for key in PRICED_BY if key in inputs}
        key = (model_path, *((name, str(value)) for name, value in sorted(priced.items())))
        now = self._clock.now()
        if (known := self._prices.get(key)) and now < known[1]:
            return known[0]
        try:
            price = await self._client.price_micro_usd(model_path, priced)
        except CallFailed:
            price = None
        if len(self._prices) >= _PRICES_MAX:
            self._prices.clear()
        self._prices[key] = (price, now + (_PRICE_MISSED if price is None else _PRICE_KEPT))
        return price

    async def _cost_micro_usd(self, data: Mapping[str, object]) -> int | None:
        model, inputs = data.get("model"), data.get("input")
        if not isinstance(model, str):
            return None
        return await self.price_micro_usd(model, inputs if isinstance(inputs, Mapping) else {})

    async def _images(self, references: Sequence[Reference]) -> list[str]:
        return [await self._image(reference) for reference in references]

    async def _image(self, reference: Reference) -> str:
        match self._route:
            case ReferenceRoute.SIGNED_URL:
                return reference.url
            case ReferenceRoute.UPLOAD:
                name = f"reference.{EXTENSION.get(reference.mime, 'bin')}"
                return await self._client.upload(
                    await reference.read(), name=name, mime=reference.mime
                )
            case ReferenceRoute.INLINE:
                content = base64.b64encode(await reference.read()).decode()
                return f"data:{reference.mime};base64,{content}"
            case _:
                assert_never(self._route)


def _check_download(answer: StreamedResponse) -> None:
    """Raises DownloadFailed for what is no file, or surely no picture."""
    if answer.status != 200:
        raise DownloadFailed(f"the output answered {answer.status}", permanent=False)
    mime = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if mime and not mime.startswith("image/") and not mime.endswith("/octet-stream"):
        raise DownloadFailed(f"the output is {mime}", permanent=True)
