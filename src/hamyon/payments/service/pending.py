"""Asking about payments whose news did not come: a lost webhook loses nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from hamyon.kit.db import in_transaction
from hamyon.payments.service import events
from hamyon.payments.service.due import LIMIT, each, recheck_at
from hamyon.payments.service.purchase import open_at_vendor
from hamyon.payments.service.settle import desk_of
from hamyon.payments.store import payments as store
from hamyon.payments.types import KEY_LIFE, Charge, Gateway, Needs, Payment, Unclear

NEVER_OPENED: Final = "never_opened"

log = structlog.get_logger(__name__)


async def sweep(needs: Needs) -> None:
    """Ask about every payment that is due."""

    async def look(payment: Payment) -> None:
        # Before the look: one that fails must not come first again and again.
        await store.check_again(
            needs.pool, payment.id, check_at=recheck_at(needs.clock.now(), payment.checks)
        )
        gateway = needs.gateways.get(payment.gateway)
        if gateway is not None:
            await check(needs, gateway, payment)

    await each(await store.due(needs.pool, now=needs.clock.now(), limit=LIMIT), look)


async def check(needs: Needs, gateway: Gateway, payment: Payment) -> None:
    """Ask the vendor about one payment, and do what follows. Only the vendor's word cancels it."""
    if payment.external_id is not None:
        try:
            await events.handle(needs, gateway, payment.external_id)
        except events.VendorUnclear as unclear:
            log.warning("payment unclear", payment_id=str(payment.id), reason=str(unclear))
    elif needs.clock.now() - payment.vendor_key_at <= KEY_LIFE:
        # Nobody answered when it was opened. The same key again tells what became of it.
        await open_at_vendor(needs, gateway, payment)
    else:
        await _look_up(needs, gateway, payment)


async def _look_up(needs: Needs, gateway: Gateway, payment: Payment) -> None:
    """The vendor has forgotten the key, so it is never sent again: search, and believe it."""
    found = await gateway.find(payment.id, _since(payment))
    match found:
        case Charge():
            await events.apply(needs, desk_of(needs, gateway), [found])
        case Unclear(reason):
            log.warning("payment unclear", payment_id=str(payment.id), reason=reason)
        case None:
            await in_transaction(
                needs.pool,
                store.set_canceled,
                payment.id,
                external_id=None,
                reason=NEVER_OPENED,
            )


def _since(payment: Payment) -> datetime:
    """A moment before the vendor can have made it, whatever its clock says."""
    return payment.created_at - timedelta(hours=1)
