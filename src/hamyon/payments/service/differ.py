"""Writing down where a vendor's books and ours differ, so that operators see it once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from hamyon.kit.db import Connection
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.payments.store import mismatches as store
from hamyon.payments.types import (
    Fact,
    MismatchKind,
    Payment,
    Refund,
    RunId,
)


async def differ(
    connection: Connection,
    gateway: str,
    kind: MismatchKind,
    subject: str,
    *,
    payment: Payment | None = None,
    refund: Refund | None = None,
    fact: Fact | None = None,
    run_id: RunId | None = None,
    refused: str | None = None,
) -> MismatchKind:
    """Keep a difference, and tell operators of a new one. ``refused``: the code of the refusal that
    kept a fact from being settled.

    A reconciliation tells of all that it saw at once.
    """
    mismatch_id = await store.note(
        connection,
        gateway=gateway,
        kind=kind,
        subject=subject,
        payment_id=payment.id if payment is not None else None,
        ours={"refused": refused} if refused is not None else _ours(payment, refund),
        theirs=asdict(fact) if fact is not None else None,
        run_id=run_id,
        state="open",
    )
    if mismatch_id is not None and run_id is None:
        facts = {"gateway": gateway, "difference": kind, "subject": subject, "id": mismatch_id}
        await notices.tell(
            connection, Notice(f"mismatch:{mismatch_id}", kind="payment_mismatch", facts=facts)
        )
    return kind


def _ours(payment: Payment | None, refund: Refund | None) -> Mapping[str, object] | None:
    if refund is not None:
        return {
            "refund_id": str(refund.id),
            "state": refund.state,
            "amount_minor": refund.amount_minor,
        }
    if payment is None:
        return None
    return {
        "state": payment.state,
        "amount_minor": payment.paid_minor or payment.amount_minor,
        "currency": payment.currency,
        "granted": payment.granted,
        "external_id": payment.external_id,
        "refunded_minor": payment.refunded_minor,
    }
