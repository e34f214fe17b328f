"""Where providers tell us about jobs."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import transaction
from hamyon.kit.errors import NotFound
from hamyon.kit.web.models import JSON
from hamyon.kit.web.permission import VENDOR, allow
from hamyon.kit.web.routing import Router
from hamyon.orders.service.record import ENTRYPOINT, payload
from hamyon.orders.types import JobId, Needs

router = Router("/api/v1/webhooks", tags=["webhooks"])
EVENT_BYTES_MAX = 4 * 1024 * 1024


@router.post("/{engine}/{job_id}", include_in_schema=False)
@allow(VENDOR, body_bytes_max=EVENT_BYTES_MAX, raises=(NotFound,))
async def provider_event(request: Request, engine: str, job_id: UUID, token: str = "") -> Response:
    """A provider's webhook: verify, store, queue, answer. The worker asks for the truth itself."""
    needs: Needs = request.app.state.deps
    verifier = needs.verifiers.get(engine)
    if verifier is None or not needs.is_callback(engine, JobId(job_id), token):
        raise NotFound
    body = await request.body()
    event = await verifier.verify_webhook(dict(request.headers), body)
    if event is None:
        raise NotFound
    async with transaction(needs.pool) as connection:
        fresh = await kit_store.store_event(
            connection, source=engine, event_key=event.event_id, subject=str(job_id), body=body
        )
        if fresh is not None:
            await kit_store.add_job(connection, ENTRYPOINT, payload(JobId(job_id), None))
    reach("webhook.stored")
    needs.waker.wake()
    return JSON({"status": "accepted"})
