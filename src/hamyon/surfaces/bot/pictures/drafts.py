"""Drafts between two updates: how one begins, grows with an album, and shows itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import Message, ReplyParameters

from hamyon.kit import store as kit_store
from hamyon.kit.db import transaction
from hamyon.kit.errors import HamyonError
from hamyon.kit.texts import Language, text
from hamyon.messages.types import Edit, Target
from hamyon.surfaces.bot.draft import Draft, NewDraft
from hamyon.surfaces.bot.memory import expect_nothing
from hamyon.surfaces.bot.pictures.offers import offer, usual_model, usual_options
from hamyon.surfaces.bot.pictures.panel import Screen, panel
from hamyon.surfaces.bot.screens import markup
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import Chat, Needs
from hamyon.users.service import people

PANEL_ENTRY: Final = "draft_panel"
"""The queue's entry point that shows an album's panel anew; ``{draft}:{pictures}``."""
ALBUM_PAUSE: Final = timedelta(seconds=1)
"""A burst of an album's photos becomes one edit, and edits are at least that far apart."""


async def begin(
    needs: Needs,
    bot: Bot,
    chat: Chat,
    message: Message,
    *,
    key: str,
    prompt: str,
    upload_ids: Sequence[UUID] = (),
) -> Draft:
    """The draft of a message, with what its person ordered last."""
    new = NewDraft(
        bot_id=bot.id,
        user_id=chat.user_id,
        chat_id=message.chat.id,
        model_key=await usual_model(needs, chat),
        key=key,
        options=usual_options(chat),
        prompt=prompt,
        upload_ids=upload_ids,
        prompt_message_id=message.message_id,
        media_group_id=message.media_group_id,
    )
    return await store.begin(needs.pool, new)


async def begin_unordered(needs: Needs, new: NewDraft) -> Draft:
    """The draft that an act began, however often it is done; behind its order a further one."""
    while True:
        draft = await store.begin(needs.pool, new)
        if draft.order_id is None:
            return draft
        new = replace(new, key=f"after:{draft.id}")


async def join_album(
    needs: Needs, bot: Bot, chat: Chat, message: Message, *, prompt: str, upload_id: UUID
) -> Draft:
    """The draft of the album that a photo belongs to, with this photo in it.

    The album's name is the key: two of its photos that are taken by two processes at once begin
    one draft. What comes after the draft was ordered begins another one, and is not lost.
    """
    key = f"album:{message.media_group_id}"
    while True:
        draft = await begin(
            needs, bot, chat, message, key=key, prompt=prompt, upload_ids=[upload_id]
        )
        joined = await store.add_picture(needs.pool, draft.id, upload_id, prompt)
        if joined is not None or upload_id in draft.upload_ids:
            return joined or draft
        key = f"after:{draft.id}"


async def show(
    needs: Needs, bot: Bot, draft: Draft, language: Language, *, thread_id: int | None
) -> None:
    """The panel under its wish: as a new message, or in place of the one that stands there."""
    if draft.panel_message_id is not None:
        await show_in(needs, bot, draft, draft.panel_message_id, language)
    else:
        screen = panel(language, draft, await offer(needs, draft))
        await send(needs, bot, draft, screen, thread_id=thread_id)


async def show_in(
    needs: Needs,
    bot: Bot,
    draft: Draft,
    message_id: int,
    language: Language,
    *,
    trouble: str | None = None,
) -> None:
    """The panel as it is now in place of what a message said."""
    screen = panel(language, draft, await offer(needs, draft), trouble=trouble)
    await put(bot, draft.chat_id, message_id, screen)


async def show_below(
    needs: Needs, bot: Bot, draft: Draft, language: Language, *, thread_id: int | None
) -> None:
    """The panel under the words that have just been said; the one above them goes."""
    screen = panel(language, draft, await offer(needs, draft))
    above = draft.panel_message_id
    await send(needs, bot, draft, screen, thread_id=thread_id)
    if above is not None:
        await take_away(bot, draft.chat_id, above)


async def show_album(
    needs: Needs,
    bot: Bot,
    draft: Draft,
    message: Message,
    language: Language,
    *,
    thread_id: int | None,
) -> None:
    """The photo that began the draft brings the panel; the others have it shown anew, soon."""
    if draft.prompt_message_id == message.message_id:
        await show(needs, bot, draft, language, thread_id=thread_id)
        current = await store.get(needs.pool, draft.id)
        if current is None or current.upload_ids == draft.upload_ids:
            return
        draft = current
    await follow(needs, draft)


async def send(
    needs: Needs, bot: Bot, draft: Draft, screen: Screen, *, thread_id: int | None
) -> int:
    """A new message for the draft, under its wish. Returns its number."""
    reply = None
    if draft.prompt_message_id is not None:
        reply = ReplyParameters(
            message_id=draft.prompt_message_id, allow_sending_without_reply=True
        )
    sent = await bot.send_message(
        draft.chat_id,
        screen.html,
        reply_markup=markup(screen.rows),
        reply_parameters=reply,
        message_thread_id=thread_id,
    )
    await store.set_panel(needs.pool, draft.id, sent.message_id)
    return sent.message_id


async def put(bot: Bot, chat_id: int, message_id: int, screen: Screen) -> None:
    """A screen in place of what a message said. One that is gone, or says it already, stays so."""
    try:
        await bot.edit_message_text(
            screen.html,
            chat_id=chat_id,
            message_id=message_id,
            reply_markup=markup(screen.rows),
        )
    except TelegramBadRequest as complaint:
        if not _is_harmless(complaint.message):
            raise


async def take_away(bot: Bot, chat_id: int, message_id: int) -> None:
    """A message goes; one that cannot go any more stays."""
    try:
        await bot.delete_message(chat_id, message_id)
    except TelegramBadRequest:
        return


async def ask_for_wish(needs: Needs, chat: Chat, draft: Draft) -> None:
    """A panel without words asks for them, and no question from before gets them instead."""
    if not draft.prompt and chat.expecting is not None:
        await expect_nothing(needs, chat.user_id)


# --- an album's panel follows its photos ----------------------------------------------------------


async def follow(needs: Needs, draft: Draft) -> None:
    """Show the panel anew, soon: the last photo of a burst does it for all of them."""
    async with transaction(needs.pool) as connection:
        await kit_store.add_job(
            connection,
            PANEL_ENTRY,
            f"{draft.id}:{len(draft.upload_ids)}",
            delay=ALBUM_PAUSE,
            dedupe_key=f"{PANEL_ENTRY}:{draft.id}:{len(draft.upload_ids)}",
        )


async def refresh_panel(needs: Needs, payload: str) -> None:
    """The queue's side of ``follow``; an entry that a later photo overtook does nothing."""
    draft_id, _, count = payload.partition(":")
    draft = await store.get(needs.pool, int(draft_id))
    sender = needs.senders.get("telegram")
    if draft is None or draft.panel_message_id is None or sender is None:
        return
    if draft.order_id is not None or len(draft.upload_ids) != int(count):
        return
    person = await people.profile(needs.pool, draft.user_id)
    screen = panel(person.language, draft, await offer(needs, draft))
    edit = Edit(draft.panel_message_id, screen.html, screen.rows)
    await sender.send(Target(draft.chat_id), edit)


def _is_harmless(complaint: str) -> bool:
    return any(
        words in complaint
        for words in ("message is not modified", "message to edit not found", "can't be edited")
    )


def sentence(language: Language, refusal: HamyonError) -> str:
    """A refusal in words."""
    return text(language, f"error.{refusal.code}", refusal.facts)
