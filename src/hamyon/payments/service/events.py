"""The inbox of gateways: an event is kept first, and then the vendor is asked for the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction, transaction
from hamyon.kit.errors import HamyonError
from hamyon.payments.service.differ import differ
from hamyon.payments.service.refund import settle_refund
from hamyon.payments.service.settle import Desk, Settled, desk_of, settle_charge
from hamyon.payments.types import (
    Charge,
    Event,
    Fact,
    Gateway,
    MismatchKind,
    Needs,
    Refund,
    Unclear,
)

ENTRYPOINT: Final = "payments.event"


Outcome: TypeAlias = Settled | Refund | MismatchKind | None
"""What became of a fact."""


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
    desk = desk_of(needs, gateway)
    for fact in in_order(facts):
        try:
            await settle(needs, desk, fact)
        except HamyonError as refusal:
            # The ledger cannot hold the amount, for example: trying again would not help.
            await in_transaction(needs.pool, leave_open, desk, fact, refusal)
    reach("event.settled")
    await kit_store.mark_handled(needs.pool, source=gateway.name, subject=subject)


def in_order(facts: Sequence[Fact]) -> list[Fact]:
    """The only order that makes sense: what was paid before what went back."""
    return sorted(facts, key=lambda fact: not isinstance(fact, Charge))


async def settle(needs: Needs, desk: Desk, fact: Fact) -> Outcome:
    """Settle one fact in a transaction of its own. Raises what the ledger refuses."""
    if isinstance(fact, Charge):
        return await in_transaction(needs.pool, settle_charge, desk, fact)
    return await in_transaction(needs.pool, settle_refund, desk, fact)


async def leave_open(connection: Connection, desk: Desk, fact: Fact, refusal: HamyonError) -> None:
    """Keep a fact that cannot be settled for operators."""
    is_charge = isinstance(fact, Charge)
    await differ(
        connection,
        desk.gateway.name,
        MismatchKind.ONLY_THEIRS if is_charge else MismatchKind.REFUND_ONLY_THEIRS,
        fact.external_id,
        fact=fact,
        run_id=desk.run_id,
        refused=refusal.code,
    )
