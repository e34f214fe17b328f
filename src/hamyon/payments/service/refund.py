"""Money that goes back: credits are taken first, in the transaction that keeps the refund.

Operators ask for a refund here, and vendors report theirs; one that the vendor in the end did not
make gives everything back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never

from hamyon.kit.db import Connection
from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.payments.errors import (
    PartialRefundUnsupported,
    PaymentNotFound,
    PaymentNotRefundable,
    PaymentRefundTooLarge,
)
from hamyon.payments.service.differ import differ
from hamyon.payments.service.settle import Desk
from hamyon.payments.store import mismatches as mismatches_store
from hamyon.payments.store import payments as payments_store
from hamyon.payments.store import refunds as store
from hamyon.payments.types import (
    MismatchKind,
    Payment,
    PaymentId,
    Refund,
    RefundId,
    RefundMade,
    RefundState,
    share,
)
from hamyon.rewards import service as rewards

SEND_AFTER: Final = timedelta(minutes=2)
"""When a worker sends a refund whose own process did not; longer than any call takes."""


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes credits back for how much money, and why."""

    refund_id: RefundId
    origin: Literal["operator", "vendor"]
    amount_minor: int
    actor: str
    reason: str | None


async def request(
    connection: Connection,
    desk: Desk,
    payment_id: PaymentId,
    *,
    amount_minor: int | None,
    actor: str,
    reason: str,
) -> Refund:
    """Take the credits of a refund, and keep it to be sent. Without an amount: all that is left.

    The caller keeps one request from coming here twice. Raises PaymentNotFound,
    PaymentNotRefundable, PaymentRefundTooLarge, PartialRefundUnsupported.
    """
    payment = await payments_store.lock(connection, payment_id)
    if payment is None or payment.gateway != desk.gateway.name:
        raise PaymentNotFound
    if payment.paid_minor is None:
        raise PaymentNotRefundable(status=payment.state)
    left = payment.paid_minor - payment.refunded_minor
    wanted = left if amount_minor is None else amount_minor
    if not 0 < wanted <= left:
        raise PaymentRefundTooLarge(left=left)
    if wanted != payment.paid_minor and not desk.gateway.refunds_parts:
        raise PartialRefundUnsupported(whole=payment.paid_minor)
    taking = Taking(RefundId(new_id()), "operator", wanted, actor, reason)
    refund = await take_back(connection, desk, payment, taking)
    await store.insert(connection, refund)
    return refund


async def settle_refund(
    connection: Connection, desk: Desk, made: RefundMade
) -> Refund | MismatchKind | None:
    """Bring a refund to where its vendor says it is; take credits for one that we did not ask for.

    None: a refund of the vendor's own that is not made yet, or never will be.
    """
    payment = await _payment_of(connection, desk, made)
    if payment is None or payment.paid_minor is None:
        kind = MismatchKind.REFUND_ONLY_THEIRS
        return await _differ(connection, desk, kind, made, payment) if _is_done(made) else kind
    refund = await _refund_of(connection, desk, made, payment)
    if refund is not None:
        return await _follow(connection, desk, made, payment, refund)
    if not _is_done(made):
        return None
    if (
        made.currency != payment.currency
        or made.amount_minor > payment.paid_minor - payment.refunded_minor
    ):
        return await _differ(connection, desk, MismatchKind.REFUND_DIFFERS, made, payment)
    taking = Taking(RefundId(new_id()), "vendor", made.amount_minor, desk.gateway.name, made.reason)
    refund = replace(
        await take_back(connection, desk, payment, taking),
        state=RefundState.DONE,
        external_id=made.external_id,
        check_at=None,
        vendor_at=made.at,
        ended_at=desk.now,
    )
    await store.insert(connection, refund)
    await mismatches_store.heal(
        connection,
        gateway=desk.gateway.name,
        kind=MismatchKind.REFUND_ONLY_THEIRS,
        subject=made.external_id,
    )
    return refund


async def fail(connection: Connection, desk: Desk, refund_id: RefundId, error: str) -> None:
    """The vendor surely sent nothing: the credits and the bonuses come back. Once."""
    refund = await store.refund(connection, refund_id)
    assert refund is not None
    payment = await payments_store.lock(connection, refund.payment_id)
    refund = await store.refund(connection, refund_id)
    assert payment is not None
    assert refund is not None
    if refund.ended_at is None:
        await _undo(connection, desk, payment, refund, error)


def _is_done(made: RefundMade) -> bool:
    return made.state is RefundState.DONE


async def _payment_of(connection: Connection, desk: Desk, made: RefundMade) -> Payment | None:
    payment_id = await payments_store.id_of_charge(connection, desk.gateway.name, made.charge_id)
    return await payments_store.lock(connection, payment_id) if payment_id is not None else None


async def _refund_of(
    connection: Connection, desk: Desk, made: RefundMade, payment: Payment
) -> Refund | None:
    """Which refund of ours this is: by the vendor's id, by ours, or because only one can be."""
    for refund in await store.of_payment(connection, payment.id):
        if refund.external_id == made.external_id:
            return refund
        is_unclaimed = refund.external_id is None and refund.state is not RefundState.FAILED
        if is_unclaimed and (refund.id == made.refund_id or not desk.gateway.refunds_parts):
            return refund
    return None


