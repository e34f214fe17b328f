"""What payments know of people, for choosing whom to write to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hamyon.users.types import Condition

_HAS_PAID: Final = "EXISTS (SELECT FROM payments p WHERE p.user_id = u.id AND p.state = 'paid')"


@dataclass(frozen=True, slots=True)
class PaymentSegments:
    """Who ever paid, whether it was refunded or not; and who never did."""

    @property
    def criteria(self) -> frozenset[str]:
        return frozenset({"paid"})

    def condition(self, criterion: str, value: object) -> Condition:
        assert criterion == "paid"
        return Condition(_HAS_PAID if value is True else f"NOT {_HAS_PAID}")
