"""Passing notices on: who must learn of each, and a delivery for every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.crash import reach
from hamyon.kit.db import Connection, in_transaction, transaction
from hamyon.messages.kinds import LASTING_FOR, LASTING_KINDS, kind_of
from hamyon.messages.service import entries, preferences
from hamyon.messages.store import deliveries
from hamyon.messages.types import Needs
from hamyon.notices import service as notices
from hamyon.notices.types import Notice, WrittenNotice
from hamyon.users.service import operators, people

NEWS_FOR: Final = timedelta(days=3)
"""A notice that nobody could pass on for so long is told to nobody: people who get a bot at last
are not flooded with what they know long since. What they wait for lives for ``LASTING_FOR``."""
LEFT_BEHIND_AFTER: Final = timedelta(minutes=1)
BATCH: Final = 200
BATCHES_MAX: Final = 25
"""So many batches at a time: the next minute goes on."""


async def pass_on(needs: Needs, notice_id: int) -> None:
    """Write down who must learn of a notice, and queue the deliveries; safe to run again.

    Without a channel the notice stays in the outbox.
    """
    if not needs.senders:
        return
    await in_transaction(needs.pool, _pass_on, list(needs.senders), notice_id)
    needs.waker.wake()


async def _pass_on(connection: Connection, channels: Sequence[str], notice_id: int) -> None:
    written = await notices.take(connection, notice_id)
    if written is None:
        return
    user_ids = await _recipients(connection, written.notice)
    muted = await preferences.muted(connection, user_ids, kind_of(written.notice).topic)
    for channel in channels:
        for delivery_id in await deliveries.insert(
            connection, notice_id, user_ids, channel, muted=muted
        ):
            await entries.add(connection, delivery_id, 0)
    await notices.passed_on(connection, notice_id)
    reach("notice.passed_on")


async def _recipients(connection: Connection, notice: Notice) -> Sequence[int]:
    """The person, or the operators whose role is high enough; those of them who are not blocked."""
    if notice.user_id is not None:
        able = [notice.user_id]
    else:
        least = kind_of(notice).role
        grants = await operators.role_grants(connection)
        able = [one.user_id for one in grants if one.role >= least]
    return [
        user_id for user_id in able if not (await people.profile(connection, user_id)).is_blocked
    ]


async def sweep(needs: Needs) -> None:
    """Queue what the outbox still holds: a bot was switched on, or an entry was lost."""
    if not needs.senders:
        return
    after_id = 0
    for _ in range(BATCHES_MAX):
        async with transaction(needs.pool) as connection:
            found = await notices.unsent(connection, after_id=after_id, limit=BATCH)
            await _queue(connection, found)
        if len(found) < BATCH:
            break
        after_id = found[-1].id
    needs.waker.wake()


async def _queue(connection: Connection, found: Sequence[WrittenNotice]) -> None:
    now = await kit_store.database_time(connection)
    for written in found:
        age = now - written.created_at
        if age > (LASTING_FOR if written.notice.kind in LASTING_KINDS else NEWS_FOR):
            if await notices.take(connection, written.id) is not None:
                await notices.passed_on(connection, written.id)
        elif age > LEFT_BEHIND_AFTER:
            key = f"{notices.ENTRYPOINT}:{written.id}"
            await kit_store.add_job(connection, notices.ENTRYPOINT, str(written.id), dedupe_key=key)
