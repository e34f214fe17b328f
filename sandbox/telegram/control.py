"""What only a test does to Telegram, from this machine.

* ``POST /telegram/plant``: ``{token?, transactions: [{id, amount, date, user_id, invoice_payload,
  refunded_at?}]}`` puts payments into a bot's books, as if they had happened, without updates
* ``POST /telegram/refund``: ``{token?, charge_id}`` gives a charge back from Telegram's own side,
  as its support can, with the bot's update
* ``POST /telegram/group``: ``{id, title, is_forum?, topics?, migrated_to?, is_kicked?}`` makes or
  changes a group that every bot can write to, unless they are kicked
* ``GET /telegram/sent_counts``: how many messages each chat got from a bot, deleted ones among
  them (``?token=``; ``?text=`` is what they begin with, as text or caption)
* ``GET /telegram/messages``: what a bot has sent (``?token=``, ``?chat_id=``), and where each
  invoice among it can be paid
* ``POST /telegram/person``: ``{id, first_name?, last_name?, username?, language_code?,
  is_deactivated?, topics?}`` changes who somebody is, for every bot

Without a token they are about the first bot.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, NegativeInt, PositiveInt

from sandbox.control import for_this_machine
from sandbox.telegram.books import AlreadyRefundedError, Planted
from sandbox.telegram.bots import Bot
from sandbox.telegram.chats import Entry
from sandbox.telegram.envelope import json_response
from sandbox.telegram.identity import PersonOrder, change_person
from sandbox.telegram.payments import Payments
from sandbox.telegram.state import Group, State


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str | None = None


class _PlantOrder(_Order):
    transactions: tuple[Planted, ...]


class _RefundOrder(_Order):
    charge_id: str


class _GroupOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: NegativeInt
    title: str = Field(min_length=1, max_length=128)
    is_forum: bool = False
    topics: frozenset[PositiveInt] = frozenset()
    migrated_to: NegativeInt | None = None
    is_kicked: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """The handlers; bad input is answered with its reason (400)."""

    state: State
    payments: Payments

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/telegram/plant", for_this_machine(self.plant))
        app.router.add_post("/telegram/refund", for_this_machine(self.refund))
        app.router.add_post("/telegram/person", for_this_machine(self.person))
        app.router.add_post("/telegram/group", for_this_machine(self.group))
        app.router.add_get("/telegram/sent_counts", for_this_machine(self.sent_counts))
        app.router.add_get("/telegram/messages", for_this_machine(self.messages))

    async def plant(self, request: web.Request) -> web.StreamResponse:
        order = _PlantOrder.model_validate_json(await request.read())
        books = self._bot(order.token).books
        books.plant(order.transactions)
        return json_response({"ok": True, "transactions": len(books.transactions)})

    async def refund(self, request: web.Request) -> web.StreamResponse:
        order = _RefundOrder.model_validate_json(await request.read())
        bot = self._bot(order.token)
        charge = bot.books.charges.get(order.charge_id)
        if charge is None:
            raise ValueError("no such charge")
        try:
            self.payments.refund(bot, charge)
        except AlreadyRefundedError as error:
            raise ValueError("the charge is refunded already") from error
        return json_response({"ok": True})

    async def person(self, request: web.Request) -> web.StreamResponse:
        order = PersonOrder.model_validate_json(await request.read())
        person = change_person(self.state, self.state.person(order.id), order)
        return json_response({"ok": True, "person": person})

    async def group(self, request: web.Request) -> web.StreamResponse:
        order = _GroupOrder.model_validate_json(await request.read())
        group = self.state.groups[order.id] = Group(**order.model_dump())
        return json_response({"ok": True, "chat": group.as_chat()})

    async def sent_counts(self, request: web.Request) -> web.StreamResponse:
        bot = self._bot(request.query.get("token"))
        beginning = request.query.get("text", "")
        counts = {
            str(chat.id): count
            for chat in bot.chats.values()
            if (count := sum(_begins(one, beginning) for one in chat.entries.values()))
        }
        return json_response({"ok": True, "counts": counts})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        bot = self._bot(request.query.get("token"))
        wanted = request.query.get("chat_id")
        sent = [
            {"message": one.message, "page": one.page}
            for one in bot.sent
            if wanted is None or one.chat_id == int(wanted)
        ]
        return json_response({"ok": True, "messages": sent})

    def _bot(self, token: str | None) -> Bot:
        bots = self.state.bots
        bot = next(iter(bots.values())) if token is None else bots.get(token)
        if bot is None:
            raise ValueError("no such bot")
        return bot


def _begins(entry: Entry, beginning: str) -> bool:
    """Whether a message is the bot's and begins like this."""
    if not entry.is_from_bot:
        return False
    if not beginning:
        return True
    text = entry.message.get("text", entry.message.get("caption"))
    return isinstance(text, str) and text.startswith(beginning)
