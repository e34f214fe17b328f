"""What every route needs: whose key it is, what the body says, what a fault rule may see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

from sandbox.body import parsed_body
from sandbox.faults import Call
from sandbox.gate import Describe, always
from sandbox.wavespeed.accounts import Account
from sandbox.wavespeed.envelope import RefusedError
from sandbox.wavespeed.models import INVALID_PARAMETER
from sandbox.wavespeed.state import State

VENDOR = "wavespeed"


def authorize(state: State, request: web.Request) -> Account:
    """The customer. Only ``Authorization: Bearer`` counts. Raises ``RefusedError`` (401)."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    account = state.accounts.get(key.strip()) if scheme == "Bearer" else None
    if account is None:
        raise RefusedError(401, "Unauthorized: invalid API key", error_code="unauthorized")
    if not account.topped_up:
        message = "Unauthorized: this API key works after the first top-up"
        raise RefusedError(401, message, error_code="key_not_active")
    return account


async def read_object(request: web.Request) -> dict[str, object]:
    """The JSON object in the body, parsed once. Raises ``RefusedError`` (400, 413)."""
    body = await parsed_body(request)
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be a JSON object", code=INVALID_PARAMETER)
    return cast("dict[str, object]", body)


def describe(operation: str) -> Describe:
    """A call that is about nothing in particular."""
    return always(Call(VENDOR, operation))


async def describe_submit(request: web.Request) -> Call:
    """A submit, with the model and the prompt that rules may ask for."""
    body = await parsed_body(request)
    prompt = body.get("prompt", "") if isinstance(body, dict) else ""
    return Call(VENDOR, "submit", request.match_info["model"], str(prompt))


def describe_job(state: State, operation: str) -> Callable[[web.Request], Awaitable[Call]]:
    """A call about a task, with the task's model and prompt."""

    async def described(request: web.Request) -> Call:
        job = state.jobs.get(request.match_info["job"])
        if job is None:
            return Call(VENDOR, operation)
        return Call(VENDOR, operation, job.model, job.wanted.prompt)

    return described
