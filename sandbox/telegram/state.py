"""Everything that the simulated Telegram remembers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import ClientSession

from sandbox.counters import Stats
from sandbox.telegram.bots import Bot, open_bots
from sandbox.telegram.settings import TelegramSettings
from sandbox.telegram.taps import Taps

INVOICES_MAX = 200_000
LATE_MAX = 10_000


@dataclass(slots=True)
class Person:
    """Somebody who talks to bots and pays. ``topics`` are the threads of a private chat with one,
    which are none unless a test says otherwise."""

    id: int
    stars: int
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None
    is_deactivated: bool = False
    topics: frozenset[int] = frozenset()

    def as_user(self) -> dict[str, object]:
        user = {"id": self.id, "is_bot": False} | self._names()
        if self.language_code is not None:
            user["language_code"] = self.language_code
        return user

    def as_chat(self) -> dict[str, object]:
        """The private chat of this person and a bot."""
        return {"id": self.id, **self._names(), "type": "private"}

    def _names(self) -> dict[str, object]:
        names: dict[str, object] = {"first_name": self.first_name or f"Person {self.id}"}
        if self.last_name is not None:
            names["last_name"] = self.last_name
        if self.username is not None:
            names["username"] = self.username
        return names


@dataclass(frozen=True, slots=True)
class Group:
    """A group; its id is negative. One that was ``migrated_to`` a supergroup lives on there."""

    id: int
    title: str
    is_forum: bool = False
    topics: frozenset[int] = frozenset()
    migrated_to: int | None = None
    is_kicked: bool = False

    @property
    def is_supergroup(self) -> bool:
        return self.is_forum or str(self.id).startswith("-100")

    def as_chat(self) -> dict[str, object]:
        chat: dict[str, object] = {
            "id": self.id,
            "title": self.title,
            "type": "supergroup" if self.is_supergroup else "group",
        }
        return chat | {"is_forum": True} if self.is_forum else chat


Peer = Person | Group
"""Whom a bot can write to."""


@dataclass(slots=True)
class Invoice:
    """What may be paid. One that was sent to a chat may be paid once; a link, again and again."""

    slug: str
    bot: Bot
    title: str
    description: str
    payload: str
    amount: int
    chat_id: int | None = None
    paid: bool = False


@dataclass(slots=True)
class Checkout:
    """A payment that waits for its bot; ``answer`` becomes None for yes, or the bot's reason."""

    id: str
    bot: Bot
    asked_at: float
    answer: asyncio.Future[str | None]


@dataclass(slots=True)
class State:
    """``late`` are the ids of checkouts whose answer did not come in time."""

    stats: Stats
    settings: TelegramSettings = field(default_factory=TelegramSettings)
    bots: dict[str, Bot] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    invoices: OrderedDict[str, Invoice] = field(default_factory=OrderedDict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    late: OrderedDict[str, None] = field(default_factory=OrderedDict)
    taps: Taps = field(default_factory=Taps)
    open_session: ClientSession | None = None

    def __post_init__(self) -> None:
        if not self.bots:
            self.bots = open_bots(self.settings.bots, {})

    @property
    def session(self) -> ClientSession:
        """The session of the running application."""
        if self.open_session is None:
            raise RuntimeError("the sandbox is not started")
        return self.open_session

    def person(self, user_id: int) -> Person:
        """Everybody exists, and has Stars from the beginning."""
        found = self.people.get(user_id)
        if found is None:
            found = self.people[user_id] = Person(user_id, self.settings.star_balance)
        return found

    def add_invoice(self, invoice: Invoice) -> None:
        """Remember it; the oldest goes when there are too many."""
        self.invoices[invoice.slug] = invoice
        if len(self.invoices) > INVOICES_MAX:
            self.invoices.popitem(last=False)

    def open_checkout(self, bot: Bot) -> Checkout:
        loop = asyncio.get_running_loop()
        number = str(secrets.randbelow(2**62) + 1)
        checkout = Checkout(number, bot, time.monotonic(), loop.create_future())
        self.checkouts[number] = checkout
        return checkout

    def give_up(self, checkout: Checkout) -> None:
        """Remember that its answer, should it come, is too late."""
        self.late[checkout.id] = None
        if len(self.late) > LATE_MAX:
            self.late.popitem(last=False)
