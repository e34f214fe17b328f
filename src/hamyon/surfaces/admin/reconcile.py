"""HTTP: operators compare a vendor's books with ours, and decide about what differs
(contract/operators.md, Payments)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.errors import IdempotencyMismatch, InvalidInput, KeyRequired
from hamyon.kit.web.models import AnswerModel, IdempotencyKey, StrictModel
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import FINANCE, allow
from hamyon.kit.web.routing import Router
from hamyon.payments.errors import (
    DecisionImpossible,
    GatewayUnavailable,
    MismatchClosed,
    MismatchNotFound,
    ReconcileRunNotFound,
)
from hamyon.payments.service import read, reconcile
from hamyon.payments.service.resolve import resolve
from hamyon.payments.types import Decision, Mismatch, MismatchId, MismatchState, Run, RunId
from hamyon.surfaces.admin.payments import Deps, Filter, MismatchAnswer, Needs
from hamyon.surfaces.admin.request import Moment, RequiredKey, once
from hamyon.users.routes.request import TEXT, ActingOperator, Reason
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

router = Router("/api/v1/admin/payments", tags=["operators"])
RESOLVE_ROUTE: Final = "admin.payments.resolve"
RECONCILE_ROUTE: Final = "admin.payments.reconcile"
FINDINGS_MAX: Final = 100

MismatchPath = Annotated[int, Path(ge=1, lt=2**63)]


# --- differences ----------------------------------------------------------------------------------


class ResolveRequest(StrictModel):
    decision: Decision = Field(
        description="Give what the vendor says was paid, take back what it has no money for, or "
        "leave it."
    )
    note: Reason


@router.get("/mismatches", summary="Where vendors' books and ours differ, newest first")
@allow(FINANCE)
async def list_mismatches(
    needs: Deps,
    *,
    state: MismatchState | None = "open",
    gateway: Filter = None,
    run_id: Annotated[UUID | None, Query(description="The last comparison that saw them.")] = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Page[MismatchAnswer]:
    found, before_id = await read.mismatches(
        needs.pool,
        state=state,
        gateway=gateway,
        run_id=RunId(run_id) if run_id else None,
        before_id=decode_cursor(cursor, int)[0] if cursor else None,
        limit=limit,
    )
    return Page(
        items=[MismatchAnswer.of(mismatch) for mismatch in found],
        next_cursor=encode_cursor(before_id) if before_id is not None else None,
    )


@router.post("/mismatches/{mismatch_id}/resolve", summary="Decide about a difference")
@allow(
    FINANCE,
    raises=(
        MismatchNotFound,
        MismatchClosed,
        DecisionImpossible,
        GatewayUnavailable,
        IdempotencyMismatch,
        KeyRequired,
    ),
)
async def resolve_mismatch(
    mismatch_id: MismatchPath,
    body: ResolveRequest,
    key: RequiredKey,
    acting: ActingOperator,
    needs: Deps,
) -> MismatchAnswer:
    async def effect(connection: Connection) -> MismatchAnswer:
        resolved = await resolve(
            connection, needs, MismatchId(mismatch_id), body.decision, body.note, acting
        )
        return MismatchAnswer.of(resolved)

    return await once(
        needs,
        acting,
        key,
        effect,
        answer=MismatchAnswer,
        route=RESOLVE_ROUTE,
        user_id=0,
        given=(mismatch_id, body.decision, body.note),
    )


# --- comparing ------------------------------------------------------------------------------------


class ReconcileRequest(StrictModel):
    gateway: str = Field(min_length=1, max_length=50, pattern=TEXT, examples=["yookassa"])
    from_: Moment = Field(alias="from", description="The vendor's time, of this moment on.")
    to: Moment = Field(description="Before this moment; at the latest now.")
    heal: bool = Field(True, description="Credit what only the vendor has; else only report it.")


class ReconcileStarted(AnswerModel):
    run_id: UUID


class ReconcileAnswer(AnswerModel):
    run_id: UUID
    gateway: str
    from_: datetime = Field(alias="from")
    to: datetime
    state: str = Field(examples=["listing"])
    heal: bool
    listed: int = Field(description="Charges and refunds read from the vendor so far.")
    compared: int = Field(description="What stands in both books.")
    differences: int = Field(description="What differs, without what was resolved before.")
    healed: int = Field(description="What of that was credited or taken back by this run.")
    error: str | None
    started_by: str
    created_at: datetime
    ended_at: datetime | None
    findings: list[MismatchAnswer] = Field(
        description=f"The newest {FINDINGS_MAX}; `mismatches?run_id` has all."
    )

    @classmethod
    def of(cls, run: Run, findings: list[Mismatch]) -> Self:
        same = (
            "gateway", "state", "heal", "listed", "compared", "differences", "healed", "error",
            "started_by", "created_at", "ended_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(run, name) for name in same},
            **{"from": run.since},
            run_id=run.id,
            to=run.until,
            findings=[MismatchAnswer.of(mismatch) for mismatch in findings],
        )


@router.post("/reconcile", status_code=202, summary="Compare a vendor's books with ours")
@allow(FINANCE, raises=(GatewayUnavailable, InvalidInput, IdempotencyMismatch))
async def start_reconcile(
    body: ReconcileRequest, acting: ActingOperator, needs: Deps, key: IdempotencyKey = None
) -> ReconcileStarted:
    async def effect(connection: Connection) -> ReconcileStarted:
        return await _start(connection, needs, body, acting)

    if key is None:
        started = await in_transaction(needs.pool, effect)
    else:
        started = await once(
            needs,
            acting,
            key,
            effect,
            answer=ReconcileStarted,
            route=RECONCILE_ROUTE,
            user_id=0,
            given=tuple(body.model_dump().values()),
        )
    needs.waker.wake()
    return started


async def _start(
    connection: Connection, needs: Needs, body: ReconcileRequest, acting: Acting
) -> ReconcileStarted:
    since, until = reconcile.window(needs.clock.now(), body.from_, body.to)
    run_id = await reconcile.start(
        connection,
        needs,
        gateway=body.gateway,
        since=since,
        until=until,
        heal=body.heal,
        started_by=acting.actor,
    )
    window = {"from": since.isoformat(), "to": until.isoformat(), "heal": body.heal}
    act = acting.act("payment.reconcile", f"gateway:{body.gateway}", after=window)
    await record_act(connection, act)
    return ReconcileStarted(run_id=run_id)


@router.get("/reconcile/{run_id}", summary="How a comparison stands, and what it found")
@allow(FINANCE, raises=(ReconcileRunNotFound,))
async def show_reconcile(run_id: UUID, needs: Deps) -> ReconcileAnswer:
    run = await reconcile.show(needs, RunId(run_id))
    findings, _ = await read.mismatches(needs.pool, run_id=run.id, limit=FINDINGS_MAX)
    return ReconcileAnswer.of(run, list(findings))
