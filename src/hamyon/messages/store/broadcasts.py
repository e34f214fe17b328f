"""Statements about broadcasts and whom they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hamyon.kit.db import Connection, Pool, Record
from hamyon.messages.store.segments import where
from hamyon.messages.types.broadcast import (
    Broadcast,
    BroadcastId,
    BroadcastState,
    Content,
    ContentType,
    LinkButton,
    NewBroadcast,
    RecipientRow,
    RecipientState,
    StoredFile,
    Tally,
)
from hamyon.messages.types.segment import Segment
from hamyon.users.types import Condition

LATELY_S: Final = 10
"""Over so many seconds the pace of a running broadcast is measured."""

_BROADCAST = """id, content, segment, state, paid, schedule_at, recipients, files, created_by,
    created_at, started_at, finished_at, sent, blocked, failed"""


def _broadcast(row: Record) -> Broadcast:
    return Broadcast(
        id=BroadcastId(row["id"]),
        content=_content(row["content"]),
        segment=Segment(row["segment"]),
        state=BroadcastState(row["state"]),
        paid=row["paid"],
        schedule_at=row["schedule_at"],
        recipients=row["recipients"],
        files=[StoredFile(**file) for file in row["files"]],
        created_by=row["created_by"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        kept=_kept_tally(row) if row["sent"] is not None else None,
    )


def _kept_tally(row: Record) -> Tally:
    states = RecipientState.SENT, RecipientState.BLOCKED, RecipientState.FAILED
    return Tally({state: row[state.value] for state in states})


def _content(kept: Mapping[str, Any]) -> Content:
    button = kept["button"]
    return Content(
        type=ContentType(kept["type"]),
        text=kept["text"],
        upload_ids=[UUID(number) for number in kept["upload_ids"]],
        button=LinkButton(**button) if button is not None else None,
    )


async def insert(
    connection: Connection, new: NewBroadcast, *, recipients: int, created_by: str, now: datetime
) -> Broadcast:
    """Keep a broadcast, as a draft or for its hour."""
    content = asdict(new.content)
    row = await connection.fetchrow(
        f"""
        INSERT INTO broadcasts (content, segment, state, paid, schedule_at, recipients, files,
                                created_by, created_at)
        VALUES ($1, $2, CASE WHEN $4::timestamptz IS NULL THEN 'draft' ELSE 'scheduled' END, $3,
                $4, $5, $6, $7, $8)
        RETURNING {_BROADCAST}
        """,  # noqa: S608 -- the columns are ours
        content,
        dict(new.segment.criteria),
        new.paid,
        new.schedule_at,
        recipients,
        [asdict(file) for file in new.files],
        created_by,
        now,
    )
    assert row is not None
    return _broadcast(row)


async def get(connection: Connection | Pool, broadcast_id: BroadcastId) -> Broadcast | None:
    """A broadcast by its number."""
    row = await connection.fetchrow(
        f"SELECT {_BROADCAST} FROM broadcasts WHERE id = $1",  # noqa: S608
        broadcast_id,
    )
    return _broadcast(row) if row is not None else None


async def lock(connection: Connection, broadcast_id: BroadcastId) -> Broadcast | None:
    """A broadcast whose state nobody else changes until this transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_BROADCAST} FROM broadcasts WHERE id = $1 FOR NO KEY UPDATE",  # noqa: S608
        broadcast_id,
    )
    return _broadcast(row) if row is not None else None


async def set_state(
    connection: Connection, broadcast_id: BroadcastId, state: BroadcastState, *, now: datetime
) -> Broadcast:
    """Put a locked broadcast into another state; ends get their time."""
    row = await connection.fetchrow(
        f"""
        UPDATE broadcasts
        SET state = $2,
            finished_at = CASE WHEN $2 IN ('completed', 'canceled') THEN $3::timestamptz END
        WHERE id = $1 RETURNING {_BROADCAST}
        """,  # noqa: S608
        broadcast_id,
        state.value,
        now,
    )
    assert row is not None
    return _broadcast(row)


