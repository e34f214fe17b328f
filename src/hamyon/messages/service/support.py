"""Support: people write, operators answer and close. One thread a person is under way at most.

A thread is locked before anything is written into it, so that an answer and a message that cross
come one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.media import service as media
from hamyon.media.types import Upload
from hamyon.messages.errors import (
    SupportTextTooLong,
    SupportThreadClosed,
    SupportThreadNotFound,
    TooManySupportPhotos,
)
from hamyon.messages.store import support as store
from hamyon.messages.types.support import (
    BODY_MAX,
    PERSON,
    PHOTOS_MAX,
    REPLY_MAX,
    Thread,
    ThreadId,
    ThreadMessage,
    ThreadPage,
    ThreadStatus,
    Written,
)
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting, User

EXCERPT_MAX: Final = 500
"""How much of a message operators are told at once; the thread has the whole."""
SHOWN_MAX: Final = 200
"""How many of a thread's messages are shown at most, the newest."""


# --- people ---------------------------------------------------------------------------------------


async def write(
    connection: Connection, user: User, *, body: str, upload_ids: Sequence[UUID], key: str
) -> Written:
    """Keep what a person wrote, in his thread or in a new one, and tell operators. Once a ``key``.

    What comes later under the same key, as the photos of an album do, is put to the message; when
    its thread was closed meanwhile, into a new one. Raises SupportTextTooLong,
    TooManySupportPhotos.
    """
    _check_length(body, BODY_MAX)
    known = await store.message_of_key(connection, key)
    if known is None:
        thread = await store.continue_thread(connection, user.id)
        made = await store.insert_message(
            connection, thread.id, author=PERSON, body=body, upload_ids=(), key=key
        )
        if made is not None:
            message = await _extend(connection, made, _News("", upload_ids))
            await notices.tell(connection, _for_operators(user, message))
            return Written(thread, message, is_new=True)
        known = await store.message_of_key(connection, key)
        assert known is not None, "the key was there a statement ago, and messages are kept"
    thread_of_known = await store.lock_thread(connection, known.thread_id)
    assert thread_of_known is not None
    # Read again behind the lock: another part may have been put to it while we waited.
    known = await store.message_of_key(connection, key)
    assert known is not None
    news = _news(known, body, upload_ids)
    if news and thread_of_known.status is ThreadStatus.CLOSED:
        # Nobody looks into a closed thread. The key goes on from that one, so that what comes
        # twice is found there.
        return await write(
            connection,
            user,
            body=news.body,
            upload_ids=news.upload_ids,
            key=f"{key}:after:{known.thread_id}",
        )
    if news:
        known = await _extend(connection, known, news)
    return Written(thread_of_known, known, is_new=False)


class _News(NamedTuple):
    """What a message does not have yet."""

    body: str
    upload_ids: Sequence[UUID]

    def __bool__(self) -> bool:
        return bool(self.body or self.upload_ids)


def _news(message: ThreadMessage, body: str, upload_ids: Sequence[UUID]) -> _News:
    """The same again is no news. A text counts by its whole lines: one word may be in another."""
    said = body.strip()
    is_known = not said or f"\n{said}\n" in f"\n{message.body.strip()}\n"
    photos = [one for one in dict.fromkeys(upload_ids) if one not in message.upload_ids]
    return _News("" if is_known else said, photos)


async def _extend(connection: Connection, message: ThreadMessage, news: _News) -> ThreadMessage:
    """Put to a message what it does not have yet."""
    photos = list(dict.fromkeys([*message.upload_ids, *news.upload_ids]))
    if len(photos) > PHOTOS_MAX:
        raise TooManySupportPhotos(limit=PHOTOS_MAX)
    whole = f"{message.body}\n{news.body}".strip() if news.body else message.body
    _check_length(whole, BODY_MAX)
    return await store.rewrite_message(connection, message.id, body=whole, upload_ids=photos)


def _for_operators(user: User, message: ThreadMessage) -> Notice:
    facts: dict[str, object] = {
        "thread_id": message.thread_id,
        "telegram_id": user.id,
        "name": user.first_name or user.username or str(user.id),
        "text": message.body[:EXCERPT_MAX],
        "photos": len(message.upload_ids),
    }
    return Notice(f"support_message:{message.id}", "support_message", facts)


