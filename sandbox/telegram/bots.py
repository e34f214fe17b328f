"""Bots: who they are, what waits for them, what they were asked, what they have earned."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.counters import Tally
from sandbox.telegram.books import Books
from sandbox.telegram.chats import Chat
from sandbox.telegram.files import Files
from sandbox.telegram.pace import Pace
from sandbox.telegram.profile import Profile
from sandbox.telegram.settings import BotSettings

SENT_MAX = 10_000
DELAYS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class News:
    """What an update tells. After ``lifetime_s`` a webhook is not tried any more.

    ``kind`` is ``message``, ``pre_checkout_query``...; ``subject`` the person or chat whose
    updates of that kind stay in order; ``about`` is what a fault rule may ask for.
    """

    kind: str
    subject: int
    body: Mapping[str, object]
    about: str
    lifetime_s: float = 86_400.0


@dataclass(slots=True)
class Update:
    """News on its way; it has an ``id`` from when it is queued.

    ``copies`` is how often it is still to be delivered, ``is_forged`` whether the next webhook has
    a wrong secret.
    """

    news: News
    copies: int
    is_forged: bool
    id: int = 0

    def as_json(self) -> dict[str, object]:
        return {"update_id": self.id, self.news.kind: self.news.body}


@dataclass(frozen=True, slots=True)
class Sent:
    """A message from a bot, whose chat it went to, and where its invoice can be paid."""

    message: Mapping[str, object]
    chat_id: int
    page: str | None


@dataclass(slots=True)
class Webhook:
    """Where a bot's updates are sent. ``lanes`` hold what waits, in order, by kind and subject."""

    url: str
    secret: str
    max_connections: int
    slots: asyncio.Semaphore
    lanes: dict[tuple[str, int], deque[Update]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    last_error_at: int = 0
    last_error: str = ""


@dataclass(slots=True)
class BotCounts:
    """What happened to one bot. ``calls`` are those that were handled, by method."""

    calls: Counter[str] = field(default_factory=Counter)
    updates: Counter[str] = field(default_factory=Counter)
    pre_checkout: Counter[str] = field(default_factory=Counter)
    pre_checkout_ms: deque[int] = field(default_factory=lambda: deque(maxlen=DELAYS_MAX))
    webhooks: Counter[str] = field(default_factory=Counter)
    refund_calls: Tally = field(default_factory=Tally)
    refunds: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Bot:
    """One bot. ``poll`` is its open long poll: ended by news, or with the error that ends it."""

    settings: BotSettings
    next_update_id: int
    next_message_id: int = 1
    allowed_updates: frozenset[str] | None = None
    waiting: dict[int, Update] = field(default_factory=dict)
    held: Update | None = None
    poll: asyncio.Future[None] | None = None
    webhook: Webhook | None = None
    books: Books = field(default_factory=Books)
    chats: dict[int, Chat] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    pace: Pace = field(default_factory=Pace)
    profile: Profile = field(default_factory=Profile)
    sent: deque[Sent] = field(default_factory=lambda: deque(maxlen=SENT_MAX))
    counts: BotCounts = field(default_factory=BotCounts)

    @property
    def id(self) -> int:
        return self.settings.id

    def as_user(self) -> dict[str, object]:
        """The bot as its messages tell of it."""
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": self.settings.first_name,
            "username": self.settings.username,
        }

    def chat(self, chat_id: int) -> Chat:
        """What this bot and a chat have in common; empty at first."""
        found = self.chats.get(chat_id)
        if found is None:
            found = self.chats[chat_id] = Chat(chat_id)
        return found

    def take_message_id(self) -> int:
        number = self.next_message_id
        self.next_message_id += 1
        return number

    def wake(self, error: Exception | None = None) -> None:
        """End the open long poll, if there is one: with what waits, or with an error."""
        poll, self.poll = self.poll, None
        if poll is None or poll.done():
            return
        if error is None:
            poll.set_result(None)
        else:
            poll.set_exception(error)

    def report(self, *, brief: bool) -> dict[str, object]:
        """The counters as JSON; ``brief`` leaves single charges and delays out."""
        counts = self.counts
        names = ("queued", "delivered", "lost", "not_allowed", "expired", "dropped")
        report: dict[str, object] = {
            "calls": dict(counts.calls),
            "charges": len(self.books.charges),
            "refunds": sum(counts.refunds.counts.values()) + counts.refunds.overflow,
            "repeated_refunds": counts.refunds.repeated(),
            "repeated_refund_calls": counts.refund_calls.repeated(),
            "star_balance": self.books.stars,
            "updates": {name: counts.updates[name] for name in names}
            | {"waiting": len(self.waiting)},
            "pre_checkout": {
                name: counts.pre_checkout[name]
                for name in ("asked", "ok", "refused", "unanswered", "too_late")
            },
            "webhooks": {
                name: counts.webhooks[name] for name in ("sent", "answered", "failed", "replies")
            },
            "messages": len(self.sent),
            "pace": self.pace.report(),
        }
        if not brief:
            report["refunds_by_charge"] = dict(counts.refunds.counts)
            report["refund_calls_by_charge"] = dict(counts.refund_calls.counts)
            report["pre_checkout_ms"] = list(counts.pre_checkout_ms)
        return report


def open_bots(settings: Sequence[BotSettings], before: Mapping[str, Bot]) -> dict[str, Bot]:
    """Fresh bots by token. Their updates are numbered on from ``before``, as bots rely on it."""
    first = max((bot.next_update_id for bot in before.values()), default=int(time.time()))
    return {one.token: Bot(one, first) for one in settings}
