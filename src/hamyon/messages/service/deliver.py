"""Bringing one notice to one person: message after message, each written down when it arrived.

Nothing is lost when the channel is away: the delivery waits, and goes on behind the last message
that is known to have arrived. A message whose arrival was not written down, because the process
died or the answer did not come, is sent again, ``DOUBTS_MAX`` times at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Final, assert_never

import structlog

from hamyon.kit import leases
from hamyon.kit.crash import reach as reach_point
from hamyon.kit.db import Connection, in_transaction, transaction
from hamyon.kit.ids import new_id
from hamyon.messages.kinds import LASTING_FOR, LASTING_KINDS
from hamyon.messages.service import entries, letters, preferences, reach
from hamyon.messages.service.lanes import Lane, Lanes
from hamyon.messages.store import deliveries as store
from hamyon.messages.types import (
    Edit,
    FileMessage,
    Gone,
    Letter,
    Moved,
    Needs,
    Outgoing,
    Refused,
    Removal,
    Sender,
    SendOutcome,
    Sent,
    Target,
    TextMessage,
    Unclear,
    Wait,
)
from hamyon.messages.types.delivery import DeliveryClaim, DeliveryHeld, DeliveryId, DeliveryState
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.users.service import people

TRIED_FOR: Final = timedelta(hours=24)
PAUSE_MAX_S: Final = 60.0
HELD_PAUSE_MAX_S: Final = 30.0
NO_SENDER_PAUSE_S: Final = 60.0
DOUBTS_MAX: Final = 5
"""A message that was sent so often without an answer is taken as arrived: it very probably is there
already, and more than once."""
DOUBT_PAUSE_S: Final = 10.0
DOUBT_PAUSE_FACTOR: Final = 6
"""Each doubt is followed by a pause so many times as long as the last: a channel that hangs for
half an hour is outlived by the doubts that are allowed."""
ERROR_MAX: Final = 500
RECORD_FOR_S: Final = 60.0
SILENT_S: Final = 60.0
SWEEP_LIMIT: Final = 2000

log = structlog.get_logger(__name__)


async def deliver(needs: Needs, lanes: Lanes, delivery_id: DeliveryId, attempt: int) -> None:
    """Make the attempt that follows ``attempt`` earlier ones; safe to run again.

    Nothing that the channel does is raised. A delivery for which there is no room now is queued
    again, and no attempt is counted.
    """
    claim = await store.claim(
        needs.pool,
        delivery_id,
        attempt=attempt,
        lease=new_id(),
        lease_s=needs.settings.worker_lease_s,
    )
    if isinstance(claim, DeliveryHeld):
        delay_s = min(max(claim.for_s, 0.0), HELD_PAUSE_MAX_S) + 0.05
        async with needs.pool.acquire() as connection:
            await entries.again(connection, entries.payload(delivery_id, attempt), delay_s=delay_s)
    elif claim is not None:
        reach_point("deliver.claimed")
        await _take_up(needs, lanes.of(claim.channel), claim)


async def sweep(needs: Needs) -> None:
    """Queue deliveries that are due for long: their entry was lost, or their worker."""
    async with transaction(needs.pool) as connection:
        late = await store.left_behind(connection, silent_s=SILENT_S, limit=SWEEP_LIMIT)
        for delivery_id, attempt in late:
            await entries.add(connection, delivery_id, attempt)
    if late:
        needs.waker.wake()


async def _take_up(needs: Needs, lane: Lane, claim: DeliveryClaim) -> None:
    sender = needs.senders.get(claim.channel)
    if sender is None:
        # Another worker may have it, or this one when somebody has set it up again.
        log.error("no such channel", channel=claim.channel, delivery_id=claim.id)
        await _put_back(needs, claim, delay_s=NO_SENDER_PAUSE_S)
        return
    with lane.enter() as wait_s:
        if wait_s > 0:
            await _put_back(needs, claim, delay_s=wait_s)
            return
        async with _lease_kept(needs, claim):
            await _bring(needs, sender, lane, claim)


async def _bring(needs: Needs, sender: Sender, lane: Lane, claim: DeliveryClaim) -> None:
    written = await notices.read(needs.pool, claim.notice_id)
    assert written is not None, "a delivery's notice is never deleted"
    user = await people.profile(needs.pool, claim.user_id)
    if not await preferences.is_told(needs.pool, written.notice, user):
        await store.end(needs.pool, claim, DeliveryState.MUTED)
        return
    doubt = await reach.doubt(needs.pool, user.id, claim.channel)
    if doubt == "fresh":
        await store.end(needs.pool, claim, DeliveryState.GONE)
        return
    try:
        letter = await letters.compose(needs, written.notice, user)
    except Exception as error:
        # Not only the database: whatever keeps a letter from being written may be mended.
        log.exception("letter not written", kind=written.notice.kind, notice_id=written.id)
        await _later(needs, claim, written.notice, Unclear(repr(error)))
        return
    if letter is None:
        await store.end(needs.pool, claim, DeliveryState.MUTED)
        return
    has_arrived = await _send_rest(needs, sender, lane, claim, written.notice, letter)
    if has_arrived and doubt is not None:
        await in_transaction(needs.pool, reach.note_return, user.id, channel=claim.channel)
        needs.waker.wake()


async def _send_rest(
    needs: Needs, sender: Sender, lane: Lane, claim: DeliveryClaim, notice: Notice, letter: Letter
) -> bool:
    """Send what has not arrived yet. Whether that proves that the person can be reached."""
    target, has_arrived = letter.target, False
    rest = letter.messages[claim.step :]
    if not rest:
        await store.end(needs.pool, claim, DeliveryState.SENT)
    for message in rest:
        wait_s = await lane.turn(_parts(message))
        if wait_s > 0:
            await _put_back(needs, claim, delay_s=wait_s)
            return has_arrived
        target, said = await _send(sender, target, message)
        reach_point("deliver.sent")
        if isinstance(said, Wait) and not said.is_ours:
            lane.keep_quiet(said.retry_after_s)
        outcome = _judged(claim, message, said)
        if not isinstance(outcome, Sent):
            await _not_sent(needs, claim, notice, target, outcome)
            return has_arrived
        is_last = claim.step + 1 == len(letter.messages)
        if not await _recorded(needs, claim, claim.step, outcome.message_ids, is_last=is_last):
            log.warning("lease lost", delivery_id=claim.id)
            return has_arrived
        claim = replace(claim, step=claim.step + 1, doubts=0)
        # What was sent before can be changed even in a chat that takes nothing new.
        is_new = isinstance(message, TextMessage | FileMessage)
        has_arrived = has_arrived or (is_new and isinstance(said, Sent))
    return has_arrived


def _parts(message: Outgoing) -> int:
    """The channel counts every part of an album."""
    return len(message.files) if isinstance(message, FileMessage) else 1


def _judged(claim: DeliveryClaim, message: Outgoing, said: SendOutcome) -> SendOutcome:
    """The outcome to go on with: what must not keep the rest back counts as sent."""
    if isinstance(said, Refused) and isinstance(message, Edit | Removal):
        # What should have changed stays as it is; the news itself comes nevertheless.
        log.warning("change refused", delivery_id=claim.id, reason=said.reason)
        return Sent()
    if isinstance(said, Unclear) and said.is_likely_there and claim.doubts + 1 >= DOUBTS_MAX:
        log.warning(
            "message taken as arrived", delivery_id=claim.id, step=claim.step, reason=said.reason
        )
        return Sent()
    return said


async def _recorded(
    needs: Needs, claim: DeliveryClaim, step: int, message_ids: Sequence[int], *, is_last: bool
) -> bool:
    """Write down that a message arrived, through a short absence of the database: else it would be
    sent again."""
    return await leases.written(
        lambda: store.record_step(needs.pool, claim, step, message_ids, is_last=is_last),
        within_s=RECORD_FOR_S,
    )


async def _send(sender: Sender, target: Target, message: Outgoing) -> tuple[Target, SendOutcome]:
    """Send; a chat that has moved is followed once. It tells its new address every time, so nobody
    needs to remember it."""
    outcome = await sender.send(target, message)
    if isinstance(outcome, Moved):
        target = replace(target, chat_id=outcome.chat_id)
        outcome = await sender.send(target, message)
    return target, outcome


async def _not_sent(
    needs: Needs,
    claim: DeliveryClaim,
    notice: Notice,
    target: Target,
    outcome: Gone | Moved | Wait | Refused | Unclear,
) -> None:
    match outcome:
        case Wait() | Unclear():
            await _later(needs, claim, notice, outcome)
        case Refused():
            log.warning("message refused", delivery_id=claim.id, reason=outcome.reason)
            await _failed(needs, claim, outcome.reason)
        case Moved():
            await _failed(needs, claim, "the chat moves on and on")
        case Gone():
            await in_transaction(needs.pool, _gone, claim, target, outcome)
        case _ as never:
            assert_never(never)


async def _gone(
    connection: Connection, claim: DeliveryClaim, target: Target, outcome: Gone
) -> None:
    kept = await store.end(connection, claim, DeliveryState.GONE, error=outcome.reason)
    # That a group is closed to the bot says nothing of the person.
    if kept and target.chat_id == claim.user_id:
        await reach.note_gone(connection, claim.user_id, outcome.reason, channel=claim.channel)


async def _later(
    needs: Needs, claim: DeliveryClaim, notice: Notice, outcome: Wait | Unclear
) -> None:
    """Try again later, or no more when it has been tried for long enough."""
    error = outcome.reason if isinstance(outcome, Unclear) else "asked to wait"
    tried_for = LASTING_FOR if notice.kind in LASTING_KINDS else TRIED_FOR
    if needs.clock.now() - claim.created_at > tried_for:
        await _failed(needs, claim, error)
        return
    wish_s = outcome.retry_after_s if isinstance(outcome, Wait) else 0.0
    delay_s, doubts = max(wish_s, _pause_s(claim)), claim.doubts
    if isinstance(outcome, Unclear) and outcome.is_likely_there:
        delay_s = max(delay_s, DOUBT_PAUSE_S * DOUBT_PAUSE_FACTOR**doubts)
        doubts += 1

    async def give_back(connection: Connection) -> None:
        if await store.postpone(
            connection, claim, delay_s=delay_s, error=error[:ERROR_MAX], doubts=doubts
        ):
            await entries.add(connection, claim.id, claim.attempts, delay_s=delay_s)

    await in_transaction(needs.pool, give_back)


async def _put_back(needs: Needs, claim: DeliveryClaim, *, delay_s: float) -> None:
    """Leave the attempt to somebody else, or to later."""

    async def put_back(connection: Connection) -> None:
        if await store.put_back(connection, claim, delay_s=delay_s):
            raw = entries.payload(claim.id, claim.attempts - 1)
            await entries.again(connection, raw, delay_s=delay_s)

    await in_transaction(needs.pool, put_back)


async def _failed(needs: Needs, claim: DeliveryClaim, error: str) -> None:
    await store.end(needs.pool, claim, DeliveryState.FAILED, error=error[:ERROR_MAX])


def _pause_s(claim: DeliveryClaim) -> float:
    """Twice as long each time, and not the same for all who wait for the channel's return."""
    pause_s: float = min(2.0 ** min(claim.attempts, 10), PAUSE_MAX_S)
    return pause_s * (1 + claim.id % 32 / 128)


def _lease_kept(needs: Needs, claim: DeliveryClaim) -> AbstractAsyncContextManager[None]:
    """Renews the lease while messages are sent, however slow the channel is."""
    lease_s = needs.settings.worker_lease_s

    async def renew() -> bool:
        return await store.renew_lease(needs.pool, claim, lease_s=lease_s)

    return leases.kept(renew, lease_s=lease_s)
