"""What happens around every handler: who it is, whether he may come in, and what he is told of
refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, TelegramObject, Update
from aiogram.types import User as Sender
from aiogram.utils.callback_answer import CallbackAnswer, CallbackAnswerMiddleware

from hamyon.kit.db import LOST_DATABASE, Connection, in_transaction
from hamyon.kit.errors import HamyonError, Unavailable
from hamyon.kit.limits import Denied
from hamyon.kit.texts import DEFAULT_LANGUAGE, Language, language_of, rich_text, text
from hamyon.messages.service import reach
from hamyon.surfaces.bot.memory import expect_nothing
from hamyon.surfaces.bot.places import Go, Menu
from hamyon.surfaces.bot.store import chats
from hamyon.surfaces.bot.types import CHAT_LIMIT, PHOTOS_LIMIT, TOLD_LIMIT, Chat, Needs
from hamyon.surfaces.bot.updates import Arrival, arrival_of, person_of
from hamyon.users.errors import UserBlocked, UserNotFound
from hamyon.users.service import people
from hamyon.users.types import Contact, Synced

DOORS: Final = tuple(kind.__prefix__ for kind in (Menu, Go))
"""How the data of buttons begins that lead to the menu and to sections."""

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

log = structlog.get_logger("hamyon.bot")


def install(dispatcher: Dispatcher) -> None:
    """Put them around every update, in their order."""
    dispatcher.update.outer_middleware(Acquaintance())
    dispatcher.callback_query.middleware(LatePresses())
    dispatcher.callback_query.middleware(CallbackAnswerMiddleware())
    for observer in (dispatcher.message, dispatcher.callback_query):
        observer.middleware(Refusals())


class Acquaintance(BaseMiddleware):
    """Gives handlers ``person``, ``language``, ``chat`` and ``synced``.

    Creates whom it meets for the first time, with the referral and the source of his ``/start``.
    Updates of groups, and of anybody who is blocked or too quick, end here.
    """

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        assert isinstance(event, Update)
        needs: Needs = data["needs"]
        inner = event.event
        sender = getattr(inner, "from_user", None)
        if not isinstance(sender, Sender) or sender.is_bot or not _is_private(inner):
            return None
        if isinstance(inner, ChatMemberUpdated):
            # Leaving is no visit; who comes back is met by his next message.
            return await handler(event, data | {"telegram_id": sender.id})
        # Telegram tells of an album photo by photo.
        is_part = getattr(inner, "media_group_id", None) is not None
        limit = PHOTOS_LIMIT if is_part else CHAT_LIMIT
        decision = await needs.limiter.check(limit, str(sender.id))
        if isinstance(decision, Denied):
            return await _slow_down(needs, inner, sender, decision.retry_after_s)
        try:
            synced = await _meet(needs, sender, arrival_of(inner))
        except UserBlocked as refusal:
            return await _tell(inner, await _language(needs, sender), refusal)
        chat = await chats.chat(needs.pool, sender.id, now=needs.clock.now())
        # What is asked at the second try was asked by the first one.
        if chat.expecting is not None and data["is_first"] and _goes_elsewhere(inner):
            chat = await _forget_question(needs, chat)
        known = {
            "person": synced.user,
            "language": synced.user.language,
            "synced": synced,
            "chat": chat,
        }
        return await handler(event, data | known)


class LatePresses(BaseMiddleware):
    """A press that waited too long for its answer had its effect all the same."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        try:
            return await handler(event, data)
        except TelegramBadRequest as complaint:
            if not _is_harmless(complaint.message):
                raise
        return None


class Refusals(BaseMiddleware):
    """A refusal of ours is told in the person's words; Telegram's small complaints are passed by.

    What is away now, ``Unavailable``, goes on up: its update comes again.
    """

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        try:
            return await handler(event, data)
        except Unavailable:
            raise
        except HamyonError as refusal:
            return await _tell(event, data["language"], refusal, data.get("callback_answer"))
        except TelegramForbiddenError:
            # He blocked the bot a moment ago; my_chat_member says so, too.
            log.info("a person is gone", telegram_id=data["person"].id)
        except TelegramBadRequest as complaint:
            if not _is_harmless(complaint.message):
                raise
        return None


