"""The inbox of gateways: an event is kept first, and then the vendor is asked for the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import in_transaction, transaction
from hamyon.payments.service.refund import settle_refund
from hamyon.payments.service.settle import Desk, Settled, desk_of, settle_charge
from hamyon.payments.types import (
    Charge,
    Event,
    Fact,
    Gateway,
    MismatchKind,
    Needs,
    RefundMade,
    Unclear,
)

ENTRYPOINT: Final = "payments.event"


class VendorUnclear(Exception):
    """The vendor could not be asked now; the queue tries again later."""


def payload(gateway: str, subject: str) -> str:
    """What the queue carries."""
    return f"{gateway}\n{subject}"


async def receive(
    needs: Needs,
    gateway: Gateway,
    event: Event,
    body: bytes,
    *,
    delay: timedelta = timedelta(0),
) -> bool:
    """Keep an event as it came and queue what follows from it. False: it is here already.

    Once this returns, nothing of it can be lost. ``delay`` lets a caller who goes on at once be
    the first.
    """
    async with transaction(needs.pool) as connection:
        kept = await kit_store.store_event(
            connection,
            source=gateway.name,
            event_key=event.key,
            subject=event.subject,
            body=body,
        )
        if kept is not None:
            await kit_store.add_job(
                connection, ENTRYPOINT, payload(gateway.name, event.subject), delay=delay
            )
    reach("event.stored")
    if kept is not None:
        needs.waker.wake()
    return kept is not None


async def handle(needs: Needs, gateway: Gateway, subject: str) -> None:
    """Bring a charge to where its vendor says it is. Raises VendorUnclear to be called again."""
    bodies = await kit_store.events_about(needs.pool, source=gateway.name, subject=subject)
    facts = await gateway.truth(subject, bodies)
    if isinstance(facts, Unclear):
        raise VendorUnclear(facts.reason)
    await apply(needs, desk_of(needs, gateway), facts)
    reach("event.settled")
    await kit_store.mark_handled(needs.pool, source=gateway.name, subject=subject)


async def apply(needs: Needs, desk: Desk, facts: Sequence[Fact]) -> list[Settled | MismatchKind]:
    """Settle facts in the only order that makes sense: what was paid before what went back.

    Returns what became of the charges.
    """
    charges = [fact for fact in facts if isinstance(fact, Charge)]
    settled = [await in_transaction(needs.pool, settle_charge, desk, charge) for charge in charges]
    for made in facts:
        if isinstance(made, RefundMade):
            await in_transaction(needs.pool, settle_refund, desk, made)
    return settled
