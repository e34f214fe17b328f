"""Where Telegram sends updates to, when it is not asked for them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import orjson
import structlog
from fastapi import Request
from starlette.responses import Response

from hamyon.kit.errors import NotFound
from hamyon.kit.web.models import JSON
from hamyon.kit.web.permission import VENDOR, allow
from hamyon.kit.web.routing import Router
from hamyon.surfaces.bot.intake import take
from hamyon.surfaces.bot.types import Needs

PATH = "/api/v1/telegram/webhook"
UPDATE_BYTES_MAX = 1024 * 1024
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 -- the header's name

router = Router(tags=["webhooks"])
log = structlog.get_logger("hamyon.bot")


@router.post(PATH, include_in_schema=False)
@allow(VENDOR, body_bytes_max=UPDATE_BYTES_MAX, raises=(NotFound,))
async def telegram_update(request: Request) -> Response:
    """200 once the update is kept; anything else, and Telegram sends it again."""
    needs: Needs = request.app.state.deps
    given = request.headers.get(SECRET_HEADER, "").encode("latin-1")
    if needs.bot is None or not hmac.compare_digest(given, needs.bot_secret.encode()):
        raise NotFound
    update = _parsed(await request.body())
    if update is None:
        log.error("a strange update was passed by", problem="it is no object")
    else:
        await take(needs, update)
    return JSON({})


def _parsed(body: bytes) -> Mapping[str, object] | None:
    """None: sending it again would not make it an update."""
    try:
        update = orjson.loads(body)
    except ValueError:
        return None
    return update if isinstance(update, dict) else None
