"""Statements about chats: what the next text is for, and what was chosen last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hamyon.kit.db import Connection, Pool
from hamyon.surfaces.bot.types import Chat


async def chat(connection: Connection | Pool, user_id: int, *, now: datetime) -> Chat:
    """A person's chat; one of which nothing is remembered is empty."""
    row = await connection.fetchrow(
        """
        SELECT CASE WHEN expecting_until > $2 THEN expecting END AS expecting,
               expecting_facts, choices
        FROM bot_chats WHERE user_id = $1
        """,
        user_id,
        now,
    )
    if row is None:
        return Chat(user_id)
    return Chat(user_id, row["expecting"], row["expecting_facts"], row["choices"])


async def expect(
    connection: Connection | Pool,
    user_id: int,
    *,
    what: str | None,
    facts: Mapping[str, object],
    until: datetime | None,
) -> None:
    """Remember what the next text is for; ``what`` None: for nothing in particular."""
    await connection.execute(
        """
        INSERT INTO bot_chats (user_id, expecting, expecting_facts, expecting_until)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id) DO UPDATE
        SET expecting = excluded.expecting, expecting_facts = excluded.expecting_facts,
            expecting_until = excluded.expecting_until, updated_at = now()
        """,
        user_id,
        what,
        dict(facts),
        until,
    )


async def choose(
    connection: Connection | Pool, user_id: int, choices: Mapping[str, object]
) -> None:
    """Remember choices beside those that were made before."""
    await connection.execute(
        """
        INSERT INTO bot_chats (user_id, choices) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE
        SET choices = bot_chats.choices || excluded.choices, updated_at = now()
        """,
        user_id,
        dict(choices),
    )