async def current(
    connection: Connection | Pool, user_id: int, *, limit: int
) -> tuple[Thread, Sequence[ThreadMessage]] | None:
    """A person's thread that is under way, with its newest messages, oldest of them first."""
    thread = await store.current_thread(connection, user_id)
    if thread is None:
        return None
    return thread, await store.last_messages(connection, thread.id, limit=limit)


# --- operators ------------------------------------------------------------------------------------


async def threads(
    connection: Connection | Pool,
    *,
    statuses: Sequence[ThreadStatus] | None = None,
    after: tuple[datetime, ThreadId] | None = None,
    limit: int,
) -> ThreadPage:
    """Threads, those in which something happened last first."""
    found = await store.threads_page(connection, statuses=statuses, after=after, limit=limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return ThreadPage(shown, (shown[-1].updated_at, shown[-1].id) if more else None)


async def thread(
    connection: Connection | Pool, thread_id: ThreadId, *, limit: int = SHOWN_MAX
) -> tuple[Thread, Sequence[ThreadMessage]]:
    """A thread with its newest messages, oldest of them first. Raises SupportThreadNotFound."""
    found = await store.thread(connection, thread_id)
    if found is None:
        raise SupportThreadNotFound(thread_id=thread_id)
    return found, await store.last_messages(connection, thread_id, limit=limit)


async def photos(
    connection: Connection | Pool, thread: Thread, upload_ids: Sequence[UUID], *, now: datetime
) -> Sequence[Upload]:
    """Those of a thread's pictures that have not expired, in the order of ``upload_ids``."""
    return await media.get_live(connection, thread.user_id, upload_ids, now=now)


async def reply(
    connection: Connection, thread_id: ThreadId, *, text: str, acting: Acting, key: str
) -> Written:
    """Answer a person, once a ``key`` of this operator.

    Raises SupportThreadNotFound, SupportThreadClosed, SupportTextTooLong, and IdempotencyMismatch
    for another answer under the same key.
    """
    _check_length(text, REPLY_MAX)
    before = await _locked(connection, thread_id)
    own_key = f"reply:{acting.actor}:{key}"
    known = await store.message_of_key(connection, own_key)
    if known is not None:
        if (known.thread_id, known.body) != (thread_id, text):
            raise IdempotencyMismatch
        return Written(before, known, is_new=False)
    if before.status is ThreadStatus.CLOSED:
        raise SupportThreadClosed(thread_id=thread_id)
    message = await store.insert_message(
        connection, thread_id, author=acting.actor, body=text, upload_ids=(), key=own_key
    )
    if message is None:  # The same key, at the same moment, in another thread.
        raise IdempotencyMismatch
    after = await store.set_status(connection, thread_id, ThreadStatus.ANSWERED, closed_by=None)
    await record_act(
        connection,
        acting.act(
            "support.reply",
            f"support_thread:{thread_id}",
            before={"status": before.status},
            after={"status": after.status, "message_id": message.id},
        ),
    )
    facts: dict[str, object] = {"thread_id": thread_id, "text": text}
    await notices.tell(
        connection,
        Notice(f"support_reply:{message.id}", "support_reply", facts, before.user_id),
    )
    return Written(after, message, is_new=True)


async def close(
    connection: Connection, thread_id: ThreadId, *, reason: str | None, acting: Acting
) -> Thread:
    """End a thread; what the person writes next opens another. A closed one stays as it is.

    Raises SupportThreadNotFound.
    """
    before = await _locked(connection, thread_id)
    if before.status is ThreadStatus.CLOSED:
        return before
    after = await store.set_status(
        connection, thread_id, ThreadStatus.CLOSED, closed_by=acting.actor
    )
    await record_act(
        connection,
        acting.act(
            "support.close",
            f"support_thread:{thread_id}",
            before={"status": before.status},
            after={"status": after.status},
            reason=reason,
        ),
    )
    facts: dict[str, object] = {"thread_id": thread_id}
    await notices.tell(
        connection, Notice(f"support_closed:{thread_id}", "support_closed", facts, before.user_id)
    )
    return after


async def _locked(connection: Connection, thread_id: ThreadId) -> Thread:
    found = await store.lock_thread(connection, thread_id)
    if found is None:
        raise SupportThreadNotFound(thread_id=thread_id)
    return found


def _check_length(text: str, limit: int) -> None:
    # As Telegram counts: a character outside the basic plane is two.
    if len(text) + sum(character > "\uffff" for character in text) > limit:
        raise SupportTextTooLong(limit=limit)