async def take_snapshot(
    connection: Connection,
    broadcast_id: BroadcastId,
    conditions: Sequence[Condition],
    *,
    channel: str,
    now: datetime,
) -> Broadcast:
    """Write down whom a locked broadcast goes to, and let it run."""
    condition, values = where(conditions, channel=channel, first=2)
    await connection.execute(
        f"""
        INSERT INTO broadcast_recipients (broadcast_id, user_id)
        SELECT $1, u.id FROM users u WHERE {condition}
        """,  # noqa: S608 -- of constants alone
        broadcast_id,
        *values,
    )
    row = await connection.fetchrow(
        f"""
        UPDATE broadcasts
        SET state = 'running', started_at = $2,
            recipients = (SELECT count(*) FROM broadcast_recipients WHERE broadcast_id = $1)
        WHERE id = $1 RETURNING {_BROADCAST}
        """,  # noqa: S608
        broadcast_id,
        now,
    )
    assert row is not None
    return _broadcast(row)


async def page(
    connection: Connection | Pool, *, before_id: int | None, limit: int
) -> Sequence[Broadcast]:
    """Broadcasts, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_BROADCAST} FROM broadcasts WHERE $1::bigint IS NULL OR id < $1
        ORDER BY id DESC LIMIT $2
        """,  # noqa: S608
        before_id,
        limit,
    )
    return [_broadcast(row) for row in rows]


async def tallies(
    connection: Connection | Pool, ids: Sequence[BroadcastId]
) -> Mapping[BroadcastId, Tally]:
    """How far each of several broadcasts is."""
    rows = await connection.fetch(
        """
        SELECT broadcast_id, state, count(*) AS count,
               count(*) FILTER (WHERE sent_at > now() - make_interval(secs => $2)) AS lately
        FROM broadcast_recipients WHERE broadcast_id = ANY ($1) GROUP BY broadcast_id, state
        """,
        list(ids),
        float(LATELY_S),
    )
    states: dict[BroadcastId, dict[RecipientState, int]] = {number: {} for number in ids}
    lately = dict.fromkeys(ids, 0)
    for row in rows:
        number = BroadcastId(row["broadcast_id"])
        states[number][RecipientState(row["state"])] = row["count"]
        lately[number] += row["lately"]
    return {number: Tally(states[number], lately[number]) for number in ids}


async def keep_tally(connection: Connection | Pool, broadcast_id: BroadcastId) -> None:
    """Write down how an ended broadcast ended, unless somebody still has recipients in hand.

    Whoever has them writes it down when his last message has an end.
    """
    await connection.execute(
        """
        UPDATE broadcasts b SET sent = t.sent, blocked = t.blocked, failed = t.failed
        FROM (
            SELECT count(*) FILTER (WHERE state = 'sent') AS sent,
                   count(*) FILTER (WHERE state IN ('blocked', 'deactivated')) AS blocked,
                   count(*) FILTER (WHERE state = 'failed') AS failed,
                   count(*) FILTER (WHERE state = 'sending') AS in_hand
            FROM broadcast_recipients WHERE broadcast_id = $1
        ) t
        WHERE b.id = $1 AND b.state IN ('completed', 'canceled') AND t.in_hand = 0
        """,
        broadcast_id,
    )


async def recipients_page(
    connection: Connection | Pool,
    broadcast_id: BroadcastId,
    *,
    state: RecipientState | None,
    after_id: int,
    limit: int,
) -> Sequence[RecipientRow]:
    """Recipients by their ids; with ``state`` only those who are in it."""
    rows = await connection.fetch(
        """
        SELECT user_id, state, attempts, error, sent_at FROM broadcast_recipients
        WHERE broadcast_id = $1 AND user_id > $2 AND ($3::text IS NULL OR state = $3)
        ORDER BY user_id LIMIT $4
        """,
        broadcast_id,
        after_id,
        state,
        limit,
    )
    return [
        RecipientRow(
            row["user_id"],
            RecipientState(row["state"]),
            row["attempts"],
            row["error"],
            row["sent_at"],
        )
        for row in rows
    ]


async def due(connection: Connection | Pool, *, now: datetime) -> Sequence[BroadcastId]:
    """Broadcasts whose hour has come, in its order."""
    rows = await connection.fetch(
        """
        SELECT id FROM broadcasts WHERE state = 'scheduled' AND schedule_at <= $1
        ORDER BY schedule_at, id
        """,
        now,
    )
    return [BroadcastId(row["id"]) for row in rows]


async def save_refs(
    connection: Connection | Pool, broadcast_id: BroadcastId, files: Sequence[StoredFile]
) -> None:
    """Remember the channel's own ids of the files, so that nobody uploads them again."""
    await connection.execute(
        "UPDATE broadcasts SET files = $2 WHERE id = $1",
        broadcast_id,
        [asdict(file) for file in files],
    )
