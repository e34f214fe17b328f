"""Acts: what is asked for, the screen that says what will happen, and doing it once.

A pending act lies in what the bot remembers of the chat, with a key that was made for it. The
button that confirms carries the key: it does that act and no other, and pressed twice it finds the
first answer in the table of idempotency keys, or nothing pending any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message

from hamyon.kit.db import Connection
from hamyon.kit.web.models import AnswerModel
from hamyon.kit.web.permission import Role
from hamyon.messages.types import Button
from hamyon.surfaces.admin.request import once
from hamyon.surfaces.bot.flows.operators.amounts import read_amount
from hamyon.surfaces.bot.flows.operators.desk import Desk, Shown
from hamyon.surfaces.bot.flows.operators.errors import NothingPending
from hamyon.surfaces.bot.memory import expect_nothing
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Chat

AMOUNT: Final = "operators.amount"
REASON: Final = "operators.reason"
CONFIRM: Final = "operators.confirm"
REASON_MAX: Final = 1000


class Ask(StrEnum):
    """What an operator must say before an act: ``signed`` may take, ``part`` may be all."""

    SIGNED = "signed"
    AMOUNT = "amount"
    PART = "part"
    REASON = "reason"


class Whole(CallbackData, prefix="ow"):
    """All of it, in place of an amount."""

    key: str


class Confirm(CallbackData, prefix="oc"):
    """Does the pending act of this key."""

    key: str


class Forget(CallbackData, prefix="of"):
    """Does nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An act on its way. ``amount`` is in minor units; None: not said yet, or ``whole``."""

    act: str
    of: str
    key: str
    amount: int | None = None
    whole: bool = False
    reason: str | None = None

    @property
    def why(self) -> str:
        """The reason of an act that asks for one."""
        assert self.reason is not None
        return self.reason


@dataclass(frozen=True, slots=True)
class Act:
    """``plan`` says in HTML what will happen, or raises what will be refused; ``run`` does it.

    ``scale`` tells how many digits behind the point an amount may have.
    """

    least: Role
    plan: Callable[[Desk, Wish], Awaitable[str]]
    run: Callable[[Desk, Wish], Awaitable[Shown]]
    asks: tuple[Ask, ...] = ()
    scale: Callable[[Desk, Wish], Awaitable[int]] | None = None


Acts: TypeAlias = Mapping[str, Act]


# --- asking ---------------------------------------------------------------------------------------


async def begin(event: Message | CallbackQuery, desk: Desk, acts: Acts, name: str, of: str) -> None:
    """Start an act on something."""
    act = acts.get(name)
    if act is None:
        raise NothingPending
    desk.require(act.least)
    key = secrets.token_urlsafe(12)
    await _go_on(event, desk, act, Wish(name, of, key))


async def take_amount(message: Message, desk: Desk, acts: Acts, chat: Chat) -> None:
    """The text that answers how much."""
    wish = wish_of(chat)
    act = acts[wish.act]
    desk.require(act.least)
    if desk.is_asking(chat):
        await _go_on(message, desk, act, wish)
        return
    scale = await act.scale(desk, wish) if act.scale is not None else 0
    amount = read_amount(message.text or "", scale)
    if amount is None or (amount < 0 and Ask.SIGNED not in act.asks):
        key = "ask.amount_signed" if Ask.SIGNED in act.asks else "ask.amount_plain"
        await show(message, desk.say(key), [[forget(desk)]])
        return
    await _go_on(message, desk, act, replace(wish, amount=amount))


async def take_whole(event: CallbackQuery, desk: Desk, acts: Acts, chat: Chat, key: str) -> None:
    """The button that answers: all of it."""
    if chat.expecting not in {AMOUNT, REASON} or wish_of(chat).key != key:
        raise NothingPending
    wish = wish_of(chat)
    act = acts[wish.act]
    desk.require(act.least)
    if desk.is_asking(chat):
        await _go_on(event, desk, act, wish)
        return
    if chat.expecting != AMOUNT:
        raise NothingPending
    if Ask.PART not in act.asks:
        raise NothingPending
    await _go_on(event, desk, act, replace(wish, whole=True))


async def take_reason(message: Message, desk: Desk, acts: Acts, chat: Chat) -> None:
    """The text that answers why."""
    wish = wish_of(chat)
    act = acts[wish.act]
    desk.require(act.least)
    if desk.is_asking(chat):
        await _go_on(message, desk, act, wish)
        return
    reason = (message.text or "").strip().replace("\x00", "")
    if not 0 < len(reason) <= REASON_MAX:
        hint = desk.say("ask.reason_length", limit=REASON_MAX)
        await show(message, hint, [[forget(desk)]])
        return
    await _go_on(message, desk, act, replace(wish, reason=reason))


async def show_plan_again(message: Message, desk: Desk, acts: Acts, chat: Chat) -> None:
    """The text that led to the plan came again. Any other text has nothing to do with it."""
    if not desk.is_asking(chat):
        raise SkipHandler
    wish = wish_of(chat)
    act = acts[wish.act]
    desk.require(act.least)
    await _go_on(message, desk, act, wish)


async def _go_on(event: Message | CallbackQuery, desk: Desk, act: Act, wish: Wish) -> None:
    """Ask what is not said yet; when all is said, show what will happen."""
    for ask in act.asks:
        if ask is Ask.REASON and wish.reason is None:
            await _ask(event, desk, REASON, wish, desk.say("ask.reason"))
            return
        if ask is not Ask.REASON and wish.amount is None and not wish.whole:
            whole = [_whole(desk, wish)] if ask is Ask.PART else []
            await _ask(event, desk, AMOUNT, wish, desk.say(f"{wish.act}.ask"), *whole)
            return
    plan = await act.plan(desk, wish)
    await _expect(desk, CONFIRM, wish)
    yes = Button(desk.word("button_confirm"), data=Confirm(key=wish.key).pack())
    await show(event, plan, [[yes], [forget(desk)]])


async def _ask(
    event: Message | CallbackQuery, desk: Desk, what: str, wish: Wish, html: str, *more: Button
) -> None:
    await _expect(desk, what, wish)
    await show(event, html, [*([one] for one in more), [forget(desk)]])


async def _expect(desk: Desk, what: str, wish: Wish) -> None:
    await desk.expect(what, {"wish": asdict(wish)})


def _whole(desk: Desk, wish: Wish) -> Button:
    return Button(desk.word("button_whole"), data=Whole(key=wish.key).pack())


def forget(desk: Desk) -> Button:
    """The button that changes one's mind."""
    return Button(desk.word("button_forget"), data=Forget().pack())


