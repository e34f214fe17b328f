"""What a person's own row says, for choosing whom to write to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hamyon.users.types import Condition

_BY_CRITERION: Final = {
    "language": "u.language = {0}::text",
    "advertising_source": "u.advertising_source = {0}::text",
    "registered_days_max": "u.created_at >= now() - make_interval(days => {0}::integer)",
}


@dataclass(frozen=True, slots=True)
class PeopleSegments:
    """Language, the advertisement that somebody came from, and how long ago he came."""

    @property
    def criteria(self) -> frozenset[str]:
        return frozenset(_BY_CRITERION)

    def condition(self, criterion: str, value: object) -> Condition:
        return Condition(_BY_CRITERION[criterion], (value,))
