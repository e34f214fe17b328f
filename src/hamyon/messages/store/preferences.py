"""Statements about what people do not want to be told. Nothing written: they want it."""

from __future__ import annotations

from collections.abc import Sequence

from hamyon.kit.db import Connection, Pool
from hamyon.messages.types import Topic


async def disabled_topics(connection: Connection | Pool, user_id: int) -> frozenset[str]:
    """What a person has switched off."""
    rows = await connection.fetch(
        "SELECT topic FROM notification_preferences WHERE user_id = $1 AND NOT enabled", user_id
    )
    return frozenset(row["topic"] for row in rows)


async def muted(
    connection: Connection | Pool, user_ids: Sequence[int], topic: Topic
) -> frozenset[int]:
    """Who of these has switched a topic off."""
    rows = await connection.fetch(
        """
        SELECT user_id FROM notification_preferences
        WHERE user_id = ANY ($1::bigint[]) AND topic = $2 AND NOT enabled
        """,
        list(user_ids),
        topic,
    )
    return frozenset(row["user_id"] for row in rows)


async def disable(connection: Connection, user_id: int, topic: Topic) -> None:
    """Switch a topic off."""
    await connection.execute(
        """
        INSERT INTO notification_preferences (user_id, topic, enabled) VALUES ($1, $2, false)
        ON CONFLICT (user_id, topic) DO UPDATE SET enabled = false, updated_at = now()
        """,
        user_id,
        topic,
    )


async def enable(connection: Connection, user_id: int, topic: Topic) -> None:
    """Switch a topic on, as it is for everybody who never chose."""
    await connection.execute(
        "DELETE FROM notification_preferences WHERE user_id = $1 AND topic = $2", user_id, topic
    )
