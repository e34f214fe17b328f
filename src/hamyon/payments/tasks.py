"""What the worker runs for payments."""

from __future__ import annotations

from uuid import UUID

from hamyon.kit.queue import Handler, Schedule
from hamyon.payments.service import events, pending, reconcile, send
from hamyon.payments.types import Needs, RunId


def handlers(needs: Needs) -> dict[str, Handler]:
    """Queue entries by entry point."""

    async def event(raw: str) -> None:
        name, _, subject = raw.partition("\n")
        gateway = needs.gateways.get(name)
        if gateway is None:
            raise events.VendorUnclear(f"{name} is not set up here")
        await events.handle(needs, gateway, subject)

    async def run(raw: str) -> None:
        await reconcile.advance(needs, RunId(UUID(raw)))

    return {events.ENTRYPOINT: event, reconcile.ENTRYPOINT: run}


def schedules(needs: Needs) -> list[Schedule]:
    """What runs by the clock."""

    async def ask() -> None:
        await pending.sweep(needs)

    async def send_refunds() -> None:
        await send.sweep(needs)

    async def compare() -> None:
        await reconcile.hourly(needs)

    return [
        Schedule("payments_pending", "* * * * *", ask),
        Schedule("payments_refunds", "* * * * *", send_refunds),
        Schedule("payments_reconcile", "27 * * * *", compare),
    ]
