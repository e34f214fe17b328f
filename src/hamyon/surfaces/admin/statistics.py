"""What operators want to know in numbers: a fixed number of queries, kept for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from pydantic import Field

from hamyon.catalog.types import MICRO_USD_PER_CREDIT
from hamyon.kit import store as kit_store
from hamyon.kit.cache import Codec, Namespace
from hamyon.kit.db import Connection
from hamyon.kit.money import Asset
from hamyon.kit.web.models import AnswerModel
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Moved, TransferKind
from hamyon.orders.service import overview as orders_overview
from hamyon.orders.types import OrderState
from hamyon.payments.service import read as payments
from hamyon.surfaces.admin.types import Needs
from hamyon.users.service import overview

ACTIVE_DAYS: Final = (1, 7, 30)
GIFTS: Final = frozenset(
    {
        TransferKind.ADMIN_ADJUSTMENT,
        TransferKind.WELCOME,
        TransferKind.REFERRAL_BONUS,
        TransferKind.DAILY_BONUS,
        TransferKind.PROMO_CODE,
    }
)
CHARGES: Final = frozenset({TransferKind.GENERATION, TransferKind.TRAINING})


class UsersAnswer(AnswerModel):
    total: int
    new_today: int = Field(description="By the calendar of `TIMEZONE`, like week and month.")
    new_week: int
    new_month: int
    active_1d: int = Field(description="Ordered something in this time.")
    active_7d: int
    active_30d: int
    blocked: int


class ModelAnswer(AnswerModel):
    product: str
    model: str
    by_status: dict[str, int] = Field(examples=[{"completed": 40, "failed": 2}])
    success_rate: float | None = Field(description="Completed among completed and failed.")
    mean_s: float | None = Field(description="Mean time from order to picture.")
    provider_cost_micro_usd: int


class GenerationsAnswer(AnswerModel):
    total: int
    by_status: dict[str, int]
    success_rate: float | None
    mean_s: float | None
    uncertain_jobs: int = Field(description="Calls that the provider may have made and charged.")
    by_model: list[ModelAnswer]


class MovedAnswer(AnswerModel):
    kind: TransferKind
    asset: str
    gained: int
    lost: int


class CreditsAnswer(AnswerModel):
    """Credits of people's wallets; ``by_kind`` holds every asset."""

    sold: int
    granted: int
    taken: int
    spent: int
    refunded: int
    by_kind: list[MovedAnswer]


class MarginAnswer(AnswerModel):
    """Credits spent less refunds, at 1000 credits a dollar, less what providers took."""

    earned_micro_usd: int
    provider_cost_micro_usd: int
    margin_micro_usd: int
    margin_percent: float | None


class QueueAnswer(AnswerModel):
    depth: int
    oldest_s: float


class StatisticsAnswer(AnswerModel):
    days: int
    since: datetime
    made_at: datetime
    users: UsersAnswer
    generations: GenerationsAnswer
    credits: CreditsAnswer
    revenue: dict[str, int] = Field(description="Money by currency less refunds, in minor units.")
    margin: MarginAnswer
    queue: QueueAnswer


@cache
def statistics_namespace(ttl_s: float) -> Namespace[StatisticsAnswer]:
    """Statistics in the process's cache, as long as ``STATISTICS_CACHE_S`` says.

    The same object for the same time: the cache knows its namespaces by identity.
    """
    codec: Codec[StatisticsAnswer] = Codec(
        1, lambda made: made.model_dump_json().encode(), StatisticsAnswer.model_validate_json
    )
    return Namespace("admin_statistics", ttl_s, codec)


async def statistics(needs: Needs, days: int) -> StatisticsAnswer:
    """The numbers of the last ``days`` days, at most ``STATISTICS_CACHE_S`` old."""
    namespace = statistics_namespace(needs.settings.statistics_cache_s)

    async def load() -> StatisticsAnswer:
        async with needs.pool.acquire() as connection:
            return await count(connection, needs, timedelta(days=days))

    return await needs.cache.get(namespace, str(days), load)


