"""What operators did, written in the transactions in which they did it."""

from __future__ import annotations

from collections.abc import Sequence

from hamyon.kit.db import Connection, Pool
from hamyon.users.store import operators as store
from hamyon.users.types import Act, RecordedAct


async def record_act(connection: Connection, act: Act) -> None:
    """Write down what an operator did, in the transaction in which he did it."""
    await store.insert_act(connection, act)


async def acts(
    connection: Connection | Pool,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before_id: int | None = None,
    limit: int,
) -> tuple[Sequence[RecordedAct], int | None]:
    """The audit log, newest first, and the id that the next page lies before."""
    found = await store.acts(
        connection,
        actor=actor,
        action=action,
        subject=subject,
        before_id=before_id,
        limit=limit + 1,
    )
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None
