"""HTTP: one person with all that operators must see of him."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Query
from pydantic import Field

from hamyon.kit.web.models import AnswerModel
from hamyon.kit.web.permission import SUPPORT, allow
from hamyon.kit.web.routing import Router
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Balance, LedgerLine
from hamyon.orders.service import overview as orders_overview
from hamyon.payments.service import read as payments
from hamyon.surfaces.admin.orders import OperatorsOrder
from hamyon.surfaces.admin.payments import OperatorsPayment
from hamyon.surfaces.admin.request import Deps
from hamyon.surfaces.admin.types import Needs
from hamyon.users.errors import UserNotFound
from hamyon.users.routes.operators import ActAnswer
from hamyon.users.routes.people import OperatorsPerson
from hamyon.users.routes.request import PersonId
from hamyon.users.service import audit, operators, overview, people
from hamyon.users.types import SessionRecord, role_name

router = Router("/api/v1/admin/users", tags=["operators"])
RECENT_DEFAULT: Final = 20

Recent = Annotated[
    int, Query(ge=1, le=100, description="How many lines, orders, acts and sessions at most.")
]


class WalletAnswer(AnswerModel):
    asset: str = Field(examples=["credit"])
    balance: int = Field(description="What can be spent.")
    held: int
    posted: int

    @classmethod
    def of(cls, wallet: Balance) -> Self:
        return cls(
            asset=wallet.asset, balance=wallet.available, held=wallet.held, posted=wallet.posted
        )


class DebtAnswer(AnswerModel):
    asset: str
    owed: int


class LineAnswer(AnswerModel):
    id: int
    asset: str
    kind: str
    amount: int
    balance_after: int
    reference: str | None
    reason: str | None
    created_at: datetime

    @classmethod
    def of(cls, asset: str, line: LedgerLine) -> Self:
        return cls(asset=asset, **{name: getattr(line, name) for name in line.__slots__})


class ReferralAnswer(AnswerModel):
    referral_code: str
    referrer_telegram_id: int | None
    invited_count: int


class LoginAnswer(AnswerModel):
    id: UUID
    origin: str
    address: str | None
    created_at: datetime
    ended_at: datetime | None
    end_reason: str | None

    @classmethod
    def of(cls, session: SessionRecord) -> Self:
        return cls(**{name: getattr(session, name) for name in session.__slots__})


class PersonOverview(AnswerModel):
    """Lists are newest first. ``acts`` is what operators did to this person, blocks among it."""

    profile: OperatorsPerson
    role: str | None
    balances: list[WalletAnswer]
    debts: list[DebtAnswer]
    ledger: list[LineAnswer]
    orders: list[OperatorsOrder]
    payments: list[OperatorsPayment]
    referral: ReferralAnswer
    sessions: list[LoginAnswer]
    acts: list[ActAnswer]


@router.get("/{telegram_id}", summary="A person with money, orders, referral, blocks, sign-ins")
@allow(SUPPORT, raises=(UserNotFound,))
async def show_user(
    telegram_id: PersonId, needs: Deps, recent: Recent = RECENT_DEFAULT
) -> PersonOverview:
    return await _overview(needs, telegram_id, recent)


async def _overview(needs: Needs, user_id: int, recent: int) -> PersonOverview:
    """A fixed number of queries, on one connection."""
    async with needs.pool.acquire() as connection:
        user = await people.profile(connection, user_id)
        role = await operators.role_of(connection, user_id)
        orders = await orders_overview.recent(connection, user_id, limit=recent)
        acts, _ = await audit.acts(connection, subject=f"user:{user_id}", limit=recent)
        debts = await ledger.debts(connection, user_id)
        lines = await ledger.recent(connection, user_id, limit=recent)
        paid = await payments.of_user(connection, user_id, limit=recent)
        sessions = await overview.sessions_of(connection, user_id, limit=recent)
        return PersonOverview(
            profile=OperatorsPerson.of(user),
            role=role_name(role) if role else None,
            balances=[WalletAnswer.of(one) for one in await ledger.balances(connection, user_id)],
            debts=[DebtAnswer(asset=debt.asset, owed=-debt.posted) for debt in debts],
            ledger=[LineAnswer.of(asset, line) for asset, line in lines],
            orders=[OperatorsOrder.of(view) for view in orders],
            payments=[OperatorsPayment.of(payment) for payment in paid],
            referral=ReferralAnswer(
                referral_code=user.referral_code,
                referrer_telegram_id=user.referrer_id,
                invited_count=await overview.invited_count(connection, user_id),
            ),
            sessions=[LoginAnswer.of(session) for session in sessions],
            acts=[ActAnswer.of(act) for act in acts],
        )
