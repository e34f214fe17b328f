"""What operators decide about a difference: give, take back, or leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from hamyon.kit.db import Connection
from hamyon.kit.ids import new_id
from hamyon.kit.money import Asset
from hamyon.kit.texts import text
from hamyon.payments.errors import (
    DecisionImpossible,
    GatewayUnavailable,
    MismatchClosed,
    MismatchNotFound,
)
from hamyon.payments.service.purchase import rate_of
from hamyon.payments.service.refund import Taking, settle_refund, take_back
from hamyon.payments.service.settle import Desk, buy_again, credit, desk_of
from hamyon.payments.store import mismatches as store
from hamyon.payments.store import payments as payments_store
from hamyon.payments.store import refunds as refunds_store
from hamyon.payments.types import (
    STARS,
    Charge,
    ChargeState,
    Decision,
    Mismatch,
    MismatchId,
    MismatchKind,
    Needs,
    Payment,
    PaymentId,
    PaymentState,
    Refund,
    RefundId,
    RefundMade,
    RefundState,
)
from hamyon.users.errors import UserNotFound
from hamyon.users.service import people
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

CREDITABLE: Final = frozenset(
    {
        MismatchKind.ONLY_THEIRS,
        MismatchKind.AMOUNT_DIFFERS,
        MismatchKind.REFERENCE_DIFFERS,
        MismatchKind.SECOND_CHARGE,
    }
)
REFUNDED_THERE: Final = frozenset({MismatchKind.REFUND_ONLY_THEIRS, MismatchKind.REFUND_DIFFERS})


@dataclass(frozen=True, slots=True)
class _Case:
    """A difference under decision. ``payment`` is locked, and before the difference is."""

    needs: Needs
    desk: Desk
    mismatch: Mismatch
    payment: Payment | None
    note: str
    actor: str


async def resolve(
    connection: Connection,
    needs: Needs,
    mismatch_id: MismatchId,
    decision: Decision,
    note: str,
    acting: Acting,
) -> Mismatch:
    """Do what an operator decided about a difference, and close it.

    Raises MismatchNotFound, MismatchClosed, DecisionImpossible, GatewayUnavailable.
    """
    seen = await store.mismatch(connection, mismatch_id)
    if seen is None:
        raise MismatchNotFound
    # In settling's order: the charge, then the payment's row, then all the rest.
    await payments_store.lock_charge(connection, seen.gateway, seen.subject)
    payment = await _payment_of(connection, seen)
    mismatch = await store.lock(connection, mismatch_id)
    assert mismatch is not None, "differences are never deleted"
    if mismatch.state != "open":
        raise MismatchClosed
    effect: Mapping[str, object] = {}
    if decision == "dismiss" and mismatch.kind is MismatchKind.REFUND_DIFFERS:
        await _end_refund(connection, needs, mismatch)
    elif decision != "dismiss":
        gateway = needs.gateways.get(mismatch.gateway)
        if gateway is None:
            raise GatewayUnavailable(gateway=mismatch.gateway)
        case = _Case(needs, desk_of(needs, gateway), mismatch, payment, note, acting.actor)
        effect = await (_credit if decision == "credit" else _claw_back)(connection, case)
    resolved = await store.resolve(
        connection,
        mismatch_id,
        decision=decision,
        note=note,
        by=acting.actor,
        at=needs.clock.now(),
    )
    await record_act(
        connection,
        acting.act(
            "payment.mismatch.resolve",
            f"mismatch:{mismatch_id}",
            before={"kind": mismatch.kind, "subject": mismatch.subject, "state": mismatch.state},
            after={"decision": decision, **effect},
            reason=note,
        ),
    )
    return resolved


async def _end_refund(connection: Connection, needs: Needs, mismatch: Mismatch) -> Refund | None:
    """Our refund, if there is one, whose amount alone was in doubt: it is over as the vendor made
    it, and nobody needs to ask again."""
    made = _refund(mismatch)
    ours = await refunds_store.of_charge(connection, mismatch.gateway, made.external_id)
    if ours is None and made.refund_id is not None:
        ours = await refunds_store.refund(connection, made.refund_id)
    if ours is not None and ours.ended_at is None and made.state is RefundState.DONE:
        await refunds_store.set_sent(
            connection,
            ours.id,
            state=RefundState.DONE,
            external_id=made.external_id,
            vendor_at=made.at,
            ended_at=needs.clock.now(),
        )
    return ours


async def _payment_of(connection: Connection, mismatch: Mismatch) -> Payment | None:
    """The payment that a difference is about, locked: the vendor's id knows it best."""
    theirs = mismatch.theirs or {}
    charge_id = str(theirs.get("charge_id") or mismatch.subject)
    payment_id = (
        await payments_store.id_of_charge(connection, mismatch.gateway, charge_id)
        or mismatch.payment_id
        or _id(theirs.get("payment_id"))
    )
    if payment_id is None:
        return None
    payment = await payments_store.lock(connection, PaymentId(payment_id))
    return payment if payment is not None and payment.gateway == mismatch.gateway else None


