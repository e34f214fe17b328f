"""What a finished job made: real pictures, drawn when somebody asks for them."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from sandbox.faults import OUTPUT_KINDS, Fault, FaultKind, first
from sandbox.gate import half_an_answer
from sandbox.pictures import Drawing, PictureFormat, blank_png, render
from sandbox.wavespeed.envelope import RefusedError
from sandbox.wavespeed.jobs import Job, Status
from sandbox.wavespeed.state import State

BOMB_SIDE = 12_000
HUGE_PIECE = b"\x89PNG\r\n\x1a\n" + os.urandom(65_528)
HTML = b"<html><body><h1>403 Forbidden</h1></body></html>"
NOT_A_PICTURE = b"This file has never been a picture. " * 40


def urls(job: Job) -> list[str]:
    """The outputs of a prediction: links, or base64 texts when the request asked for them."""
    if job.status is not Status.COMPLETED:
        return []
    if job.wanted.base64:
        return [
            base64.b64encode(_content(job, number, _output_fault(job, ()))).decode()
            for number in range(job.output_count)
        ]
    suffix = job.wanted.picture_format.value
    return [
        f"{job.base_url}/outputs/{job.id}/{number}.{suffix}" for number in range(job.output_count)
    ]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Serves ``/outputs/<job>/<number>.<suffix>``, to everybody who has the link."""

    state: State

    async def get(self, request: web.Request, faults: Sequence[Fault]) -> web.StreamResponse:
        """One output. A link that has expired or never was answers 404."""
        job = self.state.jobs.get(request.match_info["job"])
        name = request.match_info["name"]
        if job is None or not self._alive(job):
            raise RefusedError(404, "output not found")
        number, _, suffix = name.partition(".")
        known = number.isdecimal() and int(number) < job.output_count
        if not known or suffix != job.wanted.picture_format.value:
            raise RefusedError(404, "output not found")
        fault = _output_fault(job, faults)
        if fault is not None and fault.kind is FaultKind.OUTPUT_404:
            raise RefusedError(404, "output not found")
        mime = job.wanted.picture_format.mime
        if fault is not None and fault.kind is FaultKind.OUTPUT_HUGE:
            return await self._huge(request, mime, fault.bytes)
        content = _content(job, int(number), fault)
        response = web.Response(body=content, content_type=mime)
        self.state.stats.bytes["outputs"] += len(content)
        if fault is not None and fault.cut:
            return await half_an_answer(request, response)
        return response

    def _alive(self, job: Job) -> bool:
        ttl_s = self.state.settings.output_ttl_s
        if job.status is not Status.COMPLETED or job.finished_at is None:
            return False
        return ttl_s is None or (datetime.now(UTC) - job.finished_at).total_seconds() < ttl_s

    async def _huge(
        self, request: web.Request, mime: str, bytes_max: int | None
    ) -> web.StreamResponse:
        """A body that goes on until the reader leaves, or for ``bytes_max``."""
        response = web.StreamResponse(headers={"Content-Type": mime})
        sent = 0
        with suppress(ConnectionError):
            await response.prepare(request)
            while bytes_max is None or sent < bytes_max:
                await response.write(HUGE_PIECE)
                sent += len(HUGE_PIECE)
                self.state.stats.bytes["outputs"] += len(HUGE_PIECE)
        return response


def _output_fault(job: Job, faults: Sequence[Fault]) -> Fault | None:
    return first(faults, *OUTPUT_KINDS) or job.fault(*OUTPUT_KINDS)


def _content(job: Job, number: int, fault: Fault | None) -> bytes:
    """The bytes of an output, spoiled as the fault says."""
    kind = fault.kind if fault is not None else None
    if kind is FaultKind.OUTPUT_BROKEN:
        return NOT_A_PICTURE
    if kind is FaultKind.OUTPUT_BOMB:
        return blank_png(BOMB_SIDE, BOMB_SIDE)
    if kind is FaultKind.OUTPUT_WRONG_TYPE and fault is not None and fault.content == "html":
        return HTML
    wanted = job.wanted
    drawing = Drawing(wanted.prompt, wanted.width, wanted.height, number, job.references)
    if kind is FaultKind.OUTPUT_WRONG_TYPE:
        return render(drawing, PictureFormat.GIF)
    content = render(drawing, wanted.picture_format)
    if kind is FaultKind.OUTPUT_TRUNCATED and fault is not None and not fault.cut:
        return content[: len(content) // 2]
    return content