async def count(connection: Connection, needs: Needs, span: timedelta) -> StatisticsAnswer:
    """The numbers of the last ``span``, in six queries."""
    now = needs.clock.now()
    since = now - span
    generations = generations_of(await orders_overview.counts_since(connection, since))
    moved = await ledger.moved_since(connection, since=since)
    depth, oldest_s = await kit_store.queue_depth(connection)
    credits_answer = credits_of(moved)
    return StatisticsAnswer(
        days=max(span.days, 1),
        since=since,
        made_at=now,
        users=await _users(connection, needs, now),
        generations=generations,
        credits=credits_answer,
        revenue={
            one.currency: one.paid_minor - one.refunded_minor
            for one in await payments.revenue_since(connection, since)
        },
        margin=_margin(credits_answer, generations),
        queue=QueueAnswer(depth=depth, oldest_s=round(oldest_s, 3)),
    )


async def _users(connection: Connection, needs: Needs, now: datetime) -> UsersAnswer:
    counts = await overview.counts(connection, now=now, zone=needs.settings.zone)
    moments = [now - timedelta(days=days) for days in ACTIVE_DAYS]
    active = await orders_overview.people_at_work(connection, moments)
    return UsersAnswer(
        total=counts.total,
        new_today=counts.new_today,
        new_week=counts.new_week,
        new_month=counts.new_month,
        active_1d=active[0],
        active_7d=active[1],
        active_30d=active[2],
        blocked=counts.blocked,
    )


def generations_of(rows: Sequence[Mapping[str, Any]]) -> GenerationsAnswer:
    """Rows of ``orders.service.overview.counts_since``, summed up by model and in all."""
    models = sorted({(row["product"], row["model"]) for row in rows})
    return GenerationsAnswer(
        total=sum(row["count"] for row in rows),
        by_status=_by_status(rows),
        success_rate=_success_rate(rows),
        mean_s=_mean_s(rows),
        uncertain_jobs=sum(row["uncertain_jobs"] for row in rows),
        by_model=[
            _model(
                product, model, [r for r in rows if (r["product"], r["model"]) == (product, model)]
            )
            for product, model in models
        ],
    )


def _model(product: str, model: str, rows: Sequence[Mapping[str, Any]]) -> ModelAnswer:
    return ModelAnswer(
        product=product,
        model=model,
        by_status=_by_status(rows),
        success_rate=_success_rate(rows),
        mean_s=_mean_s(rows),
        provider_cost_micro_usd=sum(row["cost_micro_usd"] for row in rows),
    )


def _by_status(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row["state"]] = found.get(row["state"], 0) + row["count"]
    return found


def _success_rate(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """People's own cancellations say nothing about success."""
    states = _by_status(rows)
    completed = states.get(OrderState.COMPLETED, 0)
    decided = completed + states.get(OrderState.FAILED, 0)
    return round(completed / decided, 4) if decided else None


def _mean_s(rows: Sequence[Mapping[str, Any]]) -> float | None:
    completed = [row for row in rows if row["state"] == OrderState.COMPLETED]
    orders = sum(row["count"] for row in completed)
    total_s = sum(row["mean_s"] * row["count"] for row in completed)
    return round(total_s / orders, 3) if orders else None


def credits_of(moved: Sequence[Moved]) -> CreditsAnswer:
    """What happened to credits, by the kinds under which the ledger really writes it."""
    own = [one for one in moved if one.asset == Asset.CREDIT]
    return CreditsAnswer(
        sold=sum(one.gained for one in own if one.kind is TransferKind.DEPOSIT),
        granted=sum(one.gained for one in own if one.kind in GIFTS),
        taken=sum(one.lost for one in own if one.kind in GIFTS),
        spent=sum(one.lost for one in own if one.kind in CHARGES),
        refunded=sum(one.gained for one in own if one.kind is TransferKind.REFUND),
        by_kind=[
            MovedAnswer(kind=one.kind, asset=one.asset, gained=one.gained, lost=one.lost)
            for one in moved
        ],
    )


def _margin(moved: CreditsAnswer, generations: GenerationsAnswer) -> MarginAnswer:
    earned = (moved.spent - moved.refunded) * MICRO_USD_PER_CREDIT
    cost = sum(model.provider_cost_micro_usd for model in generations.by_model)
    return MarginAnswer(
        earned_micro_usd=earned,
        provider_cost_micro_usd=cost,
        margin_micro_usd=earned - cost,
        margin_percent=round((earned - cost) * 100 / earned, 2) if earned > 0 else None,
    )