# --- giving ---------------------------------------------------------------------------------------


async def _credit(connection: Connection, case: _Case) -> Mapping[str, object]:
    """Give what the vendor says was paid, in the proportion in which it was paid."""
    if case.mismatch.kind is MismatchKind.CURRENCY_DIFFERS:
        raise DecisionImpossible(
            problem="nobody can tell what money of another currency buys; give credits by hand"
        )
    if case.mismatch.kind not in CREDITABLE:
        raise DecisionImpossible(problem="there is no charge to credit")
    charge = _charge(case.mismatch)
    if charge.state is not ChargeState.PAID:
        raise DecisionImpossible(problem="the vendor does not say that it was paid")
    payment = await _purchase_of(connection, case, charge)
    if charge.currency != payment.currency:
        raise DecisionImpossible(problem="it was paid in another currency")
    granted = payment.grant_for(charge.amount_minor)
    await credit(connection, case.desk, charge, payment, granted)
    return {"payment_id": str(payment.id), "telegram_id": payment.user_id, "granted": granted}


async def _purchase_of(connection: Connection, case: _Case, charge: Charge) -> Payment:
    """The unpaid purchase that the charge is credited to; a new one where there is none."""
    payment = case.payment
    if payment is None:
        payment = await _by_payer(connection, case, charge)
        await payments_store.insert(connection, payment)
        return payment
    if not payment.was_paid:
        return payment
    if payment.external_id == charge.external_id:
        raise DecisionImpossible(problem="this charge was credited already")
    # Another charge paid for this purchase: the person bought the same again.
    return await buy_again(connection, payment, case.desk.now)


async def _by_payer(connection: Connection, case: _Case, charge: Charge) -> Payment:
    """What the Stars of somebody known would have bought."""
    if case.mismatch.gateway != STARS or charge.payer_id is None:
        raise DecisionImpossible(problem="nobody of ours is known for this charge")
    try:
        user = await people.profile(connection, charge.payer_id)
    except UserNotFound:
        raise DecisionImpossible(problem="the payer is nobody of ours") from None
    rate = rate_of(case.needs)
    amount = rate.credits(charge.amount_minor)
    if amount == 0:
        raise DecisionImpossible(problem="it buys nothing at the rate")
    payment_id = PaymentId(new_id())
    return Payment(
        id=payment_id,
        user_id=user.id,
        gateway=case.mismatch.gateway,
        state=PaymentState.CREATED,
        currency=case.desk.gateway.currency,
        amount_minor=charge.amount_minor,
        asset=Asset.CREDIT,
        amount=amount,
        title=text(user.language, "payment.credits", {"amount": amount}),
        vendor_key=str(payment_id),
        vendor_key_at=case.desk.now,
        created_at=case.desk.now,
        rate_numerator=rate.numerator,
        rate_denominator=rate.denominator,
    )


# --- taking back ----------------------------------------------------------------------------------


