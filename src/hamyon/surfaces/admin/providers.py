"""HTTP: how the vendors stand, and closing and opening them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self

from fastapi import Path
from pydantic import Field

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import ProviderNotFound
from hamyon.catalog.types import ProviderStatus
from hamyon.kit.db import in_transaction
from hamyon.kit.web.models import AnswerModel, StrictModel
from hamyon.kit.web.permission import ADMIN, allow
from hamyon.kit.web.routing import Router
from hamyon.orders.service import overview
from hamyon.orders.types import JobEnds
from hamyon.surfaces.admin.request import Deps
from hamyon.surfaces.admin.types import Needs
from hamyon.users.routes.request import ActingOperator, Reason

router = Router("/api/v1/admin/providers", tags=["operators"])
LAST_HOUR: Final = timedelta(hours=1)

ProviderName = Annotated[str, Path(max_length=63, pattern="^[a-z0-9][a-z0-9_-]*$")]
Standing = Literal["open", "paused", "closed", "probing"]


class PauseRequest(StrictModel):
    reason: Reason = "no reason given"


class BreakerAnswer(AnswerModel):
    failures: int = Field(description="Outages in a row.")
    open_until: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class HourAnswer(AnswerModel):
    """Jobs of orders that were settled in the last hour."""

    succeeded: int
    failed: int
    refused: int
    canceled: int
    error_rate: float | None = Field(description="Failures among succeeded, failed and refused.")
    cost_micro_usd: int


class ProviderAnswer(AnswerModel):
    name: str
    status: Standing = Field(
        description="`closed` by the breaker, `probing` when its time is over; `paused` by people."
    )
    works_here: bool = Field(description="This installation has its key; else `offline` works.")
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    breaker: BreakerAnswer
    balance_micro_usd: int | None
    balance_at: datetime | None
    last_hour: HourAnswer

    @classmethod
    def of(cls, found: ProviderStatus, needs: Needs, ends: Mapping[str, JobEnds]) -> Self:
        same = (
            "name", "paused_at", "paused_by", "pause_reason", "balance_micro_usd", "balance_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(found, name) for name in same},
            status=_standing(found),
            works_here=found.name in needs.engines,
            breaker=BreakerAnswer(
                **{name: getattr(found, name) for name in BreakerAnswer.model_fields}
            ),
            last_hour=_hour(ends.get(found.name) or JobEnds(found.name, 0, 0, 0, 0, 0)),
        )


def _standing(found: ProviderStatus) -> Standing:
    if found.paused_at is not None:
        return "paused"
    if found.closed:
        return "closed"
    return "probing" if found.probing else "open"


def _hour(ends: JobEnds) -> HourAnswer:
    return HourAnswer(**{name: getattr(ends, name) for name in HourAnswer.model_fields})


class ProviderList(AnswerModel):
    items: list[ProviderAnswer]


async def _ends(needs: Needs) -> Mapping[str, JobEnds]:
    return await overview.job_ends_since(needs.pool, needs.clock.now() - LAST_HOUR)


@router.get("", summary="Every provider: breaker, balance, errors of the last hour")
@allow(ADMIN)
async def list_providers(needs: Deps) -> ProviderList:
    ends = await _ends(needs)
    found = await catalog.read_providers(needs.pool)
    return ProviderList(items=[ProviderAnswer.of(one, needs, ends) for one in found])


@router.post("/{name}/pause", summary="Give a provider no new work; what runs there goes on")
@allow(ADMIN, raises=(ProviderNotFound,))
async def pause_provider(
    name: ProviderName, acting: ActingOperator, needs: Deps, body: PauseRequest | None = None
) -> ProviderAnswer:
    reason = (body or PauseRequest()).reason
    found = await in_transaction(
        needs.pool,
        lambda connection: catalog.pause(connection, name, acting=acting, reason=reason),
    )
    needs.cache.drop(catalog.PROVIDERS, name)
    return ProviderAnswer.of(found, needs, await _ends(needs))


@router.post("/{name}/resume", summary="Give a provider work again, whatever its breaker counted")
@allow(ADMIN, raises=(ProviderNotFound,))
async def resume_provider(
    name: ProviderName, acting: ActingOperator, needs: Deps, body: PauseRequest | None = None
) -> ProviderAnswer:
    reason = (body or PauseRequest()).reason
    found = await in_transaction(
        needs.pool,
        lambda connection: catalog.resume(connection, name, acting=acting, reason=reason),
    )
    needs.cache.drop(catalog.PROVIDERS, name)
    return ProviderAnswer.of(found, needs, await _ends(needs))
