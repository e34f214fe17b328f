"""HTTP: operators give and take credits."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from hamyon.kit.db import Connection
from hamyon.kit.errors import IdempotencyMismatch, KeyRequired
from hamyon.kit.money import Asset
from hamyon.kit.web.models import AnswerModel, StrictModel, TelegramId
from hamyon.kit.web.permission import FINANCE, allow
from hamyon.kit.web.routing import Router
from hamyon.ledger import service as ledger
from hamyon.ledger.errors import AmountTooLarge, InsufficientFunds
from hamyon.ledger.types import AMOUNT_LIMIT, TransferKind, WalletEffect
from hamyon.surfaces.admin.request import Deps, RequiredKey, once
from hamyon.users.errors import UserNotFound
from hamyon.users.routes.request import ActingOperator, Reason
from hamyon.users.service import people
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

router = Router("/api/v1/admin", tags=["operators"])
ROUTE: Final = "admin.credits"
ADJUSTMENTS: Final = "adjustments"
"""The system account that operators give from and take to."""


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be 0")
    return value


class CreditsRequest(StrictModel):
    telegram_id: TelegramId
    asset: Asset = Asset.CREDIT
    amount: Annotated[
        int,
        Field(
            ge=-AMOUNT_LIMIT,
            le=AMOUNT_LIMIT,
            description="Minor units; a negative amount takes.",
            examples=[500],
            json_schema_extra={"not": {"const": 0}},
        ),
        AfterValidator(_not_zero),
    ]
    reason: Reason
    allow_debt: bool = Field(
        False, description="Take more than is available: the rest becomes a debt."
    )


class CreditsAnswer(AnswerModel):
    telegram_id: TelegramId
    asset: str = Field(examples=["credit"])
    old_balance: int = Field(description="What could be spent before.", examples=[100])
    new_balance: int = Field(description="What can be spent now.", examples=[600])
    transfer_id: int = Field(examples=[4711])


@router.post("/credits", summary="Give credits to a person, or take them")
@allow(
    FINANCE,
    raises=(UserNotFound, InsufficientFunds, AmountTooLarge, IdempotencyMismatch, KeyRequired),
)
async def adjust_credits(
    body: CreditsRequest, key: RequiredKey, acting: ActingOperator, needs: Deps
) -> CreditsAnswer:
    return await once(
        needs,
        acting,
        key,
        lambda connection: _adjust(connection, body, key, acting),
        answer=CreditsAnswer,
        route=ROUTE,
        user_id=body.telegram_id,
        given=tuple(body.model_dump().values()),
    )


async def _adjust(
    connection: Connection, body: CreditsRequest, key: str, acting: Acting
) -> CreditsAnswer:
    user = await people.profile(connection, body.telegram_id)
    transfer_key = f"adjustment:{user.id}:{acting.actor}:{key}"
    effect, debt = await _move(connection, body, transfer_key, acting)
    await record_act(
        connection,
        acting.act(
            "credits.adjust",
            f"user:{user.id}",
            before={"asset": body.asset, "balance": effect.old_available},
            after={
                "asset": body.asset,
                "balance": effect.new_available,
                "amount": body.amount,
                "debt": debt,
                "transfer_id": effect.transfer_id,
            },
            reason=body.reason,
        ),
    )
    return CreditsAnswer(
        telegram_id=user.id,
        asset=body.asset,
        old_balance=effect.old_available,
        new_balance=effect.new_available,
        transfer_id=effect.transfer_id,
    )


async def _move(
    connection: Connection, body: CreditsRequest, key: str, acting: Acting
) -> tuple[WalletEffect, int]:
    """Post the transfer; also says how much of it became a debt."""
    debt = 0
    if body.amount < 0 and body.allow_debt:
        debt = await ledger.claw_back(
            connection,
            user_id=body.telegram_id,
            asset=body.asset,
            amount=-body.amount,
            kind=TransferKind.ADMIN_ADJUSTMENT,
            to_role=ADJUSTMENTS,
            key=key,
            actor=acting.actor,
            reason=body.reason,
        )
    else:
        await ledger.grant(
            connection,
            user_id=body.telegram_id,
            asset=body.asset,
            amount=body.amount,
            kind=TransferKind.ADMIN_ADJUSTMENT,
            from_role=ADJUSTMENTS,
            key=key,
            actor=acting.actor,
            reason=body.reason,
        )
    effect = await ledger.wallet_effect(
        connection, user_id=body.telegram_id, asset=body.asset, key=key
    )
    return effect, debt
