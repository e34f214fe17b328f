"""Statements about drafts: pictures that people are putting together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.surfaces.bot.draft import REFERENCES_MAX, Draft, DraftId, NewDraft

_COLUMNS = """
    id, user_id, chat_id, prompt_message_id, panel_message_id, media_group_id, prompt, upload_ids,
    model_key, options, order_id, attempt
"""


async def begin(connection: Connection | Pool, new: NewDraft) -> Draft:
    """A new draft, or the one that this bot and person began with this key, as it stands."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO bot_drafts AS known (user_id, chat_id, prompt_message_id, media_group_id,
            prompt, upload_ids, model_key, options, key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (key) DO UPDATE SET updated_at = now()
        RETURNING {_COLUMNS}
        """,  # noqa: S608 -- the columns are a constant of this module
        new.user_id,
        new.chat_id,
        new.prompt_message_id,
        new.media_group_id,
        new.prompt,
        list(new.upload_ids),
        new.model_key,
        dict(new.options),
        f"{_owner(new.bot_id, new.user_id)}{new.key}",
    )
    assert row is not None
    return _read(row)


async def own(connection: Connection | Pool, draft_id: int, user_id: int) -> Draft | None:
    """A person's own draft; None for somebody else's, too."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM bot_drafts WHERE id = $1 AND user_id = $2",  # noqa: S608
        draft_id,
        user_id,
    )
    return None if row is None else _read(row)


async def get(connection: Connection | Pool, draft_id: int) -> Draft | None:
    """A draft, for work that nobody asked for by hand."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM bot_drafts WHERE id = $1",  # noqa: S608
        draft_id,
    )
    return None if row is None else _read(row)


async def of_order(connection: Connection | Pool, order_id: UUID) -> Draft | None:
    """The draft that an order was made of; None for orders that the bot did not make."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM bot_drafts WHERE order_id = $1 ORDER BY id LIMIT 1",  # noqa: S608
        order_id,
    )
    return None if row is None else _read(row)


async def add_picture(
    connection: Connection | Pool, draft_id: DraftId, upload_id: UUID, prompt: str
) -> Draft | None:
    """One more reference, once; and the wish when the draft has none yet. None: it was ordered."""
    row = await connection.fetchrow(
        f"""
        UPDATE bot_drafts
        SET upload_ids = CASE WHEN $2 = ANY (upload_ids) OR cardinality(upload_ids) >= $4
                              THEN upload_ids ELSE upload_ids || $2::uuid END,
            prompt = CASE WHEN prompt = '' THEN $3 ELSE prompt END,
            updated_at = now()
        WHERE id = $1 AND order_id IS NULL
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        draft_id,
        upload_id,
        prompt,
        REFERENCES_MAX + 1,
    )
    return None if row is None else _read(row)


async def take_words(
    connection: Connection | Pool,
    *,
    bot_id: int,
    user_id: int,
    prompt: str,
    message_id: int,
    within: timedelta,
) -> Draft | None:
    """The draft whose wish a message says: the person's newest one with pictures and no words.

    A message that comes again finds the draft that it was said for. None: no pictures wait for
    words, or nobody has touched them for so long.
    """
    row = await connection.fetchrow(
        f"""
        UPDATE bot_drafts SET prompt = $3, prompt_message_id = $4, updated_at = now()
        WHERE id = (
            SELECT id FROM bot_drafts
            WHERE user_id = $1 AND starts_with(key, $2) AND cardinality(upload_ids) > 0
              AND updated_at > now() - $5::interval
              AND (prompt = '' AND order_id IS NULL
                   OR prompt = $3 AND prompt_message_id IS NOT DISTINCT FROM $4)
            ORDER BY prompt = '', id DESC LIMIT 1
        )
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        user_id,
        _owner(bot_id, user_id),
        prompt,
        message_id,
        within,
    )
    return None if row is None else _read(row)


async def set_panel(connection: Connection | Pool, draft_id: DraftId, message_id: int) -> None:
    """Which message is the draft's panel now."""
    await connection.execute(
        "UPDATE bot_drafts SET panel_message_id = $2, updated_at = now() WHERE id = $1",
        draft_id,
        message_id,
    )


async def choose(
    connection: Connection | Pool,
    draft_id: DraftId,
    *,
    model_key: str,
    options: Mapping[str, str],
) -> Draft | None:
    """Another model or another value. None: it was ordered meanwhile."""
    row = await connection.fetchrow(
        f"""
        UPDATE bot_drafts SET model_key = $2, options = $3, updated_at = now()
        WHERE id = $1 AND order_id IS NULL
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        draft_id,
        model_key,
        dict(options),
    )
    return None if row is None else _read(row)


async def set_order(
    connection: Connection | Pool, draft_id: DraftId, order_id: UUID, panel_message_id: int
) -> None:
    """It was ordered; its panel shows the order from now on."""
    await connection.execute(
        """
        UPDATE bot_drafts SET order_id = $2, panel_message_id = $3, updated_at = now()
        WHERE id = $1
        """,
        draft_id,
        order_id,
        panel_message_id,
    )


async def forget_drafts(connection: Connection | Pool, *, older_than: timedelta) -> None:
    """What nobody has touched for so long is given up."""
    await connection.execute(
        "DELETE FROM bot_drafts WHERE updated_at < now() - $1::interval", older_than
    )


def _owner(bot_id: int, user_id: int) -> str:
    """What the keys of a person's drafts with a bot begin with."""
    return f"{bot_id}:{user_id}:"


def _read(row: Record) -> Draft:
    values: dict[str, Any] = dict(row.items())
    return Draft(**values)