async def _follow(
    connection: Connection, desk: Desk, made: RefundMade, payment: Payment, refund: Refund
) -> Refund | MismatchKind:
    same_money = (made.amount_minor, made.currency) == (refund.amount_minor, payment.currency)
    if refund.ended_at is not None:
        if same_money and (refund.state is RefundState.DONE) == _is_done(made):
            external_id, at = made.external_id, made.at
            await store.adopt(connection, refund.id, external_id=external_id, vendor_at=at)
            return refund
        return await _differ(
            connection, desk, MismatchKind.REFUND_DIFFERS, made, payment, refund=refund
        )
    if not same_money and made.state is not RefundState.FAILED:
        await store.ask_no_more(connection, refund.id)
        return await _differ(
            connection, desk, MismatchKind.REFUND_DIFFERS, made, payment, refund=refund
        )
    match made.state:
        case RefundState.DONE | RefundState.PENDING | RefundState.SENDING:
            await store.set_sent(
                connection,
                refund.id,
                state=made.state if made.state is RefundState.DONE else RefundState.PENDING,
                external_id=made.external_id,
                vendor_at=made.at,
                ended_at=desk.now if _is_done(made) else None,
            )
        case RefundState.FAILED:
            await _undo(connection, desk, payment, refund, made.reason or "canceled by the vendor")
        case _ as never:
            assert_never(never)
    after = await store.refund(connection, refund.id)
    assert after is not None
    return after


async def take_back(connection: Connection, desk: Desk, payment: Payment, taking: Taking) -> Refund:
    """Take from the person what belongs to the money, and from whoever had a bonus of it."""
    assert payment.paid_minor is not None
    assert payment.granted is not None
    refunded_minor = payment.refunded_minor + taking.amount_minor
    # Of running totals, so that parts never drift. After a refund that failed the total can stand
    # one unit ahead for a while.
    target = share(payment.granted, refunded_minor, payment.paid_minor)
    taken = max(target - payment.taken_back, 0)
    debt = 0
    if taken > 0:
        debt = await ledger.claw_back(
            connection,
            user_id=payment.user_id,
            asset=payment.asset,
            amount=taken,
            kind=TransferKind.REFUND,
            to_role=desk.sales,
            key=_ledger_key(payment.gateway, taking.refund_id),
            actor=taking.actor,
            reason=taking.reason,
            reference=str(payment.id),
        )
    await payments_store.add_refunded(
        connection, payment.id, amount_minor=taking.amount_minor, taken=taken
    )
    await rewards.on_refund(
        connection, payment.id, taking.refund_id, refunded_minor, payment.paid_minor
    )
    facts: dict[str, object] = {
        "payment_id": str(payment.id),
        "amount_minor": taking.amount_minor,
        "currency": payment.currency,
        "asset": payment.asset,
        "taken": taken,
        "debt": debt,
    }
    await notices.tell(
        connection,
        Notice(f"refund:{taking.refund_id}", "payment_refunded", facts, payment.user_id),
    )
    return _refund(payment, taking, taken, debt, desk.now)


def _refund(payment: Payment, taking: Taking, taken: int, debt: int, now: datetime) -> Refund:
    return Refund(
        id=taking.refund_id,
        payment_id=payment.id,
        gateway=payment.gateway,
        origin=taking.origin,
        state=RefundState.SENDING,
        amount_minor=taking.amount_minor,
        taken=taken,
        debt=debt,
        external_id=None,
        vendor_key=str(taking.refund_id),
        vendor_key_at=now,
        check_at=now + SEND_AFTER,
        checks=0,
        actor=taking.actor,
        reason=taking.reason,
        error=None,
        vendor_at=None,
        created_at=now,
        ended_at=None,
    )


async def _undo(
    connection: Connection, desk: Desk, payment: Payment, refund: Refund, error: str
) -> None:
    if refund.taken > 0:
        key = _ledger_key(payment.gateway, refund.id)
        await ledger.reverse(
            connection,
            key,
            key=f"{key}:undone",
            actor="system",
            reason=error,
        )
    await payments_store.add_refunded(
        connection, payment.id, amount_minor=-refund.amount_minor, taken=-refund.taken
    )
    await rewards.undo_refund(connection, refund.id)
    await store.set_failed(connection, refund.id, error=error[:500], ended_at=desk.now)
    facts: dict[str, object] = {
        "payment_id": str(payment.id),
        "refund_id": str(refund.id),
        "telegram_id": payment.user_id,
        "amount_minor": refund.amount_minor,
        "currency": payment.currency,
        "error": error[:500],
    }
    key = f"refund_failed:{refund.id}"
    await notices.tell(connection, Notice(f"{key}:operators", "refund_failed", facts))
    await notices.tell(connection, Notice(key, "refund_failed", facts, payment.user_id))


def _ledger_key(gateway: str, refund_id: RefundId) -> str:
    return f"refund:{gateway}:{refund_id}"


async def _differ(
    connection: Connection,
    desk: Desk,
    kind: MismatchKind,
    made: RefundMade,
    payment: Payment | None,
    *,
    refund: Refund | None = None,
) -> MismatchKind:
    return await differ(
        connection,
        desk.gateway.name,
        kind,
        made.external_id,
        payment=payment,
        refund=refund,
        fact=made,
        run_id=desk.run_id,
    )
