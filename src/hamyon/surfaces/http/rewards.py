"""HTTP: what inviting people brought, and redeeming promo codes (contract/payments.md)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Request
from pydantic import Field
from starlette.responses import Response

from hamyon.kit.db import in_transaction
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.kit.settings import Settings
from hamyon.kit.web.models import JSON, AnswerModel, IdempotencyKey, StrictModel, TelegramId
from hamyon.kit.web.permission import ServiceOrUser, acting_for, allow, caller_name
from hamyon.kit.web.routing import Router, ServiceOrUserCaller
from hamyon.rewards import errors
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Redemption
from hamyon.surfaces.http.types import Needs
from hamyon.users.errors import UserBlocked, UserNotFound
from hamyon.users.routes.request import TEXT
from hamyon.users.service import people
from hamyon.users.types import referral_code

router = Router("/api/v1", tags=["rewards"])
REWARDS: Final = ServiceOrUser("rewards")
UserPath = Annotated[TelegramId, Path()]


class ReferralAnswer(AnswerModel):
    referral_code: str = Field(examples=["ref_777"])
    link: str | None = Field(
        description="Null when the bot's username is not configured.",
        examples=["https://t.me/hamyon_bot?start=ref_777"],
    )
    invited_count: int
    paid_invited_count: int
    earned: dict[str, int] = Field(
        description="By asset, without what refunds took back.", examples=[{"credit": 120}]
    )
    bonus_percent: int = Field(examples=[10])


class RedeemRequest(StrictModel):
    telegram_id: TelegramId
    code: str = Field(
        min_length=1,
        max_length=200,
        pattern=TEXT,
        description="Case and spaces do not matter.",
        examples=["welcome 2026"],
    )
    product: str | None = Field(
        None,
        pattern="^[a-z]{1,20}$",
        description="Where it is redeemed: some codes are for some products only.",
        examples=["images"],
    )


class RedeemAnswer(AnswerModel):
    """What the code gave: an amount of an asset at once, or a percentage of the next payment."""

    code: str = Field(examples=["WELCOME2026"])
    asset: str | None
    amount: int | None
    percent: int | None
    balance: int | None = Field(description="Of that asset, afterwards.")


def _needs(request: Request) -> Needs:
    needs: Needs = request.app.state.deps
    return needs


@router.get("/referrals/{telegram_id}", response_model=ReferralAnswer)
@allow(REWARDS, raises=(UserNotFound,))
async def show_referral(
    request: Request, telegram_id: UserPath, caller: ServiceOrUserCaller
) -> Response:
    """A person's referral code, and what it brought him."""
    needs = _needs(request)
    user_id = acting_for(caller, telegram_id)
    await people.require_not_blocked(needs.pool, needs.cache, user_id)
    found = await rewards.referral(needs.pool, user_id)
    return JSON(
        {
            "referral_code": referral_code(user_id),
            "link": _link(needs.settings, user_id),
            "invited_count": found.invited_count,
            "paid_invited_count": found.paid_invited_count,
            "earned": found.earned,
            "bonus_percent": needs.settings.referral_bonus_percent,
        }
    )


def _link(settings: Settings, user_id: int) -> str | None:
    """What opens our bot with a person's code."""
    if settings.telegram_bot_username is None:
        return None
    name = settings.telegram_bot_username.removeprefix("@")
    return f"https://t.me/{name}?start={referral_code(user_id)}"


@router.post("/promo_codes/redeem", response_model=RedeemAnswer)
@allow(
    REWARDS,
    raises=(
        UserNotFound,
        UserBlocked,
        errors.PromoCodeNotFound,
        errors.PromoCodeExpired,
        errors.PromoCodeUsedUp,
        errors.PromoCodeAlreadyUsed,
        errors.PromoCodeNotApplicable,
        errors.PromoTriesExhausted,
        IdempotencyMismatch,
    ),
)
async def redeem_code(
    request: Request, body: RedeemRequest, caller: ServiceOrUserCaller, key: IdempotencyKey = None
) -> Response:
    """Redeem a promo code. Five unknown codes in ten minutes close this for an hour."""
    needs = _needs(request)
    user_id = acting_for(caller, body.telegram_id)
    wish = Redemption(user_id, body.code, body.product, caller_name(caller), key)
    outcome = await in_transaction(needs.pool, rewards.redeem, wish, now=needs.clock.now())
    if isinstance(outcome, HamyonError):
        raise outcome
    return JSON(outcome)
