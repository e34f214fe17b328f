"""HTTP: operators look after promo codes, and at who invited whom (contract/operators.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.money import Asset
from hamyon.kit.web.models import AnswerModel, Int64, StrictModel, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import ADMIN, SUPPORT, allow
from hamyon.kit.web.routing import Router
from hamyon.rewards import service as rewards
from hamyon.rewards.errors import InvalidPromoCode, PromoCodeNotFound, PromoCodeTaken
from hamyon.rewards.types import PromoCode, PromoTerms, PromoUse, Relative
from hamyon.surfaces.admin.request import Deps, Moment
from hamyon.users.errors import UserNotFound
from hamyon.users.routes.request import TEXT, ActingOperator, Reason
from hamyon.users.types import referral_code

router = Router("/api/v1/admin", tags=["operators"])


CodePath = Annotated[str, Path(min_length=1, max_length=200, pattern=TEXT)]
Product = Annotated[str, Field(pattern="^[a-z]{1,20}$", examples=["images"])]
Products = Annotated[list[Product], Field(min_length=1, max_length=20)]
Limit32 = Annotated[int, Field(ge=1, lt=2**31)]
Percent = Annotated[int, Field(ge=1, le=1000)]
TERMS: Final = {"from_": "valid_from", "until": "valid_until"}
"""Fields of a request whose name in the service is another one."""


def _terms_of(given: dict[str, object]) -> dict[str, object]:
    """A request's fields by the names of ``PromoTerms``."""
    return {TERMS.get(name, name): value for name, value in given.items()}


class PromoCodeRequest(StrictModel):
    """A code gives ``amount`` of ``asset`` at once, or ``percent`` on top of the next payment."""

    code: str = Field(
        min_length=1,
        max_length=200,
        pattern=TEXT,
        description="Letters, digits, - and _; case and spaces do not matter.",
        examples=["WELCOME2026"],
    )
    asset: Asset | None = None
    amount: Int64 | None = Field(None, examples=[100])
    percent: Percent | None = None
    total_limit: Limit32 | None = Field(None, description="Null: no limit.")
    per_user_limit: Limit32 = 1
    from_: Moment | None = Field(None, alias="from")
    until: Moment | None = None
    products: Products | None = Field(None, description="Null: all of them.")
    active: bool = True

    def terms(self) -> PromoTerms:
        """As the service takes it."""
        return PromoTerms(**_terms_of(self.model_dump(exclude={"code"})))  # type: ignore[arg-type]


class PromoCodePatch(StrictModel):
    """What is left out stays as it is; null takes a limit away."""

    asset: Asset | None = None
    amount: Int64 | None = None
    percent: Percent | None = None
    total_limit: Limit32 | None = None
    per_user_limit: Limit32 = 1
    from_: Moment | None = Field(None, alias="from")
    until: Moment | None = None
    products: Products | None = None
    active: bool = True
    reason: Reason | None = None

    def changes(self) -> dict[str, object]:
        """As the service takes it."""
        return _terms_of(self.model_dump(exclude={"reason"}, exclude_unset=True))


class PromoCodeAnswer(AnswerModel):
    code: str = Field(examples=["WELCOME2026"])
    asset: str | None
    amount: int | None
    percent: int | None
    total_limit: int | None
    per_user_limit: int
    from_: datetime | None = Field(alias="from")
    until: datetime | None
    products: list[str] | None
    active: bool
    uses: int
    created_by: str = Field(examples=["user:777"])
    created_at: datetime

    @classmethod
    def of(cls, code: PromoCode) -> Self:
        terms = code.terms
        return cls(
            code=code.shown,
            asset=terms.asset,
            amount=terms.amount,
            percent=terms.percent,
            total_limit=terms.total_limit,
            per_user_limit=terms.per_user_limit,
            **{"from": terms.valid_from},
            until=terms.valid_until,
            products=list(terms.products) if terms.products is not None else None,
            active=terms.active,
            uses=code.uses,
            created_by=code.created_by,
            created_at=code.created_at,
        )


class PromoUseAnswer(AnswerModel):
    id: int
    telegram_id: int
    use: int = Field(description="Which use of this person it was.")
    asset: str | None
    amount: int | None
    percent: int | None
    payment_id: UUID | None = Field(description="The payment that used the percentage.")
    used_at: datetime

    @classmethod
    def of(cls, use: PromoUse) -> Self:
        same = ("id", "use", "asset", "amount", "percent", "payment_id", "used_at")
        return cls(telegram_id=use.user_id, **{name: getattr(use, name) for name in same})


