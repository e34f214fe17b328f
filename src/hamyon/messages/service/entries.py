"""The queue's entries for deliveries.

Each names the attempt that it is for, so that an entry which runs twice, or is found after a crash,
starts no second one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection
from hamyon.messages.types.delivery import DeliveryId

ENTRYPOINT: Final = "deliver"


async def add(
    connection: Connection, delivery_id: DeliveryId, attempt: int, *, delay_s: float = 0.0
) -> None:
    """Queue the attempt that follows ``attempt`` earlier ones, unless it is queued already."""
    raw = payload(delivery_id, attempt)
    await kit_store.add_job(
        connection,
        ENTRYPOINT,
        raw,
        delay=timedelta(seconds=delay_s),
        dedupe_key=f"{ENTRYPOINT}:{raw}",
    )


async def again(connection: Connection, raw: str, *, delay_s: float) -> None:
    """Run the very entry that is running later once more."""
    await kit_store.add_job(connection, ENTRYPOINT, raw, delay=timedelta(seconds=delay_s))


def payload(delivery_id: DeliveryId, attempt: int) -> str:
    """An entry."""
    return f"{delivery_id}:{attempt}"


def parse_payload(raw: str) -> tuple[DeliveryId, int]:
    """``payload`` read back."""
    delivery_id, _, attempt = raw.partition(":")
    return DeliveryId(int(delivery_id)), int(attempt)