def wish_of(chat: Chat) -> Wish:
    """The pending act of a chat."""
    return Wish(**chat.facts["wish"])  # type: ignore[arg-type]  # as ``_expect`` wrote it


# --- doing ----------------------------------------------------------------------------------------


async def confirm(event: CallbackQuery, desk: Desk, acts: Acts, chat: Chat, key: str) -> None:
    """The pressed confirmation."""
    if chat.expecting != CONFIRM or wish_of(chat).key != key:
        raise NothingPending
    wish = wish_of(chat)
    act = acts[wish.act]
    desk.require(act.least)
    done = await act.run(desk, wish)
    await show(event, done.html, done.rows)
    # Last: an update that breaks off before comes again, finds its wish, and the key does the rest.
    await expect_nothing(desk.needs, desk.person.id)


class _Done(AnswerModel):
    """What is remembered of an act; how things stand now is looked up."""

    facts: dict[str, Any]


async def once_only(
    desk: Desk, wish: Wish, effect: Callable[[Connection], Awaitable[object]]
) -> Mapping[str, Any]:
    """Run ``effect`` in the transaction that claims the wish's key; a second time does nothing.

    Returns the first one's facts, when ``effect`` returned any.
    """

    async def use_case(connection: Connection) -> _Done:
        made = await effect(connection)
        return _Done(facts=dict(made) if isinstance(made, Mapping) else {})

    done = await once(
        desk.needs,
        desk.acting,
        wish.key,
        use_case,
        answer=_Done,
        route=f"bot.{wish.act}",
        user_id=0,
        given=tuple(asdict(wish).items()),
    )
    return done.facts
