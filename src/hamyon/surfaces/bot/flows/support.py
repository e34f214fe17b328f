"""Talking with support: people write until they are done, operators answer and close."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiogram import Bot, F, Router
from aiogram.filters import Command, Filter
from aiogram.types import BufferedInputFile, CallbackQuery, Message, Update

from hamyon.kit.db import in_transaction
from hamyon.kit.storage import NoSuchFile
from hamyon.kit.texts import Language, Markup, rich_text, text
from hamyon.kit.web.permission import Role
from hamyon.messages.service import support
from hamyon.messages.types import Button, Keyboard
from hamyon.messages.types.support import Thread, ThreadId, ThreadMessage, ThreadStatus, Written
from hamyon.surfaces.bot.filters import Expecting, Operates
from hamyon.surfaces.bot.flows.operators.access import guard, least
from hamyon.surfaces.bot.flows.operators.desk import Desk
from hamyon.surfaces.bot.memory import expect, expect_nothing
from hamyon.surfaces.bot.phrases import lines
from hamyon.surfaces.bot.pictures.lengths import cut
from hamyon.surfaces.bot.pictures.references import picture_in, upload
from hamyon.surfaces.bot.places import back
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.support_letters import (
    OfThread,
    Support,
    mark,
    thread_of_mark,
    thread_rows,
)
from hamyon.surfaces.bot.types import Chat, Needs
from hamyon.users.service import people
from hamyon.users.types import User

TALK: Final = "support"
"""What the bot expects while a person's texts and photos go to operators."""
ANSWER: Final = "support.reply"
"""What it expects of an operator; its facts name the ``thread``."""
HISTORY_SHOWN: Final = 5
LINE_MAX: Final = 400
THREADS_SHOWN: Final = 8
PHOTOS_SENT_MAX: Final = 10

TYPED: Final = ~F.text.startswith("/")
"""Whatever is no command."""


def create_router() -> Router:
    router = guard(Router(name="support"))
    messages, presses = router.message, router.callback_query
    messages.register(list_threads, Command("support"), Operates(), flags=least(Role.SUPPORT))
    messages.register(open_talk, Command("support"))
    for to_answer in (ToMark(), Expecting(ANSWER)):
        # Whether he operates is asked last: the texts of plain people cost no query.
        messages.register(answer, F.text, TYPED, to_answer, Operates(), flags=least(Role.SUPPORT))
    messages.register(take, TYPED, Expecting(TALK))
    presses.register(open_talk, Support.filter(F.act == "open"))
    presses.register(done, Support.filter(F.act == "done"))
    presses.register(list_threads, Support.filter(F.act == "list"), flags=least(Role.SUPPORT))
    for act, handler in (
        ("show", show_thread),
        ("photos", show_photos),
        ("reply", ask_reply),
        ("close", ask_close),
        ("close_yes", close),
    ):
        presses.register(handler, OfThread.filter(F.act == act), flags=least(Role.SUPPORT))
    return router


class ToMark(Filter):
    """A reply, in Telegram itself, to a message of the bot about a conversation."""

    async def __call__(self, message: Message, bot: Bot) -> bool | dict[str, object]:
        original = message.reply_to_message
        # Of the bot's own words only the beginning counts, so that nobody's text chooses for us.
        if original is None or original.from_user is None or original.from_user.id != bot.id:
            return False
        thread_id = thread_of_mark(original.text or original.caption or "")
        return {"marked": thread_id} if thread_id is not None else False


# --- people ---------------------------------------------------------------------------------------


