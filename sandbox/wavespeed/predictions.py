"""Submit, result, list and delete."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web

from sandbox.faults import Fault, FaultKind, first
from sandbox.pictures import PictureFormat
from sandbox.wavespeed import outputs
from sandbox.wavespeed.accounts import Account
from sandbox.wavespeed.door import authorize, read_object
from sandbox.wavespeed.envelope import RefusedError, success
from sandbox.wavespeed.jobs import Job, Status, prediction, remembered_input
from sandbox.wavespeed.models import (
    INVALID_PARAMETER,
    MODELS,
    BadInputError,
    Model,
    Wanted,
    check,
    price_micro_usd,
)
from sandbox.wavespeed.state import State
from sandbox.wavespeed.webhooks import acceptable_url
from sandbox.wavespeed.work import Work

HISTORY = timedelta(days=7)
SYNC_TIMED_OUT = 5004
NOTHING_WANTED = Wanted("", 1024, 1024, PictureFormat.PNG, 1, (), sync=False, base64=False)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Handlers of ``/api/v3/<model>`` and ``/api/v3/predictions``."""

    state: State
    work: Work

    async def submit(self, request: web.Request, faults: Sequence[Fault]) -> web.StreamResponse:
        """Accept a task: checked, counted, paid; then it runs by itself."""
        account = authorize(self.state, request)
        model = self._model(request.match_info["model"])
        body = await read_object(request)
        webhook_url = request.query.get("webhook") or None
        if webhook_url is not None and not acceptable_url(webhook_url):
            raise RefusedError(400, "webhook must be an https URL", code=INVALID_PARAMETER)
        wanted, price, bad_input = self._check(model, body)
        if not account.take_images(wanted.count, self.state.settings.minute_s):
            raise RefusedError(429, "Too Many Requests")
        self._pay(account, price)
        job = Job(
            id=secrets.token_hex(16),
            model=model.path,
            account=account,
            base_url=f"{request.scheme}://{request.host}",
            input=remembered_input(body),
            wanted=wanted,
            price_micro_usd=price,
            webhook_url=webhook_url,
            faults=tuple(faults),
        )
        self._count(job, body)
        answer = prediction(job, [])
        early = first(faults, FaultKind.WEBHOOK_BEFORE_ANSWER)
        self.work.start(job, rush=early is not None, bad_input=bad_input)
        if early is not None and webhook_url is not None:
            await job.notified.wait()
        if wanted.sync:
            return await self._wait_for_result(job)
        return success(answer)

    async def result(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """The task as it stands; only for the customer that submitted it."""
        account = authorize(self.state, request)
        job = self.state.jobs.get(request.match_info["job"])
        if job is None or job.account is not account:
            raise RefusedError(404, "prediction not found")
        return success(prediction(job, outputs.urls(job), with_input=True))

    async def list(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """The customer's tasks of the last seven days, newest first."""
        account = authorize(self.state, request)
        asked = await read_object(request)
        page, page_size = _integer(asked, "page", 1), _integer(asked, "page_size", 20)
        if page < 1 or not 1 <= page_size <= 100:
            raise _invalid("page must be at least 1, page_size 1 to 100")
        after = _time(asked, "created_after") or datetime.now(UTC) - HISTORY
        before = _time(asked, "created_before")
        chosen = [
            job
            for job in self.state.jobs.newest_first()
            if job.account is account
            and job.status is not Status.DELETED
            and max(after, datetime.now(UTC) - HISTORY) <= job.created_at
            and (before is None or job.created_at <= before)
            and asked.get("model") in {None, "", job.model}
            and asked.get("status") in {None, "", job.status.value}
        ]
        part = chosen[(page - 1) * page_size : page * page_size]
        items = [prediction(job, outputs.urls(job), with_input=True) for job in part]
        return success({"page": page, "items": items})

    async def delete(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """Take tasks out of the history and stop those that run; nothing is refunded."""
        account = authorize(self.state, request)
        ids = (await read_object(request)).get("ids")
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise _invalid("ids must be an array of strings")
        for job_id in ids:
            job = self.state.jobs.get(job_id)
            if job is None or job.account is not account:
                continue
            job.stop()
            job.status = Status.DELETED
        return success()

    def _model(self, path: str) -> Model:
        model = MODELS.get(path)
        if model is None or path in self.state.settings.withdrawn_models:
            raise RefusedError(404, f"model not found: {path}")
        return model

    def _check(
        self, model: Model, body: Mapping[str, object]
    ) -> tuple[Wanted, int, tuple[int, str] | None]:
        """What is wanted, its price in millionths, and an error for the task to end with."""
        settings = self.state.settings
        try:
            wanted = check(model, body, refuse_unknown=settings.refuse_unknown_parameters)
        except BadInputError as error:
            if settings.bad_input == "refuse":
                raise RefusedError(400, error.message, code=error.code) from error
            return NOTHING_WANTED, model.price_micro_usd, (error.code, error.message)
        price = round(price_micro_usd(model, body) * (1 - settings.discount_rate))
        return wanted, price, None

    def _pay(self, account: Account, price: int) -> None:
        if account.balance_micro_usd < price:
            raise RefusedError(
                402, "Insufficient credits. Please top up.", error_code="insufficient_credits"
            )
        account.balance_micro_usd -= price

    def _count(self, job: Job, body: Mapping[str, object]) -> None:
        stats = self.state.stats
        stats.accepted += 1
        stats.accepted_by_prompt.add(str(body.get("prompt", "")))
        if job.webhook_url is not None:
            stats.accepted_by_webhook.add(job.webhook_url)
        self.state.jobs.add(job, self.state.settings.jobs_max)

    async def _wait_for_result(self, job: Job) -> web.Response:
        """Sync mode: hold the request until the task ends or the vendor loses patience."""
        settings = self.state.settings
        try:
            await asyncio.wait_for(job.done.wait(), settings.sync_timeout_s)
        except TimeoutError:
            if settings.sync_timeout_shape == "gateway":
                raise RefusedError(504, "Gateway Timeout") from None
            address = f"{job.base_url}/api/v3/predictions/{job.id}/result"
            seconds = f"{settings.sync_timeout_s:g}"
            message = f"Sync mode timed out after {seconds} seconds. Query the result: {address}"
            answer = prediction(job, []) | {"code": SYNC_TIMED_OUT, "error": message}
            return success(answer | {"status": Status.PROCESSING.value})
        return success(prediction(job, outputs.urls(job)))


def _invalid(message: str) -> RefusedError:
    return RefusedError(400, message, code=INVALID_PARAMETER)


def _integer(asked: Mapping[str, object], name: str, default: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"{name} must be an integer")
    return value


def _time(asked: Mapping[str, object], name: str) -> datetime | None:
    value = asked.get(name)
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise _invalid(f"{name} must be an ISO 8601 time") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
