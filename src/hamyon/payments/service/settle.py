"""What a vendor says of a charge becomes what a person has: once, in any order, however often.

One charge is settled by one transaction at a time; everything else about it queues at its payment's
row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from hamyon.kit.db import Connection
from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.payments.service.differ import differ
from hamyon.payments.store import mismatches as mismatches_store
from hamyon.payments.store import payments as store
from hamyon.payments.types import (
    Charge,
    ChargeState,
    Gateway,
    MismatchKind,
    Needs,
    Payment,
    PaymentId,
    PaymentState,
    RunId,
)
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Deposit, ReferralTerms


@dataclass(frozen=True, slots=True)
class Desk:
    """What settling the charges of one gateway needs beside a connection.

    ``run_id`` is set when a reconciliation brought the fact.
    """

    gateway: Gateway
    terms: ReferralTerms
    now: datetime
    run_id: RunId | None = None

    @property
    def sales(self) -> str:
        """The system account that credits are bought from."""
        return f"sales:{self.gateway.name}"


def desk_of(needs: Needs, gateway: Gateway, run_id: RunId | None = None) -> Desk:
    """The desk as the settings and the clock stand now."""
    return Desk(gateway, ReferralTerms.of(needs.settings), needs.clock.now(), run_id)


@dataclass(frozen=True, slots=True)
class Settled:
    """A charge found its payment. ``fresh``: this very call credited it."""

    payment: Payment
    fresh: bool = False


async def settle_charge(
    connection: Connection, desk: Desk, charge: Charge
) -> Settled | MismatchKind:
    """Bring a payment to where its vendor says it is. What does not fit is kept for operators."""
    await store.lock_charge(connection, desk.gateway.name, charge.external_id)
    payment = await _payment_of(connection, desk, charge)
    if payment is None:
        if charge.state is ChargeState.PAID:
            await _differ(connection, desk, MismatchKind.ONLY_THEIRS, charge, None)
        return MismatchKind.ONLY_THEIRS
    if payment.was_paid and payment.external_id == charge.external_id:
        return await _told_again(connection, desk, charge, payment)
    if payment.external_id not in {None, charge.external_id}:
        return await _differ(connection, desk, MismatchKind.SECOND_CHARGE, charge, payment)
    if charge.payment_id != (payment.invoice_id or payment.id):
        return await _differ(connection, desk, MismatchKind.REFERENCE_DIFFERS, charge, payment)
    match charge.state:
        case ChargeState.PENDING:
            await store.set_pending(
                connection, payment.id, external_id=charge.external_id, vendor_at=charge.at
            )
            return Settled(payment)
        case ChargeState.CANCELED:
            return await _canceled(connection, charge, payment)
        case ChargeState.PAID:
            return await _paid(connection, desk, charge, payment)
        case _ as never:
            assert_never(never)


async def _payment_of(connection: Connection, desk: Desk, charge: Charge) -> Payment | None:
    """The charge's payment, locked: known by the charge, else by what of ours it carries."""
    gateway = desk.gateway
    known = await store.id_of_charge(connection, gateway.name, charge.external_id)
    if known is not None:
        return await store.lock(connection, known)
    if charge.payment_id is None:
        return None
    invoice = await store.lock(connection, charge.payment_id)
    if invoice is None or invoice.gateway != gateway.name:
        return None
    is_second = invoice.external_id not in {None, charge.external_id}
    if is_second and gateway.invoices_are_reusable and _buys(gateway, charge, invoice):
        return await buy_again(connection, invoice, desk.now)
    return invoice


def _buys(gateway: Gateway, charge: Charge, invoice: Payment) -> bool:
    """Whether a charge's money fits an invoice; one that does not must leave no purchase behind."""
    same_amount = charge.amount_minor == invoice.amount_minor
    return charge.currency == invoice.currency and (same_amount or gateway.grants_what_was_paid)


async def buy_again(connection: Connection, invoice: Payment, now: datetime) -> Payment:
    """A second charge for one invoice is a second purchase, with the same frozen numbers."""
    again = invoice.again(PaymentId(new_id()), now)
    await store.insert(connection, again)
    return again


async def _told_again(
    connection: Connection, desk: Desk, charge: Charge, payment: Payment
) -> Settled | MismatchKind:
    """What was credited stays credited, however it found its payment."""
    if charge.state is ChargeState.CANCELED:
        return await _differ(connection, desk, MismatchKind.STATE_DIFFERS, charge, payment)
    return Settled(payment)


