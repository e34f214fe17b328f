"""What images decides when an order ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hamyon.kit.db import Connection
from hamyon.ledger.types import TransferKind
from hamyon.orders.types import Job, Order, OrderState
from hamyon.rewards import service as rewards


class ImagesRules:
    """``ProductRules`` of images: one picture a price, a trial for the first ones."""

    transfer_kind = TransferKind.GENERATION

    def capture_amount(self, order: Order, jobs: Sequence[Job]) -> int:
        """The price is for one picture: it is due when there is one."""
        return order.price if any(job.outputs for job in jobs) else 0

    async def on_settled(self, connection: Connection, order: Order) -> None:
        """A trial is used by a delivery and by a refusal for safety; else it comes back."""
        if not order.trial:
            return
        refused = order.error_code == "refused_by_safety"
        used = order.state is OrderState.COMPLETED or refused
        await rewards.end_trial(connection, order.id, "used" if used else "returned")

    def delivery(self, order: Order) -> Mapping[str, object]:
        """What the bot needs to bring the pictures, or to say why there are none."""
        return {
            "order_id": str(order.id),
            "product": order.product,
            "model": order.model_key,
            "charged": order.charged or 0,
            "asset": order.asset,
            "trial": order.trial,
            "error_code": order.error_code,
            "deliver": order.deliver,
        }
