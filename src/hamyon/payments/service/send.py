"""Telling a vendor to send money back, until it says what became of it."""

from __future__ import annotations

from dataclasses import replace

import structlog

from hamyon.kit.crash import reach
from hamyon.kit.db import in_transaction
from hamyon.kit.ids import new_id
from hamyon.payments.service import refund as refunds
from hamyon.payments.service.due import LIMIT, each, recheck_at
from hamyon.payments.service.settle import desk_of
from hamyon.payments.store import payments as payments_store
from hamyon.payments.store import refunds as store
from hamyon.payments.types import (
    KEY_LIFE,
    Declined,
    Gateway,
    Needs,
    Payment,
    Refund,
    RefundId,
    RefundMade,
    RefundState,
    RefundWish,
    Unclear,
)

log = structlog.get_logger(__name__)


async def send(needs: Needs, refund_id: RefundId) -> Refund:
    """Bring one refund a step further. Safe at once from anywhere: all send one key, and a new
    key is taken by one of them only."""
    refund = await store.refund(needs.pool, refund_id)
    assert refund is not None
    payment = await payments_store.payment(needs.pool, refund.payment_id)
    assert payment is not None
    gateway = needs.gateways.get(refund.gateway)
    if refund.ended_at is None and gateway is not None:
        reach("refund.kept")
        outcome = await _outcome(needs, gateway, payment, refund)
        reach("refund.sent")
        await _keep(needs, gateway, refund, outcome)
    after = await store.refund(needs.pool, refund_id)
    assert after is not None
    return after


async def _outcome(
    needs: Needs, gateway: Gateway, payment: Payment, refund: Refund
) -> RefundMade | Declined | Unclear | None:
    """What the vendor says now; None: nothing new."""
    wish = _wish(payment, refund)
    if refund.state is RefundState.PENDING:
        return await gateway.find_refund(wish)
    if needs.clock.now() - refund.vendor_key_at > KEY_LIFE:
        found = await gateway.find_refund(wish)
        if found is not None:
            return found
        key = str(new_id())
        at = needs.clock.now()
        if not await store.renew_key(needs.pool, refund.id, old=wish.key, key=key, at=at):
            return None
        wish = replace(wish, key=key)
    outcome = await gateway.refund(wish)
    if isinstance(outcome, Declined):
        # An earlier call may have done it, whose answer nobody kept.
        found = await gateway.find_refund(wish)
        return outcome if found is None else found
    return outcome


def _wish(payment: Payment, refund: Refund) -> RefundWish:
    assert payment.external_id is not None
    return RefundWish(
        refund_id=refund.id,
        payment_id=payment.id,
        charge_id=payment.external_id,
        payer_id=payment.payer_id or payment.user_id,
        amount_minor=refund.amount_minor,
        is_whole=refund.amount_minor == payment.paid_minor,
        reason=refund.reason or "",
        key=refund.vendor_key,
    )


async def _keep(
    needs: Needs,
    gateway: Gateway,
    refund: Refund,
    outcome: RefundMade | Declined | Unclear | None,
) -> None:
    desk = desk_of(needs, gateway)
    match outcome:
        case RefundMade():
            made = replace(outcome, refund_id=refund.id)
            await in_transaction(needs.pool, refunds.settle_refund, desk, made)
        case Declined(code, message):
            await in_transaction(needs.pool, refunds.fail, desk, refund.id, f"{code}: {message}")
        case Unclear(reason):
            log.warning("refund unclear", refund_id=str(refund.id), reason=reason)
        case None:
            pass


async def sweep(needs: Needs) -> None:
    """Bring every refund that is due a step further."""

    async def step(refund: Refund) -> None:
        # Before the step: one that fails must not come first again and again.
        await store.check_again(
            needs.pool, refund.id, check_at=recheck_at(needs.clock.now(), refund.checks)
        )
        await send(needs, refund.id)

    await each(await store.due(needs.pool, now=needs.clock.now(), limit=LIMIT), step)
