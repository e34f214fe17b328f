"""Requests as the orders slice makes them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image

from hamyon.kit.ids import new_id
from hamyon.orders.types import JobId, JobRequest, Reference


def picture_bytes(colour: str = "orange", side: int = 96) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


def reference(content: bytes, url: str = "https://h.example/files/a") -> Reference:
    async def read() -> bytes:
        return content

    return Reference(mime="image/png", bytes=len(content), url=url, read=read)


def job(
    prompt: str = "a cat at the sea",
    *,
    path: str = "bytedance/seedream-v4",
    options: Mapping[str, str] | None = None,
    references: Sequence[Reference] = (),
    callback_url: str | None = None,
) -> JobRequest:
    return JobRequest(
        job_id=JobId(new_id()),
        model_key="m",
        provider_path=path,
        prompt=prompt,
        options={"size": "1024*1024"} if options is None else options,
        references=references,
        callback_url=callback_url,
    )
