"""HTTP: operators look at payments and give money back (contract/operators.md, Payments)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Protocol, Self, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field

from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.errors import IdempotencyMismatch, KeyRequired
from hamyon.kit.web.models import AnswerModel, PositiveInt64, StrictModel, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import FINANCE, SUPPORT, allow
from hamyon.kit.web.routing import Router
from hamyon.payments.errors import (
    GatewayUnavailable,
    PartialRefundUnsupported,
    PaymentNotFound,
    PaymentNotRefundable,
    PaymentRefundTooLarge,
    PaymentUnclear,
)
from hamyon.payments.service import events, pending, read, refund, send
from hamyon.payments.service.settle import desk_of
from hamyon.payments.types import (
    Gateway,
    Mismatch,
    MismatchKind,
    MismatchState,
    Payment,
    PaymentId,
    PaymentState,
    RefundId,
    RefundState,
)
from hamyon.payments.types import Needs as PaymentNeeds
from hamyon.payments.types.details import Details
from hamyon.surfaces.admin.request import Moment, RequiredKey, once
from hamyon.surfaces.admin.types import Needs as AdminNeeds
from hamyon.users.routes.request import TEXT, ActingOperator, Reason
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

router = Router("/api/v1/admin/payments", tags=["operators"])
REFUND_ROUTE: Final = "admin.payments.refund"

Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=TEXT)]
From = Annotated[Moment | None, Query(alias="from", description="Opened at this time or later.")]
To = Annotated[Moment | None, Query(alias="to", description="Opened before this time.")]


class Needs(AdminNeeds, PaymentNeeds, Protocol):
    """What operators' routes about payments take from wiring."""


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


Deps = Annotated[Needs, Depends(_needs)]


# --- answers --------------------------------------------------------------------------------------


class OperatorsPayment(AnswerModel):
    """Amounts of money are in minor units of ``currency``."""

    id: UUID
    telegram_id: int = Field(description="Who gets what was bought.")
    gateway: str = Field(examples=["yookassa"])
    state: PaymentState
    currency: str = Field(examples=["RUB"])
    amount_minor: int = Field(description="What was asked for.")
    paid_minor: int | None
    refunded_minor: int = Field(description="Given back, or on its way.")
    asset: str = Field(examples=["credit"])
    amount: int = Field(description="What was promised, the bonus included.")
    granted: int | None = Field(description="What the charge brought.")
    taken_back: int
    package_key: str | None
    quantity: int
    title: str
    invoice_id: UUID | None = Field(description="The first payment of an invoice paid again.")
    charge_id: str | None = Field(description="The vendor's id of the charge.")
    payer_telegram_id: int | None
    cancel_reason: str | None
    created_at: datetime
    paid_at: datetime | None
    vendor_at: datetime | None = Field(description="The time under which the vendor lists it.")
    check_at: datetime | None = Field(description="When the vendor is asked about it next.")

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """Without the place to pay and the vendor's key, which are not for looking at."""
        other = {
            "telegram_id": payment.user_id,
            "charge_id": payment.external_id,
            "payer_telegram_id": payment.payer_id,
        }
        same = {n: getattr(payment, n) for n in cls.model_fields if n not in other}
        return cls(**same, **other)


class EventAnswer(AnswerModel):
    source: str
    key: str
    received_at: datetime
    handled_at: datetime | None = Field(description="Null: it has had no effect yet.")
    body: str = Field(description="As it came.")


class EntryAnswer(AnswerModel):
    key: str
    kind: str
    telegram_id: int | None = Field(description="Null: an account of the service's own.")
    role: str = Field(examples=["wallet"])
    asset: str
    amount: int
    created_at: datetime


class PaymentRefundAnswer(AnswerModel):
    id: UUID
    origin: str = Field(examples=["operator"])
    state: RefundState
    amount_minor: int
    taken: int = Field(description="Taken back of what was granted.")
    debt: int = Field(description="What of that became a debt.")
    charge_id: str | None = Field(description="The vendor's id of the refund.")
    actor: str
    reason: str | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class MismatchAnswer(AnswerModel):
    id: int
    gateway: str
    kind: MismatchKind
    subject: str = Field(description="The vendor's id of the charge or of the refund.")
    payment_id: UUID | None
    ours: dict[str, object] | None
    theirs: dict[str, object] | None
    run_id: UUID | None = Field(description="The last comparison that saw it.")
    state: MismatchState
    decision: str | None
    note: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, mismatch: Mismatch) -> Self:
        return cls(**{name: getattr(mismatch, name) for name in mismatch.__slots__})


class PaymentDetails(AnswerModel):
    """Events, ledger and refunds are oldest first, mismatches newest first."""

    payment: OperatorsPayment
    events: list[EventAnswer]
    ledger: list[EntryAnswer]
    refunds: list[PaymentRefundAnswer]
    mismatches: list[MismatchAnswer]

    @classmethod
    def of(cls, details: Details) -> Self:
        return cls(
            payment=OperatorsPayment.of(details.payment),
            events=[
                EventAnswer(**{name: getattr(event, name) for name in event.__slots__})
                for event in details.events
            ],
            ledger=[
                EntryAnswer(
                    telegram_id=entry.user_id,
                    **{n: getattr(entry, n) for n in entry.__slots__ if n != "user_id"},
                )
                for entry in details.ledger
            ],
            refunds=[
                PaymentRefundAnswer(
                    charge_id=made.external_id,
                    **{
                        n: getattr(made, n)
                        for n in PaymentRefundAnswer.model_fields
                        if n != "charge_id"
                    },
                )
                for made in details.refunds
            ],
            mismatches=[MismatchAnswer.of(mismatch) for mismatch in details.mismatches],
        )


