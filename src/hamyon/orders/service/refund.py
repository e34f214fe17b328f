"""Giving back what an order was charged, whole or in parts.

A part is a transfer of its own; all of them together never exceed the charge.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamyon.kit.db import Connection
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders import store
from hamyon.orders.errors import NotRefundable, OrderNotFound, RefundTooLarge
from hamyon.orders.types import Order, OrderId


@dataclass(frozen=True, slots=True)
class Refund:
    """One part that was given back; ``refunded`` sums up all of them, this one too."""

    order: Order
    amount: int
    refunded: int
    transfer_id: int

    @property
    def charged(self) -> int:
        """What the order was charged."""
        return self.order.charged or 0


async def refund(
    connection: Connection,
    order_id: OrderId,
    *,
    amount: int | None,
    key: str,
    actor: str,
    reason: str,
) -> Refund:
    """Give ``amount`` back, or all that is left of the charge. Once for each ``key``.

    Two refunds at once queue at the order's row, and the second one's sum, a later statement,
    counts the first. The caller keeps ``key`` from coming here twice.
    Raises OrderNotFound, NotRefundable and RefundTooLarge.
    """
    order = await store.lock_order(connection, order_id)
    if order is None:
        raise OrderNotFound
    if order.settled_at is None or not order.charged:
        raise NotRefundable(status=order.state)
    reference = str(order.id)
    before = await ledger.transferred(connection, reference=reference, kind=TransferKind.REFUND)
    left = order.charged - before
    given = left if amount is None else amount
    if not 0 < given <= left:
        raise RefundTooLarge(amount=given, left=left)
    transfer_key = f"refund:order:{reference}:{key}"
    await ledger.grant(
        connection,
        user_id=order.user_id,
        asset=order.asset,
        amount=given,
        kind=TransferKind.REFUND,
        from_role=f"revenue:{order.product}",
        key=transfer_key,
        actor=actor,
        reason=reason,
        reference=reference,
    )
    facts = {"order_id": reference, "product": order.product, "amount": given, "asset": order.asset}
    await notices.tell(
        connection,
        Notice(key=transfer_key, user_id=order.user_id, kind="order_refunded", facts=facts),
    )
    effect = await ledger.wallet_effect(
        connection, user_id=order.user_id, asset=order.asset, key=transfer_key
    )
    return Refund(order, given, before + given, effect.transfer_id)