async def _claw_back(connection: Connection, case: _Case) -> Mapping[str, object]:
    """Take back what the vendor has no money for."""
    if case.payment is None or case.payment.paid_minor is None:
        raise DecisionImpossible(problem="no paid payment of ours is known for it")
    kind = case.mismatch.kind
    if kind in {MismatchKind.ONLY_OURS, MismatchKind.STATE_DIFFERS}:
        rest = case.payment.paid_minor - case.payment.refunded_minor
        refund = await _take(connection, case, case.payment, rest)
    elif kind is MismatchKind.AMOUNT_DIFFERS:
        surplus = case.payment.paid_minor - _charge(case.mismatch).amount_minor
        refund = await _take(connection, case, case.payment, surplus)
    elif kind is MismatchKind.REFUND_ONLY_THEIRS:
        refund = await _follow(connection, case)
    elif kind is MismatchKind.REFUND_DIFFERS:
        refund = await _take_difference(connection, case, case.payment)
    else:
        raise DecisionImpossible(problem="there is nothing of ours to take back")
    return {
        "payment_id": str(case.payment.id),
        "telegram_id": case.payment.user_id,
        "refund_id": str(refund.id),
        "taken": refund.taken,
        "debt": refund.debt,
    }


async def _follow(connection: Connection, case: _Case) -> Refund:
    """A refund of the vendor's, exactly as its event would have settled it."""
    outcome = await settle_refund(connection, case.desk, _refund(case.mismatch))
    match outcome:
        case Refund():
            return outcome
        case None:
            raise DecisionImpossible(problem="the vendor has not sent the money back")
        case MismatchKind():
            raise DecisionImpossible(problem=f"it does not fit: {outcome}")
        case _ as never:
            assert_never(never)


async def _take_difference(connection: Connection, case: _Case, payment: Payment) -> Refund:
    """The vendor sent back more than we took credits for: take the rest, as far as there is one."""
    made = _refund(case.mismatch)
    assert payment.paid_minor is not None
    if made.currency != payment.currency or made.state is not RefundState.DONE:
        raise DecisionImpossible(problem="the vendor has not sent this money back")
    ours = await _end_refund(connection, case.needs, case.mismatch)
    counted = ours.amount_minor if ours is not None and ours.state is not RefundState.FAILED else 0
    left = payment.paid_minor - payment.refunded_minor
    return await _take(connection, case, payment, min(made.amount_minor - counted, left))


async def _take(connection: Connection, case: _Case, payment: Payment, amount_minor: int) -> Refund:
    """Take the credits of so much money. It stands under no time and id of the vendor's, which
    knows of no such refund: the next comparison must not look for it."""
    if amount_minor <= 0:
        raise DecisionImpossible(problem="nothing is left to take back")
    taking = Taking(RefundId(new_id()), "vendor", amount_minor, case.actor, case.note)
    refund = replace(
        await take_back(connection, case.desk, payment, taking),
        state=RefundState.DONE,
        check_at=None,
        ended_at=case.desk.now,
    )
    await refunds_store.insert(connection, refund)
    return refund


# --- what the vendor said -------------------------------------------------------------------------


def _charge(mismatch: Mismatch) -> Charge:
    theirs = mismatch.theirs
    if theirs is None:
        raise DecisionImpossible(problem="the vendor knows of no charge")
    payment_id, payer_id = _id(theirs["payment_id"]), theirs["payer_id"]
    return Charge(
        external_id=str(theirs["external_id"]),
        state=ChargeState(str(theirs["state"])),
        amount_minor=int(str(theirs["amount_minor"])),
        currency=str(theirs["currency"]),
        at=datetime.fromisoformat(str(theirs["at"])),
        payment_id=PaymentId(payment_id) if payment_id is not None else None,
        payer_id=int(str(payer_id)) if payer_id is not None else None,
    )


def _refund(mismatch: Mismatch) -> RefundMade:
    theirs = mismatch.theirs
    assert theirs is not None, "the vendor's side of it is what it is about"
    refund_id = _id(theirs["refund_id"])
    return RefundMade(
        external_id=str(theirs["external_id"]),
        charge_id=str(theirs["charge_id"]),
        state=RefundState(str(theirs["state"])),
        amount_minor=int(str(theirs["amount_minor"])),
        currency=str(theirs["currency"]),
        at=datetime.fromisoformat(str(theirs["at"])),
        refund_id=RefundId(refund_id) if refund_id is not None else None,
    )


def _id(value: object) -> UUID | None:
    return UUID(str(value)) if value is not None else None