# --- looking --------------------------------------------------------------------------------------


@router.get("", summary="Payments, newest first")
@allow(SUPPORT)
async def list_payments(
    needs: Deps,
    *,
    gateway: Filter = None,
    state: PaymentState | None = None,
    telegram_id: Annotated[TelegramId | None, Query()] = None,
    charge_id: Filter = None,
    since: From = None,
    until: To = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[OperatorsPayment]:
    after = decode_cursor(cursor, datetime, UUID) if cursor else None
    page = await read.page(
        needs.pool,
        read.Wanted(gateway, state, telegram_id, charge_id, since, until),
        after=(after[0], PaymentId(after[1])) if after else None,
        limit=limit,
    )
    return Page(
        items=[OperatorsPayment.of(payment) for payment in page.payments],
        next_cursor=encode_cursor(*page.next_after) if page.next_after else None,
    )


@router.get("/{payment_id}", summary="A payment with its events, ledger, refunds, differences")
@allow(SUPPORT, raises=(PaymentNotFound,))
async def show_payment(payment_id: UUID, needs: Deps) -> PaymentDetails:
    return PaymentDetails.of(await read.details(needs.pool, PaymentId(payment_id)))


# --- giving money back ----------------------------------------------------------------------------


class PaymentRefundRequest(StrictModel):
    reason: Reason
    amount: PositiveInt64 | None = Field(
        None, description="Minor units of the currency; all that is left when left out."
    )


class RefundedAnswer(AnswerModel):
    payment_id: UUID
    refunded: int = Field(description="Given back in all, or on its way, in minor units.")
    clawed_back: int = Field(description="What this refund took back of the granted amount.")
    debt: int = Field(description="What of that was spent already, and is a debt now.")
    state: PaymentState


class _Kept(AnswerModel):
    refund_id: UUID


@router.post("/{payment_id}/refund", summary="Give a payment back, or a part of it")
@allow(
    FINANCE,
    raises=(
        PaymentNotFound,
        PaymentNotRefundable,
        PaymentRefundTooLarge,
        PartialRefundUnsupported,
        GatewayUnavailable,
        IdempotencyMismatch,
        KeyRequired,
    ),
)
async def refund_payment(
    payment_id: UUID,
    body: PaymentRefundRequest,
    key: RequiredKey,
    acting: ActingOperator,
    needs: Deps,
) -> RefundedAnswer:
    kept = await once(
        needs,
        acting,
        key,
        lambda connection: _keep(connection, needs, PaymentId(payment_id), body, acting),
        answer=_Kept,
        route=REFUND_ROUTE,
        user_id=0,
        given=(str(payment_id), body.reason, body.amount),
    )
    reach("refund.kept")
    return await _sent(needs, RefundId(kept.refund_id))


async def _keep(
    connection: Connection,
    needs: Needs,
    payment_id: PaymentId,
    body: PaymentRefundRequest,
    acting: Acting,
) -> _Kept:
    payment = await read.payment(connection, payment_id)
    made = await refund.request(
        connection,
        desk_of(needs, _gateway(needs, payment)),
        payment_id,
        amount_minor=body.amount,
        actor=acting.actor,
        reason=body.reason,
    )
    await record_act(
        connection,
        acting.act(
            "payment.refund",
            f"payment:{payment_id}",
            before={"state": payment.state, "refunded_minor": payment.refunded_minor},
            after={
                "refund_id": str(made.id),
                "amount_minor": made.amount_minor,
                "clawed_back": made.taken,
                "debt": made.debt,
            },
            reason=body.reason,
        ),
    )
    return _Kept(refund_id=made.id)


async def _sent(needs: Needs, refund_id: RefundId) -> RefundedAnswer:
    """Tell the vendor, which takes no transaction, and say how it stands after that."""
    made = await send.send(needs, refund_id)
    payment = await read.payment(needs.pool, made.payment_id)
    failed = made.state is RefundState.FAILED
    return RefundedAnswer(
        payment_id=payment.id,
        refunded=payment.refunded_minor,
        clawed_back=0 if failed else made.taken,
        debt=0 if failed else made.debt,
        state=payment.state,
    )


def _gateway(needs: Needs, payment: Payment) -> Gateway:
    gateway = needs.gateways.get(payment.gateway)
    if gateway is None or not gateway.is_connected:
        raise GatewayUnavailable(gateway=payment.gateway)
    return gateway


# --- asking the vendor ----------------------------------------------------------------------------


@router.post("/{payment_id}/recheck", summary="Ask the vendor about a payment now")
@allow(FINANCE, raises=(PaymentNotFound, GatewayUnavailable, PaymentUnclear))
async def recheck_payment(
    payment_id: UUID, acting: ActingOperator, needs: Deps
) -> OperatorsPayment:
    payment = await read.payment(needs.pool, PaymentId(payment_id))
    gateway = _gateway(needs, payment)
    # Written before it is done: what was asked for is an act, whatever the vendor says.
    act = acting.act("payment.recheck", f"payment:{payment_id}", before={"state": payment.state})
    await in_transaction(needs.pool, record_act, act)
    try:
        await pending.check(needs, gateway, payment)
    except events.VendorUnclear as unclear:
        raise PaymentUnclear(payment_id=str(payment_id)) from unclear
    return OperatorsPayment.of(await read.payment(needs.pool, payment.id))
