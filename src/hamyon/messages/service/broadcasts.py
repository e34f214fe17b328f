"""Broadcasts: written, counted, looked at, started, paused, ended. ``pump`` sends them.

Every act locks the broadcast's row first, and an act done twice has one effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import structlog

from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.errors import TooManyRequests
from hamyon.kit.ids import new_id
from hamyon.media import service as media
from hamyon.media.errors import UploadNotFound
from hamyon.media.types import Upload
from hamyon.messages.errors import (
    BroadcastClosed,
    BroadcastNotFound,
    ChannelNotConnected,
    InvalidBroadcast,
    InvalidSegment,
    PreviewFailed,
    PreviewImpossible,
)
from hamyon.messages.service import content as contents
from hamyon.messages.service import segments
from hamyon.messages.service.progress import found
from hamyon.messages.store import broadcasts as store
from hamyon.messages.store import pump as pump_store
from hamyon.messages.types import Needs, Sender, Sent, Target, Wait
from hamyon.messages.types.broadcast import (
    CHANNEL,
    Broadcast,
    BroadcastId,
    BroadcastState,
    Content,
    NewBroadcast,
    Tally,
)
from hamyon.messages.types.segment import Segment
from hamyon.notices.service import tell
from hamyon.notices.types import Notice
from hamyon.users.service.audit import record_act
from hamyon.users.types import Act, Acting, SegmentSource

DUE_WITHIN: Final = timedelta(hours=24)
"""Later than this nobody wants it any more: what was news then may be wrong by now."""
OVERDUE: Final = "its time had passed by more than 24 hours"
FINISHED: Final = "broadcast_finished"
STOPPED: Final = "broadcast_stopped"
SCHEDULE: Final = "schedule"
"""The actor of what happens by the clock."""

Verb: TypeAlias = Literal["pause", "resume", "cancel"]
S = BroadcastState
_MOVES: Final[Mapping[Verb, tuple[frozenset[BroadcastState], BroadcastState]]] = {
    "pause": (frozenset({S.RUNNING}), S.PAUSED),
    "resume": (frozenset({S.PAUSED}), S.RUNNING),
    "cancel": (frozenset({S.DRAFT, S.SCHEDULED, S.RUNNING, S.PAUSED}), S.CANCELED),
}

_log = structlog.get_logger(__name__)


def require_sender(senders: Mapping[str, Sender]) -> Sender:
    """The channel of broadcasts. Raises ChannelNotConnected."""
    sender = senders.get(CHANNEL)
    if sender is None:
        raise ChannelNotConnected
    return sender


# --- writing one ---------------------------------------------------------------------------------


async def create(
    connection: Connection,
    content: Content,
    segment: Segment,
    *,
    paid: bool,
    schedule_at: datetime | None,
    sources: Sequence[SegmentSource],
    acting: Acting,
    now: datetime,
) -> Broadcast:
    """Keep a broadcast: a draft, or with ``schedule_at`` one that starts by itself.

    A time that has passed is refused: what was meant for next year must not go out at once.
    Raises InvalidBroadcast, InvalidSegment and UploadNotFound.
    """
    contents.check(content)
    if schedule_at is not None and schedule_at <= now:
        raise InvalidBroadcast(problem="schedule_at has passed; start it instead")
    recipients = await segments.count(connection, segment, sources)
    uploads = await _kept_uploads(connection, acting.operator.user_id, content.upload_ids)
    files = contents.files_of(content, uploads)
    made = await store.insert(
        connection,
        NewBroadcast(content, segment, paid, schedule_at, files),
        recipients=recipients,
        created_by=acting.actor,
        now=now,
    )
    after = {"state": made.state, "recipients": recipients, "segment": dict(segment.criteria)}
    await record_act(connection, acting.act("broadcast.create", _subject(made), after=after))
    return made


async def _kept_uploads(
    connection: Connection, user_id: int | None, ids: Sequence[UUID]
) -> Sequence[Upload]:
    """The operator's own uploads, which stay from now on; a service's key has none."""
    if not ids:
        return []
    if user_id is None:
        raise UploadNotFound(upload_id=str(ids[0]))
    return await media.keep(connection, user_id, ids)


def _subject(broadcast: Broadcast) -> str:
    return f"broadcast:{broadcast.id}"


# --- acts ----------------------------------------------------------------------------------------


async def preview(pool: Pool, sender: Sender, broadcast_id: BroadcastId, *, acting: Acting) -> int:
    """Send it to the operator himself, and to nobody else. Returns in which chat.

    Raises BroadcastNotFound, BroadcastClosed, PreviewImpossible, PreviewFailed and
    TooManyRequests.
    """
    broadcast = await found(pool, broadcast_id)
    if broadcast.state in {S.COMPLETED, S.CANCELED}:
        raise BroadcastClosed(state=broadcast.state)
    user_id = acting.operator.user_id
    if user_id is None:
        raise PreviewImpossible
    # Written before it is done: what was asked for is an act, whatever Telegram says.
    act = acting.act("broadcast.preview", _subject(broadcast))
    await in_transaction(pool, record_act, act)
    message = contents.message_of(broadcast.content, broadcast.files)
    outcome = await sender.send(Target(user_id), message)
    if isinstance(outcome, Wait):
        raise TooManyRequests(retry_after_s=math.ceil(outcome.retry_after_s))
    if not isinstance(outcome, Sent):
        raise PreviewFailed(problem=str(getattr(outcome, "reason", "the chat has moved")))
    learned = contents.with_refs(broadcast.files, outcome.refs) if broadcast.files else None
    if learned is not None:
        await store.save_refs(pool, broadcast.id, learned)
    return user_id


async def start(
    connection: Connection,
    broadcast_id: BroadcastId,
    *,
    sources: Sequence[SegmentSource],
    acting: Acting,
    now: datetime,
) -> Broadcast:
    """Choose the recipients and let it run; one to nobody is completed at once.

    Raises BroadcastNotFound, BroadcastClosed and InvalidSegment.
    """
    locked = await _locked(connection, broadcast_id)
    if locked.state in {S.RUNNING, S.COMPLETED}:
        return locked
    if locked.state not in {S.DRAFT, S.SCHEDULED}:
        raise BroadcastClosed(state=locked.state)
    started = await _begin(connection, locked, sources, now)
    await _write_down(connection, acting.act("broadcast.start", ""), locked, started)
    return started


async def start_due(needs: Needs) -> None:
    """Start what is due. One that cannot start is left as it is, and holds up no other.

    Without a channel everything waits for it; what has waited too long is canceled.
    """
    if CHANNEL not in needs.senders:
        return
    now = needs.clock.now()
    for broadcast_id in await store.due(needs.pool, now=now):
        try:
            await in_transaction(needs.pool, _start_due, broadcast_id, needs.segment_sources, now)
        except InvalidSegment as refused:
            _log.error("broadcast_not_started", broadcast_id=broadcast_id, **refused.facts)
        except Exception:  # noqa: BLE001 -- whatever it was, the others are due, too
            _log.exception("broadcast_not_started", broadcast_id=broadcast_id)


async def _start_due(
    connection: Connection,
    broadcast_id: BroadcastId,
    sources: Sequence[SegmentSource],
    now: datetime,
) -> None:
    locked = await _locked(connection, broadcast_id)
    if locked.state is not S.SCHEDULED or locked.schedule_at is None:
        return
    if locked.schedule_at < now - DUE_WITHIN:
        await _stop(
            connection, locked, S.CANCELED, Act(SCHEDULE, "broadcast.cancel", ""), OVERDUE, now
        )
        return
    started = await _begin(connection, locked, sources, now)
    await _write_down(connection, Act(SCHEDULE, "broadcast.start", ""), locked, started)


async def move(
    connection: Connection,
    broadcast_id: BroadcastId,
    verb: Verb,
    *,
    acting: Acting,
    now: datetime,
) -> Broadcast:
    """Pause, resume or cancel. What is on its way to somebody just then still arrives.

    Raises BroadcastNotFound and BroadcastClosed.
    """
    locked = await _locked(connection, broadcast_id)
    sources, target = _MOVES[verb]
    if locked.state is target:
        return locked
    if locked.state not in sources:
        raise BroadcastClosed(state=locked.state)
    moved = await store.set_state(connection, broadcast_id, target, now=now)
    await store.keep_tally(connection, broadcast_id)
    await _write_down(connection, acting.act(f"broadcast.{verb}", ""), locked, moved)
    return moved


async def _locked(connection: Connection, broadcast_id: BroadcastId) -> Broadcast:
    broadcast = await store.lock(connection, broadcast_id)
    if broadcast is None:
        raise BroadcastNotFound(broadcast_id=broadcast_id)
    return broadcast


async def _write_down(
    connection: Connection, act: Act, before: Broadcast, after: Broadcast
) -> None:
    told = replace(
        act,
        subject=_subject(after),
        before={"state": before.state},
        after={"state": after.state, "recipients": after.recipients},
    )
    await record_act(connection, told)


async def _begin(
    connection: Connection, locked: Broadcast, sources: Sequence[SegmentSource], now: datetime
) -> Broadcast:
    conditions = segments.conditions_of(locked.segment, sources)
    started = await store.take_snapshot(connection, locked.id, conditions, channel=CHANNEL, now=now)
    return started if started.recipients else await _complete(connection, started, now)


# --- ends ----------------------------------------------------------------------------------------


async def finish(connection: Connection, broadcast_id: BroadcastId, *, now: datetime) -> bool:
    """Complete a running broadcast when nobody is left to be written to; tell operators of it."""
    locked = await _locked(connection, broadcast_id)
    if locked.state is not S.RUNNING or await pump_store.has_open(connection, broadcast_id):
        return False
    await _complete(connection, locked, now)
    return True


async def _complete(connection: Connection, locked: Broadcast, now: datetime) -> Broadcast:
    tally = (await store.tallies(connection, [locked.id]))[locked.id]
    done = await store.set_state(connection, locked.id, S.COMPLETED, now=now)
    await store.keep_tally(connection, locked.id)
    facts = _facts(done, tally, now)
    await tell(connection, Notice(f"{FINISHED}:{done.id}", FINISHED, facts))
    return done


async def stop(
    connection: Connection, broadcast_id: BroadcastId, *, reason: str, now: datetime
) -> None:
    """Pause a broadcast that nobody gets, and tell operators why.

    Those whom it was refused for are to be written to again, when somebody resumes it.
    """
    locked = await _locked(connection, broadcast_id)
    if locked.state is not S.RUNNING:
        return
    await pump_store.take_back(connection, broadcast_id, reason)
    await _stop(connection, locked, S.PAUSED, Act(CHANNEL, "broadcast.pause", ""), reason, now)


async def _stop(
    connection: Connection,
    locked: Broadcast,
    state: BroadcastState,
    act: Act,
    reason: str,
    now: datetime,
) -> None:
    stopped = await store.set_state(connection, locked.id, state, now=now)
    await store.keep_tally(connection, locked.id)
    tally = (await store.tallies(connection, [locked.id]))[locked.id]
    await _write_down(connection, replace(act, reason=reason), locked, stopped)
    facts = _facts(stopped, tally, now) | {"reason": reason}
    # It may be stopped, resumed and stopped again: each time is told.
    await tell(connection, Notice(f"{STOPPED}:{locked.id}:{new_id()}", STOPPED, facts))


def _facts(broadcast: Broadcast, tally: Tally, now: datetime) -> dict[str, object]:
    started_at = broadcast.started_at or now
    return {
        "id": broadcast.id,
        "recipients": broadcast.recipients,
        "sent": tally.sent,
        "blocked": tally.blocked,
        "failed": tally.failed,
        "seconds": max(0, round((now - started_at).total_seconds())),
    }
