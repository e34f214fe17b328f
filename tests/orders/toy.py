"""A toy product for tests: an order of several jobs, each worth an equal part of the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from hamyon.kit.db import Connection, Pool
from hamyon.ledger.types import TransferKind
from hamyon.orders.types import Job, Order

PRODUCT = "toy"
PART = 10


class ToyRules:
    """Takes ``PART`` for each job that brought a picture."""

    transfer_kind = TransferKind.GENERATION

    def __init__(self) -> None:
        self.settled: list[tuple[str, int | None]] = []

    def capture_amount(self, order: Order, jobs: Sequence[Job]) -> int:
        return min(order.price, PART * sum(bool(job.outputs) for job in jobs))

    async def on_settled(self, connection: Connection, order: Order) -> None:
        """Counts in the database, inside the settling transaction, as a product would."""
        self.settled.append((str(order.id), order.charged))
        await connection.execute("SELECT pg_advisory_xact_lock(1)")

    def delivery(self, order: Order) -> Mapping[str, object]:
        return {"order_id": str(order.id), "product": PRODUCT}


async def order_toy(pool: Pool, user_id: int, prompt: str, jobs: int, *, engine: str) -> str:
    """An order of so many jobs through the same SQL as every product's."""
    order_id = uuid4()
    await pool.fetchval(
        """
        SELECT order_open($1, $2, 'toy', 'toy', $3, $4, $5, $6, 'credit', $7,
            (SELECT min(id) FROM prices), false, NULL, 'test', 600, 100)
        """,
        order_id,
        user_id,
        engine,
        ["bytedance/seedream-v4"] * jobs,
        [uuid4() for _ in range(jobs)],
        {"prompt": prompt, "options": {"size": "1024*1024"}, "references": []},
        PART * jobs,
    )
    return str(order_id)
