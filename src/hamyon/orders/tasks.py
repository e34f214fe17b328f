"""What the worker runs for orders."""

from __future__ import annotations

from hamyon.kit.queue import Handler, Schedule
from hamyon.orders.service import deadlines, record
from hamyon.orders.service.advance import advance
from hamyon.orders.types import Needs


def handlers(needs: Needs) -> dict[str, Handler]:
    """Queue entries by entry point."""

    async def run(raw: str) -> None:
        job_id, step = record.parse_payload(raw)
        await advance(needs, job_id, step)

    return {record.ENTRYPOINT: run}


def schedules(needs: Needs) -> list[Schedule]:
    """What runs by the clock."""

    async def sweep() -> None:
        await deadlines.sweep(needs)

    return [Schedule("orders_deadlines", "* * * * *", sweep)]