async def _canceled(connection: Connection, charge: Charge, payment: Payment) -> Settled:
    if payment.state is not PaymentState.CANCELED:
        reason = charge.cancel_reason or "canceled"
        await store.set_canceled(
            connection, payment.id, external_id=charge.external_id, reason=reason
        )
        await _tell(connection, payment, "payment_canceled", {"reason": reason})
    return Settled(payment)


async def _paid(
    connection: Connection, desk: Desk, charge: Charge, payment: Payment
) -> Settled | MismatchKind:
    if charge.currency != payment.currency:
        return await _differ(connection, desk, MismatchKind.CURRENCY_DIFFERS, charge, payment)
    if charge.amount_minor == payment.amount_minor:
        return await credit(connection, desk, charge, payment, payment.amount)
    granted = payment.grant_for(charge.amount_minor)
    if desk.gateway.grants_what_was_paid:
        settled = await credit(connection, desk, charge, payment, granted)
        await _differ(connection, desk, MismatchKind.AMOUNT_DIFFERS, charge, settled.payment)
        return settled
    return await _differ(connection, desk, MismatchKind.AMOUNT_DIFFERS, charge, payment)


async def credit(
    connection: Connection, desk: Desk, charge: Charge, payment: Payment, granted: int
) -> Settled:
    """Give what a charge brings, and all that follows from it. The payment is locked and unpaid."""
    await store.set_paid(
        connection,
        payment.id,
        external_id=charge.external_id,
        payer_id=charge.payer_id,
        paid_minor=charge.amount_minor,
        granted=granted,
        vendor_at=charge.at,
        paid_at=desk.now,
    )
    if granted > 0:
        await ledger.grant(
            connection,
            user_id=payment.user_id,
            asset=payment.asset,
            amount=granted,
            kind=TransferKind.DEPOSIT,
            from_role=desk.sales,
            key=f"{desk.gateway.name}:{charge.external_id}",
            actor="system",
            reference=str(payment.id),
        )
    await rewards.on_deposit(
        connection,
        Deposit(payment.user_id, payment.id, payment.asset, granted, desk.now),
        desk.terms,
    )
    await _use_discount(connection, payment)
    await mismatches_store.heal(
        connection,
        gateway=desk.gateway.name,
        kind=MismatchKind.ONLY_THEIRS,
        subject=charge.external_id,
    )
    facts = {
        "asset": payment.asset,
        "amount": granted,
        "paid_minor": charge.amount_minor,
        "currency": charge.currency,
    }
    await _tell(connection, payment, "payment_received", facts, operators=True)
    paid = await store.payment(connection, payment.id)
    assert paid is not None
    return Settled(paid, fresh=True)


async def _use_discount(connection: Connection, payment: Payment) -> None:
    """A payment keeps the price that it was opened at; that a second one had it is no secret."""
    if payment.discount_id is None:
        return
    if not await rewards.use_discount(connection, payment.discount_id, payment.id):
        facts: dict[str, object] = {
            "payment_id": str(payment.id),
            "telegram_id": payment.user_id,
            "discount_id": payment.discount_id,
        }
        notice = Notice(f"discount_used_again:{payment.id}", "discount_used_again", facts)
        await notices.tell(connection, notice)


async def _differ(
    connection: Connection,
    desk: Desk,
    kind: MismatchKind,
    charge: Charge,
    payment: Payment | None,
) -> MismatchKind:
    if payment is not None and not payment.was_paid and kind is not MismatchKind.SECOND_CHARGE:
        # An operator decides now; a webhook or a look at the books still finds what changes.
        await store.ask_no_more(connection, payment.id)
    return await differ(
        connection,
        desk.gateway.name,
        kind,
        charge.external_id,
        payment=payment,
        fact=charge,
        run_id=desk.run_id,
    )


async def _tell(
    connection: Connection,
    payment: Payment,
    kind: str,
    facts: dict[str, object],
    *,
    operators: bool = False,
) -> None:
    whole = {"payment_id": str(payment.id), "gateway": payment.gateway, **facts}
    key = f"{kind}:{payment.id}"
    await notices.tell(connection, Notice(key, kind, whole, payment.user_id))
    if operators:
        whole = {**whole, "telegram_id": payment.user_id}
        await notices.tell(connection, Notice(f"{key}:operators", kind, whole))
