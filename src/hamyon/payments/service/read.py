"""Looking at payments: a person at his own, operators at everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool
from hamyon.payments.errors import PaymentNotFound
from hamyon.payments.store import details as details_store
from hamyon.payments.store import mismatches as mismatches_store
from hamyon.payments.store import payments as store
from hamyon.payments.store import refunds as refunds_store
from hamyon.payments.types import (
    Mismatch,
    MismatchId,
    MismatchState,
    Payment,
    PaymentId,
    PaymentPage,
    PaymentState,
    Revenue,
    RunId,
)
from hamyon.payments.types.details import Details

BEHIND_MAX: Final = 100
"""How many events, entries and differences of one payment are shown."""
BODY_CHARACTERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payments; None asks nothing. Times are of opening: ``since`` on, before ``until``."""

    gateway: str | None = None
    state: PaymentState | None = None
    user_id: int | None = None
    charge_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def of_user(
    pool: Connection | Pool,
    user_id: int,
    *,
    gateway: str | None = None,
    asset: str | None = None,
    limit: int,
) -> Sequence[Payment]:
    """A person's payments, newest first; of one gateway, or for one asset, when that is named."""
    return await store.of_user(pool, user_id, gateway=gateway, asset=asset, limit=limit)


async def page(
    pool: Connection | Pool,
    wanted: Wanted,
    *,
    after: tuple[datetime, PaymentId] | None = None,
    limit: int,
) -> PaymentPage:
    """Everybody's payments, newest first, behind ``after``."""
    found = await store.page(
        pool,
        gateway=wanted.gateway,
        state=wanted.state,
        user_id=wanted.user_id,
        charge_id=wanted.charge_id,
        since=wanted.since,
        until=wanted.until,
        after=after,
        limit=limit + 1,
    )
    shown = found[:limit]
    has_more = len(found) > limit
    return PaymentPage(shown, (shown[-1].created_at, shown[-1].id) if has_more else None)


async def payment(pool: Connection | Pool, payment_id: PaymentId) -> Payment:
    """One payment. Raises PaymentNotFound."""
    found = await store.payment(pool, payment_id)
    if found is None:
        raise PaymentNotFound
    return found


async def own(pool: Connection | Pool, payment_id: PaymentId, user_id: int) -> Payment:
    """A person's own payment. Raises PaymentNotFound, for somebody else's too."""
    found = await payment(pool, payment_id)
    if found.user_id != user_id:
        raise PaymentNotFound
    return found


async def revenue_since(pool: Connection | Pool, since: datetime) -> Sequence[Revenue]:
    """What charges brought since then, by currency."""
    return await store.revenue_since(pool, since)


async def details(pool: Pool, payment_id: PaymentId) -> Details:
    """A payment with its events, its ledger, its refunds and its differences, on one connection.

    Raises PaymentNotFound.
    """
    async with pool.acquire() as connection:
        found = await payment(connection, payment_id)
        told = []
        if found.external_id is not None:
            told = [
                *await details_store.events(
                    connection,
                    found.gateway,
                    found.external_id,
                    limit=BEHIND_MAX,
                    characters=BODY_CHARACTERS_MAX,
                )
            ]
        return Details(
            payment=found,
            events=told,
            ledger=await details_store.ledger_entries(connection, found.id, limit=BEHIND_MAX),
            refunds=await refunds_store.of_payment(connection, found.id),
            mismatches=await mismatches_store.of_payment(connection, found.id, limit=BEHIND_MAX),
        )


async def mismatches(
    pool: Connection | Pool,
    *,
    state: MismatchState | None = None,
    gateway: str | None = None,
    run_id: RunId | None = None,
    before_id: int | None = None,
    limit: int,
) -> tuple[Sequence[Mismatch], MismatchId | None]:
    """Differences, newest first, and the id that the next page lies before."""
    found = await mismatches_store.page(
        pool, state=state, gateway=gateway, run_id=run_id, before_id=before_id, limit=limit + 1
    )
    shown = found[:limit]
    return shown, shown[-1].id if len(found) > limit else None
