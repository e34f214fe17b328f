"""The core that every product shares (contract/images.md, Core)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query, Request
from starlette.responses import Response

from hamyon import __version__
from hamyon.kit.money import Asset
from hamyon.kit.texts import text
from hamyon.kit.web.models import JSON, AnswerModel, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import OPEN, ServiceOnly, ServiceOrUser, acting_for, allow
from hamyon.kit.web.routing import (
    RequestFacts,
    Router,
    ServiceOrUserCaller,
    service_or_user_of,
)
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Balance
from hamyon.rewards import service as rewards
from hamyon.surfaces.http import health
from hamyon.surfaces.http.types import Needs
from hamyon.users.errors import UserNotFound
from hamyon.users.service import people

root = Router(tags=["service"])
router = Router("/api/v1", tags=["core"])
USERS: Final = ServiceOrUser("users")
REWARDS: Final = ServiceOrUser("rewards")
UserPath = Annotated[TelegramId, Path()]
AssetQuery = Annotated[Asset | None, Query(description="One asset; without it all of them.")]


class InfoAnswer(AnswerModel):
    status: str
    name: str
    version: str
    environment: str
    docs_url: str


class HealthAnswer(AnswerModel):
    status: str
    uptime_s: float
    request_id: str
    checks: dict[str, str]


class AssetBalanceAnswer(AnswerModel):
    asset: str
    balance: int
    held: int
    posted: int


class BalanceAnswer(AssetBalanceAnswer):
    telegram_id: int
    balances: list[AssetBalanceAnswer] | None = None


class LedgerLineAnswer(AnswerModel):
    id: int
    kind: str
    amount: int
    balance_after: int
    reference: str | None
    title: str
    created_at: datetime


class TrialAnswer(AnswerModel):
    available: bool
    used: int
    limit: int
    remaining: int
    last_used_at: datetime | None


def _needs(request: Request) -> Needs:
    needs: Needs = request.app.state.deps
    return needs


# --- the service ----------------------------------------------------------------------------------


def _info(request: Request) -> Response:
    settings = _needs(request).settings
    return JSON(
        {
            "status": "ok",
            "name": "hamyon",
            "version": __version__,
            "environment": settings.environment,
            "docs_url": f"{settings.base_url}/docs",
        }
    )


async def _health(request: Request, request_id: str) -> Response:
    needs = _needs(request)
    well, checks = await health.check(needs)
    content = {
        "status": "ok" if well else "unavailable",
        "uptime_s": health.uptime_s(needs),
        "request_id": request_id,
        "checks": checks,
    }
    return JSON(content, 200 if well else 503)


@root.get("/", response_model=InfoAnswer)
@allow(OPEN)
async def index(request: Request) -> Response:
    """What this is and where its documentation lies."""
    return _info(request)


@router.get("/info", response_model=InfoAnswer)
@allow(OPEN)
async def info(request: Request) -> Response:
    """What this is and where its documentation lies."""
    return _info(request)


@root.get("/health", response_model=HealthAnswer)
@allow(OPEN)
async def health_at_root(request: Request, facts: RequestFacts) -> Response:
    """Whether the service can do its work; 503 with the failing check when it cannot."""
    return await _health(request, facts.request_id)


@router.get("/health", response_model=HealthAnswer)
@allow(OPEN)
async def health_in_api(request: Request, facts: RequestFacts) -> Response:
    """Whether the service can do its work; 503 with the failing check when it cannot."""
    return await _health(request, facts.request_id)


@root.get("/metrics", response_class=Response)
@allow(ServiceOnly("metrics"))
async def metrics(request: Request) -> Response:
    """This process's counters, for Prometheus."""
    needs = _needs(request)
    return Response(needs.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


# --- people's money -------------------------------------------------------------------------------


def _shown(balance: Balance) -> dict[str, object]:
    return {
        "asset": balance.asset,
        "balance": balance.available,
        "held": balance.held,
        "posted": balance.posted,
    }


@router.get("/users/{telegram_id}/balance", response_model=BalanceAnswer)
@allow(USERS, raises=(UserNotFound,))
async def balance(request: Request, telegram_id: UserPath, asset: AssetQuery = None) -> Response:
    """What a person has; ``balance`` is what can be spent. Read anew every time."""
    needs = _needs(request)
    user_id = acting_for(service_or_user_of(request), telegram_id)
    if asset is not None:
        wallet = await ledger.balance_of_active(needs.pool, user_id, asset)
        return JSON({"telegram_id": user_id, **_shown(wallet)})
    await people.require_not_blocked(needs.pool, needs.cache, user_id)
    used = {wallet.asset: wallet for wallet in await ledger.balances(needs.pool, user_id)}
    every = [used.get(code, Balance(code, 0, 0)) for code in Asset]
    first = _shown(every[0])
    return JSON({"telegram_id": user_id, **first, "balances": [_shown(one) for one in every]})


@router.get("/users/{telegram_id}/ledger", response_model=Page[LedgerLineAnswer])
@allow(USERS, raises=(UserNotFound,))
async def ledger_lines(
    request: Request,
    telegram_id: UserPath,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
    asset: Annotated[Asset, Query()] = Asset.CREDIT,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Response:
    """Every movement of a person's money, newest first."""
    needs = _needs(request)
    user_id = acting_for(caller, telegram_id)
    await people.require_not_blocked(needs.pool, needs.cache, user_id)
    before_id = decode_cursor(cursor, int)[0] if cursor else None
    lines = await ledger.history(needs.pool, user_id, asset, before_id=before_id, limit=limit + 1)
    items = [
        {
            "id": line.id,
            "kind": line.kind,
            "amount": line.amount,
            "balance_after": line.balance_after,
            "reference": line.reference,
            "title": text(facts.language, f"ledger.{line.kind}"),
            "created_at": line.created_at,
        }
        for line in lines[:limit]
    ]
    more = encode_cursor(lines[limit - 1].id) if len(lines) > limit else None
    return JSON({"items": items, "next_cursor": more})


@router.get("/users/{telegram_id}/trial", response_model=TrialAnswer)
@allow(REWARDS, raises=(UserNotFound,))
async def trial(
    request: Request,
    telegram_id: UserPath,
    caller: ServiceOrUserCaller,
    product: Annotated[str, Query(pattern="^[a-z]{1,20}$")] = "images",
) -> Response:
    """A person's free generations."""
    needs = _needs(request)
    user_id = acting_for(caller, telegram_id)
    await people.require_not_blocked(needs.pool, needs.cache, user_id)
    limit = needs.settings.trial_generations_limit
    found = await rewards.trial(needs.pool, user_id, product, limit=limit)
    return JSON(
        {
            "available": found.remaining > 0,
            "used": found.used,
            "limit": found.limit,
            "remaining": found.remaining,
            "last_used_at": found.last_used_at,
        }
    )
