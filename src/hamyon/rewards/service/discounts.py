"""The one-time discount: offered once a person and product, used by one payment."""

from __future__ import annotations

from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.rewards.store import discounts as store
from hamyon.rewards.types import Discount


async def offer_discount(connection: Connection, user_id: int, product: str, percent: int) -> bool:
    """Offer a discount, unless there was one before; ``percent`` 0 offers none.

    True when it is offered now.
    """
    if percent == 0:
        return False
    return await store.insert_discount(connection, user_id, product, percent)


async def open_discount(
    connection: Connection | Pool, user_id: int, product: str
) -> Discount | None:
    """The discount that a person may still use."""
    return await store.open_discount(connection, user_id, product)


async def was_discount_offered(connection: Connection | Pool, user_id: int, product: str) -> bool:
    """Whether a person ever had a discount, used or not."""
    return await store.was_offered(connection, user_id, product)


async def use_discount(connection: Connection, discount_id: int, payment_id: UUID) -> bool:
    """Let a payment that succeeded use a discount. False: another payment was first.

    The same payment again changes nothing and is True.
    """
    return await store.use_discount(connection, discount_id, payment_id)
