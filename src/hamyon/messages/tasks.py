"""What the worker runs for messages."""

from __future__ import annotations

from hamyon.kit.queue import Handler, Schedule
from hamyon.messages.types import Needs


def handlers(needs: Needs) -> dict[str, Handler]:
    """By entry point of the queue."""
    return {}


def schedules(needs: Needs) -> list[Schedule]:
    """By the clock."""
    return []
