"""What the worker runs for messages."""

from __future__ import annotations

from hamyon.kit.queue import Handler, Schedule
from hamyon.messages.service import deliver, entries, outbox, pump
from hamyon.messages.service.lanes import Lanes
from hamyon.messages.types import Needs
from hamyon.notices import service as notices


def handlers(needs: Needs) -> dict[str, Handler]:
    """Queue entries by entry point."""
    lanes = Lanes()

    async def notice(raw: str) -> None:
        await outbox.pass_on(needs, int(raw))

    async def one(raw: str) -> None:
        delivery_id, attempt = entries.parse_payload(raw)
        await deliver.deliver(needs, lanes, delivery_id, attempt)

    return {notices.ENTRYPOINT: notice, entries.ENTRYPOINT: one}


def schedules(needs: Needs) -> list[Schedule]:
    """What runs by the clock."""

    async def outbox_left() -> None:
        await outbox.sweep(needs)

    async def deliveries_left() -> None:
        await deliver.sweep(needs)

    return [
        Schedule("messages_outbox", "* * * * *", outbox_left),
        Schedule("messages_deliveries", "* * * * *", deliveries_left),
        *pump.schedules(needs),
    ]
