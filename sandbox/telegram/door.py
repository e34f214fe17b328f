"""What every call needs: whose token it is, what it says, what a fault rule may see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from sandbox.faults import Call
from sandbox.telegram.bots import Bot
from sandbox.telegram.envelope import RefusedError
from sandbox.telegram.methods import Methods
from sandbox.telegram.params import Params, read_params
from sandbox.telegram.settings import TOKEN_PATTERN
from sandbox.telegram.state import State

VENDOR = "telegram"
ABOUT = ("telegram_payment_charge_id", "pre_checkout_query_id", "payload", "text", "caption")

_READ: web.RequestKey[object] = web.RequestKey("telegram_params", object)
_TOKEN = re.compile(TOKEN_PATTERN)


def authorize(state: State, token: str) -> Bot:
    """The bot of a token. Raises ``RefusedError`` (401, 404)."""
    bot = state.bots.get(token)
    if bot is None:
        if not _TOKEN.fullmatch(token):
            raise RefusedError(404, "Not Found")
        raise RefusedError(401, "Unauthorized")
    return bot


async def params_of(request: web.Request) -> Params:
    """What a call says, read once. Raises ``RefusedError`` (400, 413)."""
    if _READ not in request:
        try:
            request[_READ] = await read_params(request)
        except RefusedError as error:
            request[_READ] = error
    read = request[_READ]
    if isinstance(read, RefusedError):
        raise read
    return cast("Params", read)


@dataclass(frozen=True, slots=True)
class Describe:
    """A call as rules see it: its method, and as the prompt its charge, payload or words."""

    methods: Methods

    async def __call__(self, request: web.Request) -> Call:
        operation = self.methods.canonical(request.match_info["method"])
        try:
            params = await params_of(request)
        except RefusedError:
            return Call(VENDOR, operation)
        about = next((text for name in ABOUT if (text := params.text(name))), "")
        return Call(VENDOR, operation, prompt=about)
