"""The engine that needs nobody: it paints at once, and gives the bytes back with the answer."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from hamyon.kit.storage import StorageFailed
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.types import (
    Failed,
    Finished,
    JobRequest,
    Output,
    PollOutcome,
    ProviderClass,
    SubmitOutcome,
)
from hamyon.providers.offline import collage, lettering, scene
from hamyon.providers.offline.words import idea_of

SIDE_MIN, SIDE_MAX = 64, 4096
THREADS: Final = 2
_LONG_SIDE: Final[Mapping[str, int]] = {"1k": 1024, "2k": 2048, "4k": 4096}
_DEFAULT_SIZE: Final = (1024, 1024)


class OfflineEngine:
    """An ``Engine`` on this machine. The same request makes the same bytes, so it is class A."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="offline")

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def name(self) -> str:
        return "offline"

    @property
    def provider_class(self) -> ProviderClass:
        return ProviderClass.REPEATABLE

    @property
    def max_in_flight(self) -> int:
        return 4 * THREADS

    async def submit(self, request: JobRequest) -> SubmitOutcome:
        """Paint. A reference that cannot be read or decoded is a failure."""
        try:
            width, height = dimensions(request.options)
        except ValueError as error:
            return Failed("provider_rejected", str(error), retryable=False)
        try:
            references = [await reference.read() for reference in request.references]
            content = await asyncio.get_running_loop().run_in_executor(
                self._threads,
                render,
                request.prompt,
                references,
                width,
                height,
                request.options.get("output_format", "png"),
            )
        except (StorageFailed, OSError) as error:
            return Failed("reference_unreadable", type(error).__name__, retryable=True)
        return Finished([Output(content=content)], cost_micro_usd=0)

    async def poll(self, provider_job_id: str) -> PollOutcome:
        """Nothing is ever under way here."""
        return Failed("provider_failed", f"no job {provider_job_id}", retryable=True)

    def job_id_of_event(self, body: bytes) -> str | None:
        """Nobody sends events from here."""
        return None

    async def cancel(self, provider_job_id: str) -> bool:
        """Nothing is ever under way here."""
        del provider_job_id
        return False

    async def download(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes that the answer carried."""
        if output.content is None:
            raise DownloadFailed("an offline picture has no address", permanent=True)
        yield output.content

    async def balance_micro_usd(self) -> int | None:
        """There is no account."""
        return None


def dimensions(options: Mapping[str, str]) -> tuple[int, int]:
    """``size`` as it stands, else ``aspect_ratio`` at the area of ``resolution``'s square.

    Raises ValueError for what is no size or beyond ``SIDE_MIN`` to ``SIDE_MAX``.
    """
    if size := options.get("size"):
        matched = re.fullmatch(r"([0-9]{1,5})[*x]([0-9]{1,5})", size)
        if matched is None:
            raise ValueError(f"no size: {size}")
        width, height = int(matched[1]), int(matched[2])
    elif "aspect_ratio" in options or "resolution" in options:
        width, height = _by_ratio(
            options.get("aspect_ratio", "1:1"), options.get("resolution", "1k")
        )
    else:
        width, height = _DEFAULT_SIZE
    if not (SIDE_MIN <= width <= SIDE_MAX and SIDE_MIN <= height <= SIDE_MAX):
        raise ValueError(f"a side beyond {SIDE_MIN} to {SIDE_MAX}")
    return width, height


def _by_ratio(ratio: str, resolution: str) -> tuple[int, int]:
    matched = re.fullmatch(r"([1-9][0-9]?):([1-9][0-9]?)", ratio)
    if matched is None or resolution not in _LONG_SIDE:
        raise ValueError(f"no shape: {ratio} {resolution}")
    across, down = int(matched[1]), int(matched[2])
    side = _LONG_SIDE[resolution]
    width, height = side * (across / down) ** 0.5, side * (down / across) ** 0.5
    fit = min(1.0, SIDE_MAX / max(width, height))
    return round(width * fit / 16) * 16, round(height * fit / 16) * 16


def render(
    prompt: str, references: Sequence[bytes], width: int, height: int, output_format: str
) -> bytes:
    """The picture's bytes; equal input makes equal bytes. Raises OSError for a bad reference."""
    idea = idea_of(prompt)
    picture = (
        collage.arrange(idea, references, width, height)
        if references
        else scene.paint(idea, width, height)
    )
    lettering.write(picture, prompt)
    out = io.BytesIO()
    if output_format in {"jpeg", "jpg"}:
        picture.save(out, "JPEG", quality=90)
    elif output_format == "webp":
        picture.save(out, "WEBP", quality=88, method=2)
    else:
        picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