@router.get("/promo_codes", summary="Every promo code, newest first")
@allow(ADMIN)
async def list_promo_codes(
    needs: Deps, limit: PageLimit = 20, cursor: PageCursor = None
) -> Page[PromoCodeAnswer]:
    before = decode_cursor(cursor, datetime, str) if cursor else None
    found, after = await rewards.codes(needs.pool, before=before, limit=limit)
    return Page(
        items=[PromoCodeAnswer.of(code) for code in found],
        next_cursor=encode_cursor(*after) if after is not None else None,
    )


@router.post("/promo_codes", status_code=201, summary="Make a promo code")
@allow(ADMIN, raises=(PromoCodeTaken, InvalidPromoCode))
async def create_promo_code(
    body: PromoCodeRequest, acting: ActingOperator, needs: Deps
) -> PromoCodeAnswer:
    made = await in_transaction(
        needs.pool,
        lambda connection: rewards.create_code(
            connection, body.code, body.terms(), acting=acting, now=needs.clock.now()
        ),
    )
    return PromoCodeAnswer.of(made)


@router.patch("/promo_codes/{code}", summary="Change a promo code; what was redeemed stays given")
@allow(ADMIN, raises=(PromoCodeNotFound, InvalidPromoCode))
async def patch_promo_code(
    code: CodePath, body: PromoCodePatch, acting: ActingOperator, needs: Deps
) -> PromoCodeAnswer:
    changed = await in_transaction(
        needs.pool,
        lambda connection: rewards.patch_code(
            connection, code, body.changes(), acting=acting, reason=body.reason
        ),
    )
    return PromoCodeAnswer.of(changed)


@router.get("/promo_codes/{code}/uses", summary="Who redeemed a promo code, newest first")
@allow(ADMIN, raises=(PromoCodeNotFound,))
async def list_promo_uses(
    code: CodePath, needs: Deps, limit: PageLimit = 20, cursor: PageCursor = None
) -> Page[PromoUseAnswer]:
    before_id = decode_cursor(cursor, int)[0] if cursor else None
    found, after = await rewards.uses(needs.pool, code, before_id=before_id, limit=limit)
    return Page(
        items=[PromoUseAnswer.of(use) for use in found],
        next_cursor=encode_cursor(after) if after is not None else None,
    )


# --- who invited whom ----------------------------------------------------------------------------


class RelativeAnswer(AnswerModel):
    """``earned`` is what the inviter of the two earned by the other, by asset."""

    telegram_id: int
    username: str | None
    joined_at: datetime
    blocked: bool
    has_paid: bool = Field(description="Whether the invited one of the two ever paid.")
    earned: dict[str, int]

    @classmethod
    def of(cls, relative: Relative) -> Self:
        return cls(
            telegram_id=relative.user_id,
            username=relative.username,
            joined_at=relative.joined_at,
            blocked=relative.is_blocked,
            has_paid=relative.has_paid,
            earned=dict(relative.earned),
        )


class ReferralTreeAnswer(AnswerModel):
    telegram_id: int
    referral_code: str
    invited_count: int
    paid_invited_count: int
    earned: dict[str, int] = Field(examples=[{"credit": 120}])
    flags: list[str] = Field(
        description="many_joins_unpaid, inviter_blocked, invited_blocked.",
        examples=[["many_joins_unpaid"]],
    )
    inviter: RelativeAnswer | None
    invited: list[RelativeAnswer] = Field(description="One page, newest first.")
    next_cursor: str | None


@router.get("/referrals", summary="Who invited a person, whom he invited, and what it brought")
@allow(SUPPORT, raises=(UserNotFound,))
async def show_referral_tree(
    telegram_id: Annotated[TelegramId, Query()],
    needs: Deps,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> ReferralTreeAnswer:
    before = decode_cursor(cursor, datetime, int) if cursor else None
    async with needs.pool.acquire() as connection:
        tree = await rewards.referral_tree(connection, telegram_id, before=before, limit=limit)
    return ReferralTreeAnswer(
        telegram_id=tree.user_id,
        referral_code=referral_code(tree.user_id),
        invited_count=tree.own.invited_count,
        paid_invited_count=tree.own.paid_invited_count,
        earned=dict(tree.own.earned),
        flags=list(tree.flags),
        inviter=RelativeAnswer.of(tree.inviter) if tree.inviter is not None else None,
        invited=[RelativeAnswer.of(relative) for relative in tree.invited],
        next_cursor=encode_cursor(*tree.next_before) if tree.next_before is not None else None,
    )
