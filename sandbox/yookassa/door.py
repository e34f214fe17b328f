"""What every call needs: whose shop it is, what the body says, what a fault rule may see."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

from sandbox.body import parsed_body
from sandbox.faults import Call
from sandbox.gate import Describe, always
from sandbox.yookassa.envelope import RefusedError
from sandbox.yookassa.keys import HEADER, checked_key, fingerprint
from sandbox.yookassa.notifications import VENDOR
from sandbox.yookassa.state import State

Act = Callable[[dict[str, object]], web.Response]
"""What a POST does, from its body. It raises ``RefusedError`` and never waits."""


def authorize(state: State, request: web.Request) -> None:
    """``Authorization: Basic`` with the shop's id and key. Raises ``RefusedError`` (401)."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (ValueError, binascii.Error):
        given = b""
    expected = f"{state.settings.shop_id}:{state.settings.secret_key}".encode()
    if scheme.lower() != "basic" or not hmac.compare_digest(given, expected):
        raise RefusedError(401, "Error in shopId or secret key. Check their validity.")


async def perform(state: State, request: web.Request, act: Act) -> web.Response:
    """A POST of the API, once for each ``Idempotence-Key``. Raises ``RefusedError``.

    Nothing waits between looking the key up and remembering it, so that two at once are one.
    """
    authorize(state, request)
    body = await _read_object(request)
    key = checked_key(request.headers.get(HEADER))
    state.let_time_pass()
    seal = fingerprint(request.method, request.path, body)
    known = state.keys.recall(key, seal)
    if known is not None:
        return known
    try:
        answer = act(body)
    except RefusedError as error:
        answer = error.response()
    state.keys.keep(key, seal, answer, state.now_ms)
    return answer


async def _read_object(request: web.Request) -> dict[str, object]:
    """The JSON object in the body; nothing at all is an empty one. Raises ``RefusedError``."""
    body = await parsed_body(request)
    if request.content_type != "application/json" and await request.read():
        raise RefusedError(415, "Content-Type must be application/json")
    if not isinstance(body, dict):
        raise RefusedError(400, "The body must be a JSON object")
    return cast("dict[str, object]", body)


def describe(operation: str) -> Describe:
    """A call that is about nothing in particular."""
    return always(Call(VENDOR, operation))


def describe_body(operation: str) -> Callable[[web.Request], Awaitable[Call]]:
    """A call whose body has a description, which rules see as ``prompt``."""

    async def described(request: web.Request) -> Call:
        body = await parsed_body(request)
        text = body.get("description") if isinstance(body, dict) else None
        return Call(VENDOR, operation, prompt=text if isinstance(text, str) else "")

    return described


def describe_payment(state: State, operation: str) -> Callable[[web.Request], Awaitable[Call]]:
    """A call about a payment, with the payment's description."""

    async def described(request: web.Request) -> Call:
        payment = state.books.payments.get(request.match_info["payment"])
        text = payment.description if payment is not None else None
        return Call(VENDOR, operation, prompt=text or "")

    return described