async def open_talk(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    await expect(needs, person.id, TALK)
    found = await support.current(needs.pool, person.id, limit=HISTORY_SHOWN)
    if found is None:
        html = rich_text(language, "support.explain")
    else:
        told = [_own_line(language, message) for message in found[1]]
        html = rich_text(language, "support.history", {"lines": Markup(lines(told) or "")})
    await show(event, html, [[_done(language)], [back(language)]])


async def take(
    message: Message,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    event_update: Update,
) -> None:
    """A text or a photo for operators."""
    picture, body = picture_in(message), message.text or message.caption or ""
    if picture is None and message.text is None:
        await show(message, rich_text(language, "support.hint"), [[_done(language)]])
        return
    kept = [await upload(needs, bot, person.id, picture)] if picture is not None else []
    written: Written = await in_transaction(
        needs.pool,
        lambda connection: support.write(
            connection,
            person,
            body=body,
            upload_ids=[one.id for one in kept],
            key=_key(bot, message, event_update),
        ),
    )
    await expect(needs, person.id, TALK)
    if written.is_new or message.media_group_id is None:
        # An album is many messages of Telegram's, and one of ours.
        await show(message, rich_text(language, "support.received"), [[_done(language)]])


async def done(query: CallbackQuery, needs: Needs, person: User, language: Language) -> None:
    await expect_nothing(needs, person.id)
    await show(query, rich_text(language, "support.done"), [[back(language)]])


def _key(bot: Bot, message: Message, update: Update) -> str:
    if message.media_group_id is not None:
        return f"tg:{bot.id}:album:{message.chat.id}:{message.media_group_id}"
    return f"tg:{bot.id}:{update.update_id}"


def _done(language: Language) -> Button:
    return Button(text(language, "support.button_done"), data=Support(act="done").pack())


def _own_line(language: Language, message: ThreadMessage) -> str:
    key = "support.line_you" if message.is_from_person else "support.line_team"
    return rich_text(language, key, {"text": _shown(language, message)})


def _shown(language: Language, message: ThreadMessage) -> str:
    """What a message says, cut, and that it has photos."""
    body = cut(message.body, LINE_MAX)
    if not message.upload_ids:
        return body
    photos = text(language, "support.line_photos", {"count": len(message.upload_ids)})
    return f"{body} {photos}".strip()


# --- operators ------------------------------------------------------------------------------------


async def list_threads(event: Message | CallbackQuery, needs: Needs, language: Language) -> None:
    page = await support.threads(
        needs.pool, statuses=[ThreadStatus.OPEN, ThreadStatus.ANSWERED], limit=THREADS_SHOWN
    )
    rows = [[await _thread_button(needs, language, thread)] for thread in page.threads]
    key = "support.title_list" if rows else "support.none_open"
    own = Button(text(language, "support.button_own"), data=Support(act="open").pack())
    await show(event, rich_text(language, key), [*rows, [own], [back(language)]])


async def _thread_button(needs: Needs, language: Language, thread: Thread) -> Button:
    name = _name(await people.profile(needs.pool, thread.user_id))
    status = text(language, f"support.line_{thread.status}")
    label = cut(f"{thread.id} · {name} · {status}", 60)
    return Button(label, data=OfThread(act="show", thread=thread.id).pack())


async def show_thread(
    query: CallbackQuery, needs: Needs, language: Language, callback_data: OfThread
) -> None:
    thread, messages = await support.thread(
        needs.pool, ThreadId(callback_data.thread), limit=HISTORY_SHOWN
    )
    user = await people.profile(needs.pool, thread.user_id)
    facts = {
        # With the mark, so that it can be replied to in Telegram, too.
        "mark": mark(thread.id),
        "name": _name(user),
        "telegram_id": user.id,
        "status": text(language, f"support.line_{thread.status}"),
        "lines": Markup("\n".join(_line(language, user, one) for one in messages)),
    }
    await show(
        query, rich_text(language, "support.thread", facts), _rows(language, thread, messages)
    )


def _rows(language: Language, thread: Thread, messages: Sequence[ThreadMessage]) -> Keyboard:
    rows = [*(thread_rows(language, thread.id) if thread.status != ThreadStatus.CLOSED else ())]
    if any(message.upload_ids for message in messages):
        data = OfThread(act="photos", thread=thread.id).pack()
        rows.append([Button(text(language, "support.button_photos"), data=data)])
    to_list = Button(text(language, "support.button_list"), data=Support(act="list").pack())
    return [*rows, [to_list]]


def _line(language: Language, user: User, message: ThreadMessage) -> str:
    said = _shown(language, message)
    if message.is_from_person:
        return rich_text(language, "support.line_person", {"name": _name(user), "text": said})
    return rich_text(language, "support.line_operator", {"author": message.author, "text": said})


async def show_photos(
    query: CallbackQuery,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    callback_data: OfThread,
) -> None:
    thread, messages = await support.thread(needs.pool, ThreadId(callback_data.thread))
    wanted = [upload_id for message in messages for upload_id in message.upload_ids]
    found = await support.photos(
        needs.pool, thread, wanted[-PHOTOS_SENT_MAX:], now=needs.clock.now()
    )
    sent = 0
    for one in found:
        with suppress(NoSuchFile):
            content = await needs.storage.get(one.path)
            name = one.path.rpartition("/")[2]
            await bot.send_photo(person.id, BufferedInputFile(content, filename=name))
            sent += 1
    if not sent:
        await bot.send_message(person.id, rich_text(language, "support.no_photos"))


async def ask_reply(
    query: CallbackQuery,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    callback_data: OfThread,
) -> None:
    facts = await _facts(needs, callback_data.thread)
    await expect(needs, person.id, ANSWER, {"thread": callback_data.thread})
    # The person's message stays above, to be read while the answer is written.
    await bot.send_message(person.id, rich_text(language, "support.ask_reply", facts))


async def answer(
    message: Message,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    chat: Chat,
    desk: Desk,
    event_update: Update,
    marked: int | None = None,
) -> None:
    """An operator's words, by the button or as a reply in Telegram."""
    thread_id = marked if marked is not None else int(str(chat.facts["thread"]))
    key = f"tg:{bot.id}:{event_update.update_id}"
    await in_transaction(
        needs.pool,
        lambda connection: support.reply(
            connection, ThreadId(thread_id), text=message.text or "", acting=desk.acting, key=key
        ),
    )
    facts = await _facts(needs, thread_id)
    await show(message, rich_text(language, "support.replied", facts))
    if marked is None:
        # Last: when it could not be said, the same words come again, and the key does the rest.
        await expect_nothing(needs, person.id)


async def ask_close(
    query: CallbackQuery,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    callback_data: OfThread,
) -> None:
    yes = Button(
        text(language, "support.button_close_yes"),
        data=OfThread(act="close_yes", thread=callback_data.thread).pack(),
    )
    no = Button(
        text(language, "support.button_show"),
        data=OfThread(act="show", thread=callback_data.thread).pack(),
    )
    html = rich_text(language, "support.ask_close", await _facts(needs, callback_data.thread))
    await show(query, html, [[yes, no]])


async def close(
    query: CallbackQuery, needs: Needs, language: Language, callback_data: OfThread, desk: Desk
) -> None:
    await in_transaction(
        needs.pool,
        lambda connection: support.close(
            connection, ThreadId(callback_data.thread), reason=None, acting=desk.acting
        ),
    )
    html = rich_text(language, "support.closed", {"thread_id": callback_data.thread})
    to_list = Button(text(language, "support.button_list"), data=Support(act="list").pack())
    await show(query, html, [[to_list]])


async def _facts(needs: Needs, thread_id: int) -> dict[str, object]:
    thread, _ = await support.thread(needs.pool, ThreadId(thread_id), limit=1)
    user = await people.profile(needs.pool, thread.user_id)
    return {"thread_id": thread.id, "name": _name(user), "telegram_id": user.id}


def _name(user: User) -> str:
    return user.first_name or user.username or str(user.id)
