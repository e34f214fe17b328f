"""Choosing people by conditions of several slices, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from hamyon.kit.db import Connection, Pool
from hamyon.messages.types import Topic
from hamyon.users.types import Condition

_REACHABLE: Final = Condition(
    """
    u.blocked_at IS NULL
    AND NOT EXISTS (SELECT FROM unreachable x WHERE x.user_id = u.id AND x.channel = {0}::text)
    AND NOT EXISTS (SELECT FROM notification_preferences n
                    WHERE n.user_id = u.id AND n.topic = {1}::text AND NOT n.enabled)
    """
)
"""Whom we may write to at all: not those whom we blocked, who cannot be reached, or who have
switched news off."""


def any_of(conditions: Sequence[Condition]) -> Condition:
    """A condition that holds where any of these does."""
    parts: list[str] = []
    values: list[object] = []
    for condition in conditions:
        names = [f"{{{len(values) + number}}}" for number in range(len(condition.values))]
        parts.append(f"({condition.sql.format(*names)})")
        values += condition.values
    return Condition(f"({' OR '.join(parts)})", tuple(values))


def where(conditions: Sequence[Condition], *, channel: str, first: int) -> tuple[str, list[object]]:
    """The whole condition about ``users u``, with its values numbered from ``first`` on."""
    reachable = Condition(_REACHABLE.sql, (channel, Topic.NEWS.value))
    parts: list[str] = []
    values: list[object] = []
    for condition in (reachable, *conditions):
        start = first + len(values)
        names = [f"${start + number}" for number in range(len(condition.values))]
        parts.append(condition.sql.format(*names))
        values += condition.values
    return " AND ".join(parts), values


async def count_people(
    connection: Connection | Pool, conditions: Sequence[Condition], *, channel: str
) -> int:
    """How many people all of these conditions hold for."""
    condition, values = where(conditions, channel=channel, first=1)
    found = await connection.fetchval(
        f"SELECT count(*) FROM users u WHERE {condition}",  # noqa: S608 -- of constants alone
        *values,
    )
    return cast("int", found)
