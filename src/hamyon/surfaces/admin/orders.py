"""HTTP: operators look at orders, decide about those in review, and give charges back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import Field

from hamyon.kit.db import Connection
from hamyon.kit.errors import IdempotencyMismatch, KeyRequired
from hamyon.kit.web.models import AnswerModel, PositiveInt64, StrictModel
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import FINANCE, SUPPORT, allow
from hamyon.kit.web.routing import Router
from hamyon.ledger.errors import AmountTooLarge
from hamyon.orders.errors import (
    NothingToCharge,
    NotInReview,
    NotRefundable,
    OrderNotFound,
    RefundTooLarge,
)
from hamyon.orders.service import decide, overview
from hamyon.orders.service.overview import OperatorsView
from hamyon.orders.service.refund import refund
from hamyon.orders.types import JobState, OrderId, OrderState, ProviderJob
from hamyon.surfaces.admin.request import Deps, RequiredKey, once
from hamyon.surfaces.admin.types import Needs
from hamyon.users.routes.request import ActingOperator, Reason
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

router = Router("/api/v1/admin/orders", tags=["operators"])
REFUND_ROUTE: Final = "admin.orders.refund"
RESOLVE_ROUTE: Final = "admin.orders.resolve"


class JobAnswer(AnswerModel):
    id: UUID
    status: JobState
    engine: str
    provider_job_id: str | None = Field(description="What to look for at the provider.")
    outputs: int = Field(description="How many pictures lie in our storage.")
    cost_micro_usd: int | None
    error_code: str | None
    error_message: str | None
    submitted_at: datetime | None
    finished_at: datetime | None


class OperatorsOrder(AnswerModel):
    id: UUID
    telegram_id: int
    product: str
    model: str
    engine: str
    status: OrderState
    prompt: str | None
    asset: str
    price: int
    charged: int | None
    trial_used: bool
    error_code: str | None
    error_message: str | None = Field(description="The provider's own words.")
    created_at: datetime
    started_at: datetime | None
    deadline_at: datetime
    finished_at: datetime | None
    settled_at: datetime | None
    jobs: list[JobAnswer]

    @classmethod
    def of(cls, view: OperatorsView) -> Self:
        """Field by field."""
        order = view.order
        same = (
            "id", "product", "engine", "asset", "price", "charged", "error_code", "error_message",
            "created_at", "started_at", "deadline_at", "finished_at", "settled_at",
        )  # fmt: skip
        prompt = order.input.get("prompt")
        return cls(
            **{name: getattr(order, name) for name in same},
            telegram_id=order.user_id,
            model=order.model_key,
            status=order.state,
            prompt=prompt if isinstance(prompt, str) else None,
            trial_used=order.trial,
            jobs=[_job(job) for job in view.jobs],
        )


def _job(job: ProviderJob) -> JobAnswer:
    own = {name: getattr(job, name) for name in JobAnswer.model_fields if name != "status"}
    return JobAnswer(**own, status=job.state)


class RefundRequest(StrictModel):
    reason: Reason
    amount: PositiveInt64 | None = Field(
        None, description="Minor units; all that is left of the charge when left out."
    )


class RefundAnswer(AnswerModel):
    order_id: UUID
    telegram_id: int
    asset: str
    charged: int
    amount: int = Field(description="Given back now.")
    refunded: int = Field(description="Given back in all.")
    left: int = Field(description="What could still be given back.")
    transfer_id: int


class ResolveRequest(StrictModel):
    decision: Literal["charge", "release"]
    note: Reason


@router.get("", summary="Orders by state, newest first")
@allow(SUPPORT)
async def list_orders(
    needs: Deps,
    state: Annotated[OrderState, Query()] = OrderState.REVIEW,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[OperatorsOrder]:
    before = decode_cursor(cursor, UUID)[0] if cursor else None
    views, next_before = await overview.in_state(needs.pool, state, before=before, limit=limit)
    return Page(
        items=[OperatorsOrder.of(view) for view in views],
        # The driver's own kind of UUID is not what cursors are made of.
        next_cursor=encode_cursor(next_before) if next_before else None,
    )


@router.post("/{order_id}/refund", summary="Give back what an order was charged, or a part of it")
@allow(
    FINANCE,
    raises=(
        OrderNotFound,
        NotRefundable,
        RefundTooLarge,
        AmountTooLarge,
        IdempotencyMismatch,
        KeyRequired,
    ),
)
async def refund_order(
    order_id: UUID, body: RefundRequest, key: RequiredKey, acting: ActingOperator, needs: Deps
) -> RefundAnswer:
    return await once(
        needs,
        acting,
        key,
        lambda connection: _refund(connection, OrderId(order_id), body, key, acting),
        answer=RefundAnswer,
        route=REFUND_ROUTE,
        user_id=0,
        given=(str(order_id), body.reason, body.amount),
    )


async def _refund(
    connection: Connection, order_id: OrderId, body: RefundRequest, key: str, acting: Acting
) -> RefundAnswer:
    made = await refund(
        connection,
        order_id,
        amount=body.amount,
        key=f"{acting.actor}:{key}",
        actor=acting.actor,
        reason=body.reason,
    )
    await record_act(
        connection,
        acting.act(
            "order.refund",
            f"order:{order_id}",
            before={"charged": made.charged, "refunded": made.refunded - made.amount},
            after={"refunded": made.refunded, "transfer_id": made.transfer_id},
            reason=body.reason,
        ),
    )
    return RefundAnswer(
        order_id=order_id,
        telegram_id=made.order.user_id,
        asset=made.order.asset,
        charged=made.charged,
        amount=made.amount,
        refunded=made.refunded,
        left=made.charged - made.refunded,
        transfer_id=made.transfer_id,
    )


@router.post("/{order_id}/resolve", summary="Decide about an order in review")
@allow(
    FINANCE,
    raises=(OrderNotFound, NotInReview, NothingToCharge, IdempotencyMismatch, KeyRequired),
)
async def resolve_order(
    order_id: UUID, body: ResolveRequest, key: RequiredKey, acting: ActingOperator, needs: Deps
) -> OperatorsOrder:
    return await once(
        needs,
        acting,
        key,
        lambda connection: _resolve(connection, needs, OrderId(order_id), body, acting),
        answer=OperatorsOrder,
        route=RESOLVE_ROUTE,
        user_id=0,
        given=(str(order_id), body.decision, body.note),
    )


async def _resolve(
    connection: Connection, needs: Needs, order_id: OrderId, body: ResolveRequest, acting: Acting
) -> OperatorsOrder:
    settled = await decide.resolve(connection, needs, order_id, body.decision)
    await record_act(
        connection,
        acting.act(
            "order.resolve",
            f"order:{order_id}",
            before={"status": OrderState.REVIEW, "price": settled.price},
            after={
                "decision": body.decision,
                "status": settled.state,
                "charged": settled.charged,
            },
            reason=body.note,
        ),
    )
    # What was just written, with the times that the database gave it.
    return OperatorsOrder.of(await overview.view(connection, order_id))
