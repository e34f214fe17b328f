"""Drawings' people over HTTP (contract/drawings.md)."""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from hamyon.catalog.errors import PackageNotFound
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.kit.web.models import JSON, IdempotencyKey, TelegramId
from hamyon.kit.web.permission import ServiceOnly, allow, caller_name
from hamyon.kit.web.routing import RequestFacts, Router, ServiceCaller
from hamyon.payments.errors import (
    GatewayUnavailable,
    PaymentDeclined,
    PaymentUnclear,
    PriceMismatch,
)
from hamyon.products.drawings import service
from hamyon.products.drawings.models import (
    CreatePaymentAnswer,
    CreatePaymentRequest,
    DailyBonusAnswer,
    PricingAnswer,
    RegisterRequest,
    UserAnswer,
    pricing,
)
from hamyon.products.drawings.types import Needs
from hamyon.rewards.errors import AlreadyClaimed
from hamyon.users.errors import UserBlocked, UserNotFound

router = Router(tags=["drawings"])
USERS: Final = ServiceOnly("users")
REWARDS: Final = ServiceOnly("rewards")
PAYMENTS: Final = ServiceOnly("payments")
ChatId = Annotated[TelegramId, Path()]


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


Deps = Annotated[Needs, Depends(_needs)]


@router.post(
    "/users",
    status_code=201,
    response_model=UserAnswer,
    responses={200: {"model": UserAnswer, "description": "Known to drawings already"}},
    summary="Meet somebody",
)
@allow(USERS, raises=(UserBlocked,))
async def register(body: RegisterRequest, needs: Deps) -> Response:
    """Somebody new to drawings gets a welcome gift, once."""
    view, is_new = await service.register(needs, body.registration())
    return JSON(UserAnswer.of(view), 201 if is_new else 200)


@router.get("/users/{chat_id}", summary="Somebody whom drawings know")
@allow(USERS, raises=(UserNotFound, UserBlocked))
async def show(chat_id: ChatId, needs: Deps) -> UserAnswer:
    return UserAnswer.of(await service.view(needs, chat_id))


@router.post("/users/{chat_id}/daily_bonus", summary="Claim today's bonus")
@allow(REWARDS, raises=(UserNotFound, UserBlocked, AlreadyClaimed))
async def claim_daily_bonus(chat_id: ChatId, needs: Deps) -> DailyBonusAnswer:
    return DailyBonusAnswer.of(await service.claim_daily_bonus(needs, chat_id))


@router.get("/pricing", response_model=PricingAnswer, summary="What is for sale")
@allow(PAYMENTS, raises=(UserNotFound, UserBlocked))
async def show_pricing(
    needs: Deps, facts: RequestFacts, chat_id: Annotated[TelegramId | None, Query()] = None
) -> Response:
    """For somebody with the discount that he may still use, and in his own language."""
    return JSON(pricing(await service.price_list(needs, chat_id, facts.language)))


@router.post(
    "/users/{chat_id}/create_payment", status_code=201, summary="Open a payment for revivals"
)
@allow(
    PAYMENTS,
    raises=(
        UserNotFound,
        UserBlocked,
        PackageNotFound,
        PriceMismatch,
        GatewayUnavailable,
        IdempotencyMismatch,
        PaymentDeclined,
        PaymentUnclear,
    ),
)
async def create_payment(
    chat_id: ChatId,
    body: CreatePaymentRequest,
    caller: ServiceCaller,
    needs: Deps,
    key: IdempotencyKey = None,
) -> CreatePaymentAnswer:
    wish = body.wish(chat_id)
    payment = await service.create_payment(needs, wish, caller_name(caller), key)
    return CreatePaymentAnswer(payment_url=payment.url or "", payment_id=payment.id)
