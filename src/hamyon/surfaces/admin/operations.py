"""HTTP: how the service as a whole is doing."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

import asyncpg
from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from hamyon.kit import store as kit_store
from hamyon.kit.web.models import JSON, AnswerModel
from hamyon.kit.web.permission import ADMIN, OPEN, SUPPORT, allow
from hamyon.kit.web.routing import RequestFacts, Router
from hamyon.orders.service import overview
from hamyon.surfaces.admin.request import Deps
from hamyon.surfaces.admin.statistics import StatisticsAnswer, statistics

router = Router("/api/v1/admin", tags=["operators"])
CHECK_TIMEOUT_S: Final = 2.0


class HealthAnswer(AnswerModel):
    status: str = Field(examples=["ok"])
    uptime_s: float
    request_id: str
    checks: dict[str, str] = Field(examples=[{"database": "ok"}])


class EntrypointAnswer(AnswerModel):
    entrypoint: str
    due: int
    held_back: int = Field(description="Wait for a later moment.")
    running: int
    failed: int = Field(description="Given up; they lie there for a person to look at.")
    retried: int = Field(description="Waiting or running again after a failure.")
    oldest_s: float = Field(description="How long the oldest due job has waited.")


class QueueOverview(AnswerModel):
    depth: int
    oldest_s: float
    failed: int
    review_orders: int
    uncertain_jobs: int
    by_entrypoint: list[EntrypointAnswer]


@router.get("/health", summary="Whether operators can work", response_model=HealthAnswer)
@allow(OPEN)
async def health(needs: Deps, facts: RequestFacts) -> Response:
    """All that operators do goes through the database; 503 when it does not answer."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await kit_store.database_time(needs.pool)
        database = "ok"
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        database = "down"
    content = {
        "status": "ok" if database == "ok" else "unavailable",
        "uptime_s": round(time.monotonic() - needs.started_at, 3),
        "request_id": facts.request_id,
        "checks": {"database": database},
    }
    return JSON(content, 200 if database == "ok" else 503)


@router.get("/stats", summary="Users, generations, credits, cost and margin, queue")
@allow(SUPPORT)
async def show_statistics(
    needs: Deps, days: Annotated[int, Query(ge=1, le=365)] = 30
) -> StatisticsAnswer:
    return await statistics(needs, days)


@router.get("/queue", summary="What waits, what is stuck, what a person must decide")
@allow(ADMIN)
async def show_queue(needs: Deps) -> QueueOverview:
    rows: list[Any] = list(await kit_store.queue_by_entrypoint(needs.pool))
    review, uncertain = await overview.awaiting_people(needs.pool)
    return QueueOverview(
        depth=sum(row["due"] for row in rows),
        oldest_s=max((row["oldest_s"] for row in rows), default=0.0),
        failed=sum(row["failed"] for row in rows),
        review_orders=review,
        uncertain_jobs=uncertain,
        by_entrypoint=[EntrypointAnswer(**row) for row in rows],
    )
