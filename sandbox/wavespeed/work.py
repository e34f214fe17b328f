"""What happens to a task after it was accepted."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from aiohttp import ClientError, ClientTimeout

from sandbox.faults import Fault, FaultKind
from sandbox.pictures import NotAPictureError, thumbnail
from sandbox.wavespeed import outputs
from sandbox.wavespeed.jobs import Job, Status, prediction
from sandbox.wavespeed.state import State
from sandbox.wavespeed.webhooks import Sender

MODERATED = 1200
MEDIA_UNREACHABLE = 1402
TASK_FAILED = 1405
STUCK_S = 24 * 3600.0


class UnreachableMediaError(Exception):
    """A reference that cannot be fetched or is no picture."""


@dataclass(slots=True)
class Work:
    """Runs tasks in the background; ``bad_input`` is an error found after acceptance."""

    state: State
    sender: Sender
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def start(
        self, job: Job, *, rush: bool = False, bad_input: tuple[int, str] | None = None
    ) -> None:
        """Begin; ``rush`` leaves the waiting out."""
        job.task = asyncio.create_task(self._run(job, rush=rush, bad_input=bad_input))

    def cancel(self) -> None:
        """Give up deliveries that are still under way."""
        for task in tuple(self._sending):
            task.cancel()

    async def stop(self) -> None:
        """Give them up and wait until they are gone."""
        self.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _run(self, job: Job, *, rush: bool, bad_input: tuple[int, str] | None) -> None:
        settings = self.state.settings
        await job.account.slots.take()
        try:
            if settings.created_s and not rush:
                await asyncio.sleep(settings.created_s)
            job.status = Status.PROCESSING
            stuck = job.fault(FaultKind.STUCK_PROCESSING)
            if stuck is not None:
                await asyncio.sleep(STUCK_S if stuck.seconds is None else stuck.seconds)
            if bad_input is None:
                await self._fetch_references(job)
            if settings.processing_s and not rush:
                await asyncio.sleep(settings.processing_s)
            self._finish(job, bad_input)
        except UnreachableMediaError as error:
            self._fail(job, MEDIA_UNREACHABLE, str(error))
        finally:
            job.account.slots.release()
            job.task = None
        self._announce(job)

    def _finish(self, job: Job, bad_input: tuple[int, str] | None) -> None:
        failed = job.fault(FaultKind.FAILED)
        nsfw = job.fault(FaultKind.NSFW)
        if bad_input is not None:
            self._fail(job, *bad_input)
        elif failed is not None:
            self._fail_on_request(job, failed)
        elif nsfw is not None and not nsfw.flagged:
            job.nsfw = True
            self._fail(job, MODERATED, "Content flagged as potentially sensitive.")
        else:
            job.nsfw = nsfw is not None
            empty = job.fault(FaultKind.COMPLETED_WITHOUT_OUTPUTS)
            job.output_count = 0 if empty else job.wanted.count
            self._end(job, Status.COMPLETED)

    def _fail_on_request(self, job: Job, fault: Fault) -> None:
        code = TASK_FAILED if fault.code is None else fault.code
        message = fault.message or f"Task failed with code {code}."
        self._fail(job, code, message, Status(fault.state))

    def _fail(self, job: Job, code: int, message: str, status: Status = Status.FAILED) -> None:
        job.code, job.error = code, message
        if self.state.settings.refund_failed:
            job.account.balance_micro_usd += job.price_micro_usd
        self._end(job, status)

    def _end(self, job: Job, status: Status) -> None:
        job.status = status
        job.finished_at = datetime.now(UTC)
        job.inference_ms = round((job.finished_at - job.created_at).total_seconds() * 1000)
        self.state.stats.finished[status.value] += 1
        job.done.set()

    def _announce(self, job: Job) -> None:
        """Send the webhook, which the vendor does for completed and failed tasks only."""
        if job.webhook_url is None or job.status not in {Status.COMPLETED, Status.FAILED}:
            job.notified.set()
            return
        body = prediction(job, outputs.urls(job), with_input=True)
        task = asyncio.create_task(self.sender.send(job, body))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _fetch_references(self, job: Job) -> None:
        """Turn the request's images into thumbnails. Raises ``UnreachableMediaError``."""
        if not job.wanted.images:
            return
        thumbnails = []
        for number, image in enumerate(job.wanted.images):
            content = await self._content(image, number)
            try:
                thumbnails.append(await asyncio.to_thread(thumbnail, content))
            except NotAPictureError as error:
                raise UnreachableMediaError(f"images[{number}] is not a picture") from error
        # The request's own texts may be tens of megabytes of base64.
        job.wanted = replace(job.wanted, images=())
        self.state.jobs.hold_references(job, tuple(thumbnails))

    async def _content(self, image: str, number: int) -> bytes:
        if image.startswith(("http://", "https://")):
            content = await self._download(image, number)
        else:
            encoded = image.partition(",")[2] if image.startswith("data:") else image
            try:
                content = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError) as error:
                raise UnreachableMediaError(
                    f"images[{number}] is neither URL nor base64"
                ) from error
        if len(content) > self.state.settings.upload_bytes_max:
            raise UnreachableMediaError(f"images[{number}] is too large")
        self.state.stats.bytes["references"] += len(content)
        return content

    async def _download(self, url: str, number: int) -> bytes:
        timeout = ClientTimeout(total=self.state.settings.reference_timeout_s)
        limit = self.state.settings.upload_bytes_max + 1
        content = bytearray()
        try:
            async with self.state.session.get(url, timeout=timeout) as answer:
                if answer.status != 200:
                    raise UnreachableMediaError(f"images[{number}] answered {answer.status}")
                async for piece in answer.content.iter_chunked(65_536):
                    content += piece
                    if len(content) >= limit:
                        break
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            raise UnreachableMediaError(f"images[{number}] cannot be fetched") from error
        return bytes(content)
