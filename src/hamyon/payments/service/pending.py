"""Asking about payments whose news did not come: a lost webhook loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from hamyon.kit.db import in_transaction
from hamyon.payments.service import events
from hamyon.payments.service.due import LIMIT, each, recheck_at
from hamyon.payments.service.purchase import open_at_vendor
from hamyon.payments.service.settle import desk_of
from hamyon.payments.store import payments as store
from hamyon.payments.types import KEY_LIFE, Charge, Gateway, Needs, Payment, PaymentState, Unclear

NEVER_OPENED: Final = "never_opened"
CLOCKS_DIFFER: Final = timedelta(hours=1)

log = structlog.get_logger(__name__)


async def sweep(needs: Needs) -> None:
    """Ask about every payment that is due."""

    async def look(payment: Payment) -> None:
        # Before the look: one that fails must not come first again and again.
        await store.check_again(
            needs.pool, payment.id, check_at=recheck_at(needs.clock.now(), payment.checks)
        )
        gateway = needs.gateways.get(payment.gateway)
        if gateway is None:
            return
        try:
            await check(needs, gateway, payment)
        except events.VendorUnclear as unclear:
            log.warning("payment unclear", payment_id=str(payment.id), reason=str(unclear))

    await each(await store.due(needs.pool, now=needs.clock.now(), limit=LIMIT), look)


async def check(needs: Needs, gateway: Gateway, payment: Payment) -> None:
    """Ask the vendor about one payment, and do what follows. Only the vendor's word cancels it.

    An invoice that waits for its payer is nothing to ask about. Raises VendorUnclear.
    """
    if payment.external_id is not None:
        await events.handle(needs, gateway, payment.external_id)
    elif payment.state is not PaymentState.CREATED or payment.url is not None:
        return
    elif needs.clock.now() - payment.vendor_key_at <= KEY_LIFE:
        # Nobody answered when it was opened. The same key again tells what became of it.
        outcome = await open_at_vendor(needs, gateway, payment)
        if isinstance(outcome, Unclear):
            raise events.VendorUnclear(outcome.reason)
    else:
        await _look_up(needs, gateway, payment)


async def _look_up(needs: Needs, gateway: Gateway, payment: Payment) -> None:
    """The vendor has forgotten the key, so it is never sent again: search, and believe it."""
    made_at = payment.vendor_key_at
    found = await gateway.find(payment.id, made_at - CLOCKS_DIFFER, made_at + KEY_LIFE)
    match found:
        case Charge():
            await events.settle(needs, desk_of(needs, gateway), found)
        case Unclear(reason):
            raise events.VendorUnclear(reason)
        case None:
            await in_transaction(
                needs.pool,
                store.set_canceled,
                payment.id,
                external_id=None,
                reason=NEVER_OPENED,
            )
