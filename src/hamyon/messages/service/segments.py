"""From a segment to the people whom it means.

Each slice answers the criteria of which it knows something. Several answers to one criterion are
alternatives; the criteria themselves must all hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from hamyon.kit.db import Connection, Pool
from hamyon.kit.money import Asset
from hamyon.kit.settings import Product
from hamyon.kit.texts import LANGUAGES
from hamyon.messages.errors import InvalidSegment
from hamyon.messages.store import segments as store
from hamyon.messages.types.broadcast import CHANNEL
from hamyon.messages.types.segment import CRITERIA, Segment
from hamyon.users.types import Condition, SegmentSource

ACTIVE_DAYS: Final = (1, 7, 30)
REGISTERED_DAYS_MAX: Final = 36_500
AMOUNT_MAX: Final = 2**53 - 1
SOURCE_CHARACTERS_MAX: Final = 256


def read_segment(given: Mapping[str, object]) -> Segment:
    """A segment as it was written. Raises InvalidSegment for whatever is not exactly known."""
    for criterion, value in given.items():
        if criterion not in CRITERIA:
            raise InvalidSegment(problem=f"there is no criterion {criterion!r}")
        if not _is_known(criterion, value):
            raise InvalidSegment(problem=f"{criterion} cannot be {value!r}")
    return Segment(dict(given))


def _is_known(criterion: str, value: object) -> bool:
    match criterion:
        case "active_days":
            return type(value) is int and value in ACTIVE_DAYS
        case "paid":
            return isinstance(value, bool)
        case "balance_min":
            return _is_balance(value)
        case "language":
            return value in LANGUAGES
        case "product":
            return value in get_args(Product)
        case "advertising_source":
            return isinstance(value, str) and _is_source(value)
        case "registered_days_max":
            return type(value) is int and 1 <= value <= REGISTERED_DAYS_MAX
        case _:
            return False


def _is_source(value: str) -> bool:
    return 1 <= len(value) <= SOURCE_CHARACTERS_MAX and "\0" not in value


def _is_balance(value: object) -> bool:
    """An amount of 0 would be everybody, by accident."""
    if not isinstance(value, Mapping) or value.keys() != {"asset", "amount"}:
        return False
    amount = value["amount"]
    is_asset = value["asset"] in [asset.value for asset in Asset]
    return is_asset and type(amount) is int and 1 <= amount <= AMOUNT_MAX


def conditions_of(segment: Segment, sources: Sequence[SegmentSource]) -> Sequence[Condition]:
    """One condition a criterion. Raises InvalidSegment for one that no slice answers."""
    found = []
    for criterion, value in read_segment(segment.criteria).criteria.items():
        answers = [
            source.condition(criterion, value) for source in sources if criterion in source.criteria
        ]
        if not answers:
            raise InvalidSegment(problem=f"nobody knows of {criterion!r} here")
        found.append(store.any_of(answers))
    return found


async def count(
    connection: Connection | Pool, segment: Segment, sources: Sequence[SegmentSource]
) -> int:
    """How many people a broadcast to the segment would reach now. Raises InvalidSegment."""
    return await store.count_people(connection, conditions_of(segment, sources), channel=CHANNEL)
