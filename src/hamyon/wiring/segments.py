"""What each slice knows of people, for choosing whom to write to."""

from __future__ import annotations

from typing import Final

from hamyon.ledger.service import BalanceSegments
from hamyon.orders.store.segments import OrderSegments
from hamyon.payments.store.segments import PaymentSegments
from hamyon.products.drawings.store import DrawingsSegments
from hamyon.users.store.segments import PeopleSegments
from hamyon.users.types import SegmentSource

SEGMENT_SOURCES: Final[tuple[SegmentSource, ...]] = (
    PeopleSegments(),
    BalanceSegments(),
    OrderSegments(),
    PaymentSegments(),
    DrawingsSegments(),
)
