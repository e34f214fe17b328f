"""What a provider is asked, made anew from the order each time and equal each time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from hamyon.orders.types import Claim, JobRequest, Needs, Reference


async def build_request(needs: Needs, claim: Claim) -> JobRequest:
    """The request of a claimed job. Signed URLs differ in their expiry, the pictures do not."""
    given = cast("Mapping[str, Any]", claim.input)
    expires_at = datetime.now(UTC) + timedelta(hours=6)
    return JobRequest(
        job_id=claim.job_id,
        model_key=claim.model_key,
        provider_path=claim.provider_path,
        prompt=given["prompt"],
        options=given.get("options", {}),
        references=[
            Reference(
                mime=reference["mime"],
                bytes=reference["bytes"],
                url=needs.storage.sign(reference["path"], expires_at),
                read=partial(needs.storage.get, reference["path"]),
            )
            for reference in given.get("references", ())
        ],
        callback_url=needs.callback_url(claim.engine, claim.job_id),
    )
