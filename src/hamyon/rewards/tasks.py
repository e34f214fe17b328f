"""What the worker runs for rewards."""

from __future__ import annotations

from hamyon.kit.queue import Schedule
from hamyon.rewards.service.due import grant_due
from hamyon.rewards.types import Needs


def schedules(needs: Needs) -> list[Schedule]:
    """What runs by the clock."""

    async def grant() -> None:
        await grant_due(needs.pool, needs.clock.now())

    return [Schedule("bonuses_due", "7 * * * *", grant)]
