"""Bringing a provider's pictures home: nothing is called done before it lies in our own storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hamyon.kit import pictures
from hamyon.kit.errors import HamyonError
from hamyon.kit.storage import StorageFailed
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.types import Claim, Engine, Needs, Output, StoredOutput

OUTPUT_BYTES_MAX: Final = 64 * 1024 * 1024
EXTENSIONS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


async def collect(
    needs: Needs, engine: Engine, claim: Claim, outputs: Sequence[Output]
) -> tuple[list[StoredOutput], DownloadFailed | None]:
    """Store every output that is a whole picture; and say what went wrong with the others.

    The failure is permanent when no missing output can come by asking again.
    """
    stored: list[StoredOutput] = []
    failures: list[DownloadFailed] = []
    for number, output in enumerate(outputs):
        try:
            stored.append(await _bring(needs, engine, claim, number, output))
        except DownloadFailed as failure:
            failures.append(failure)
    if not failures:
        return stored, None
    permanent = all(failure.permanent for failure in failures)
    reasons = "; ".join(str(failure) for failure in failures)
    return stored, DownloadFailed(reasons, permanent=permanent)


async def _bring(
    needs: Needs, engine: Engine, claim: Claim, number: int, output: Output
) -> StoredOutput:
    content = bytearray()
    async for piece in engine.download(output):
        content += piece
        if len(content) > OUTPUT_BYTES_MAX:
            raise DownloadFailed("the output is too large", permanent=True)
    try:
        picture = await pictures.probe(bytes(content))
    except HamyonError as refusal:
        # A cut download and a broken picture look alike, so it is worth another try.
        raise DownloadFailed(f"not a whole picture: {refusal.facts}", permanent=False) from refusal
    path = f"results/{claim.order_id}/{claim.job_id}-{number}.{EXTENSIONS[picture.mime]}"
    try:
        await needs.storage.put(path, picture.content)
    except StorageFailed as failure:
        raise DownloadFailed(str(failure), permanent=False) from failure
    return StoredOutput(
        path=path,
        mime=picture.mime,
        width=picture.width,
        height=picture.height,
        bytes=picture.size_bytes,
    )
