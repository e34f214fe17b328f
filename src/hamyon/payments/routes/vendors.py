"""Where the vendors of gateways tell us about charges."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from hamyon.kit.errors import NotFound
from hamyon.kit.web.models import JSON
from hamyon.kit.web.permission import VENDOR, allow
from hamyon.kit.web.routing import RequestFacts, Router
from hamyon.payments.service import events
from hamyon.payments.types import Needs

router = Router("/payments", tags=["webhooks"])
EVENT_BYTES_MAX = 256 * 1024


@router.post("/{gateway}/notification", include_in_schema=False)
@allow(VENDOR, body_bytes_max=EVENT_BYTES_MAX, raises=(NotFound,))
async def notification(request: Request, gateway: str, facts: RequestFacts) -> Response:
    """Verify, keep, queue, answer. The worker asks the vendor for the truth."""
    needs: Needs = request.app.state.deps
    found = needs.gateways.get(gateway)
    if found is None:
        raise NotFound
    body = await request.body()
    event = await found.receive(facts.address, dict(request.headers), body)
    if event is None:
        raise NotFound
    await events.receive(needs, found, event, body)
    return JSON({"status": "accepted"})