async def _meet(needs: Needs, sender: Sender, arrival: Arrival) -> Synced:
    contact = Contact(
        user_id=sender.id,
        username=sender.username,
        first_name=sender.first_name,
        last_name=sender.last_name,
        language_code=sender.language_code,
        referral_code=arrival.referral_code,
        source=arrival.source,
    )

    async def meet(connection: Connection) -> tuple[Synced, int]:
        synced = await people.sync(
            connection,
            contact,
            first_contacts=needs.sign_in.first_contacts,
            now=needs.clock.now(),
        )
        return synced, await reach.note_return(connection, sender.id)

    synced, waiting = await in_transaction(needs.pool, meet)
    if waiting:
        needs.waker.wake()
    return synced


async def _tell(
    event: TelegramObject,
    language: Language,
    refusal: HamyonError,
    answer: CallbackAnswer | None = None,
) -> None:
    """``answer`` is what a press is going to be answered with: Telegram takes one only."""
    sentence = text(language, f"error.{refusal.code}", refusal.facts)
    if answer is not None:
        answer.text, answer.show_alert = sentence[:200], True
    elif isinstance(event, CallbackQuery):
        await event.answer(sentence[:200], show_alert=True)
    elif isinstance(event, Message):
        await event.answer(rich_text(language, "bot.refusal", {"sentence": sentence}))


async def _slow_down(
    needs: Needs, event: TelegramObject, sender: Sender, retry_after_s: float
) -> None:
    """A press is answered, because it waits; of many messages only one now and then is."""
    facts = {"retry_after_s": max(1, round(retry_after_s))}
    sentence = text(await _language(needs, sender), "error.too_many_requests", facts)
    if isinstance(event, CallbackQuery):
        await event.answer(sentence[:200])
    elif isinstance(event, Message):
        decision = await needs.limiter.check(TOLD_LIMIT, str(sender.id))
        if not isinstance(decision, Denied):
            await event.answer(sentence)


async def apologise(needs: Needs, bot: Bot, update: Mapping[str, object]) -> None:
    """Say that something went wrong on our side, if even that can be said."""
    person_id = person_of(update)
    if person_id is None:
        return
    try:
        language = await _chosen(needs, person_id) or DEFAULT_LANGUAGE
        await bot.send_message(person_id, text(language, "error.internal_error"))
    except (TelegramAPIError, *LOST_DATABASE) as error:
        log.warning("an apology did not arrive", error=repr(error))


def _goes_elsewhere(event: TelegramObject) -> bool:
    """Whether somebody who was asked something turned to something else: a command, a section."""
    if isinstance(event, CallbackQuery):
        return (event.data or "").startswith(DOORS)
    return isinstance(event, Message) and (event.text or "").startswith("/")


async def _forget_question(needs: Needs, chat: Chat) -> Chat:
    """Else the next wish would answer a question that the person has long left behind."""
    await expect_nothing(needs, chat.user_id)
    return replace(chat, expecting=None, facts={})


async def _language(needs: Needs, sender: Sender) -> Language:
    """The person's language; of a stranger what Telegram says."""
    chosen = await _chosen(needs, sender.id)
    return chosen or language_of(sender.language_code) or DEFAULT_LANGUAGE


async def _chosen(needs: Needs, user_id: int) -> Language | None:
    try:
        return (await people.profile(needs.pool, user_id)).language
    except UserNotFound:
        return None


def _is_private(event: TelegramObject) -> bool:
    message = event.message if isinstance(event, CallbackQuery) else event
    chat = getattr(message, "chat", None)
    return getattr(chat, "type", None) == "private"


def _is_harmless(complaint: str) -> bool:
    """A second press of the same button, or a press that waited too long for us."""
    return any(
        words in complaint
        for words in ("message is not modified", "query is too old", "message to edit not found")
    )
