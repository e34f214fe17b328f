"""What orders know of people, for choosing whom to write to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hamyon.users.types import Condition

_BY_CRITERION: Final = {
    # As people_at_work counts who is active: by having ordered something.
    "active_days": """
        u.id IN (SELECT o.user_id FROM orders o
                 WHERE o.created_at >= now() - make_interval(days => {0}::integer))
        """,
    "product": """
        EXISTS (SELECT FROM orders o WHERE o.user_id = u.id AND o.product = {0}::text)
        """,
}


@dataclass(frozen=True, slots=True)
class OrderSegments:
    """Who ordered something lately, and who ever ordered of a product."""

    @property
    def criteria(self) -> frozenset[str]:
        return frozenset(_BY_CRITERION)

    def condition(self, criterion: str, value: object) -> Condition:
        return Condition(_BY_CRITERION[criterion], (value,))
