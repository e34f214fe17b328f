"""Wishes for pictures and their panels. Whatever nobody else wants is a wish."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from aiogram import Bot, F, Router
from aiogram.enums import ContentType
from aiogram.types import CallbackQuery, Message, Update
from aiogram.utils.callback_answer import CallbackAnswer

from hamyon.kit.limits import Denied
from hamyon.kit.texts import Language, rich_text, text
from hamyon.surfaces.bot.draft import Draft
from hamyon.surfaces.bot.flows.topup import show_ways
from hamyon.surfaces.bot.memory import PATIENCE
from hamyon.surfaces.bot.pictures import drafts, ended
from hamyon.surfaces.bot.pictures.callbacks import Choose, Create, Shop, Show, View, meant
from hamyon.surfaces.bot.pictures.offers import offer
from hamyon.surfaces.bot.pictures.ordering import Destination
from hamyon.surfaces.bot.pictures.panel import Screen, models_screen, panel, values_screen
from hamyon.surfaces.bot.pictures.presses import (
    message_of,
    own_draft,
    refusals_said,
    said_of,
    say,
    thread_of,
)
from hamyon.surfaces.bot.pictures.references import picture_in, pictures_of, upload
from hamyon.surfaces.bot.pictures.types import PROMPT_MAX, Offer
from hamyon.surfaces.bot.screens import show as show_screen
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import TOLD_LIMIT, Chat, Needs

WORDS = F.text & ~F.text.startswith("/")
OTHER_THINGS = frozenset(
    {
        ContentType.UNKNOWN,
        ContentType.ANIMATION,
        ContentType.AUDIO,
        ContentType.CHECKLIST,
        ContentType.CONTACT,
        ContentType.DICE,
        ContentType.DOCUMENT,
        ContentType.GAME,
        ContentType.LIVE_PHOTO,
        ContentType.LOCATION,
        ContentType.PAID_MEDIA,
        ContentType.POLL,
        ContentType.STICKER,
        ContentType.STORY,
        ContentType.VENUE,
        ContentType.VIDEO,
        ContentType.VIDEO_NOTE,
        ContentType.VOICE,
    }
)
"""What people send beside words and pictures; what Telegram itself reports is not among them."""


def create_router() -> Router:
    router = Router(name="pictures")
    router.message.register(take_words, WORDS)
    router.message.register(take_album_picture, F.media_group_id, picture_in)
    router.message.register(take_picture, picture_in)
    router.message.register(refuse_thing, F.content_type.in_(OTHER_THINGS))
    router.callback_query.register(turn, Show.filter())
    router.callback_query.register(choose, Choose.filter())
    router.callback_query.register(create, Create.filter())
    router.callback_query.register(show_shop, Shop.filter())
    return router


# --- what people send -----------------------------------------------------------------------------


async def take_words(
    message: Message, needs: Needs, bot: Bot, chat: Chat, language: Language, event_update: Update
) -> None:
    """A wish in words: for the pictures that wait for it, else for a new one.

    A picture that it replies to is its reference.
    """
    prompt = prompt_of(message.text)
    if len(prompt) > PROMPT_MAX:
        await _refuse_length(message, language)
    elif prompt and not await _worded(needs, bot, chat, message, language, prompt):
        await _begin(needs, bot, chat, message, language, event_update, prompt)


async def take_picture(
    message: Message, needs: Needs, bot: Bot, chat: Chat, language: Language, event_update: Update
) -> None:
    """A picture, with its caption as the wish; without one the panel asks for it."""
    prompt = prompt_of(message.caption)
    if len(prompt) > PROMPT_MAX:
        await _refuse_length(message, language)
    else:
        await _begin(needs, bot, chat, message, language, event_update, prompt)


async def take_album_picture(
    message: Message, needs: Needs, bot: Bot, chat: Chat, language: Language
) -> None:
    """Each picture of an album is a message of its own; all of them make one draft.

    A caption that is too long is refused by name, and its pictures wait for a shorter one.
    """
    prompt = prompt_of(message.caption)
    if len(prompt) > PROMPT_MAX:
        await _refuse_length(message, language)
        prompt = ""
    draft: Draft | None = None
    for upload_id in await _uploads(needs, bot, chat, message):
        draft = await drafts.join_album(
            needs, bot, chat, message, prompt=prompt, upload_id=upload_id
        )
    if draft is not None and draft.order_id is None:
        thread_id = thread_of(message)
        await drafts.show_album(needs, bot, draft, message, language, thread_id=thread_id)
        await drafts.ask_for_wish(needs, chat, draft)


async def refuse_thing(message: Message, needs: Needs, language: Language) -> None:
    """Say what can be used; once for an album, whose parts come as messages of their own."""
    if message.media_group_id is not None:
        decision = await needs.limiter.check(TOLD_LIMIT, f"album:{message.media_group_id}")
        if isinstance(decision, Denied):
            return
    await show_screen(message, rich_text(language, "picture.not_a_picture"))


async def _worded(
    needs: Needs, bot: Bot, chat: Chat, message: Message, language: Language, prompt: str
) -> bool:
    """Whether pictures waited for these words: their panel moves below them then."""
    draft = await store.take_words(
        needs.pool,
        bot_id=bot.id,
        user_id=chat.user_id,
        prompt=prompt,
        message_id=message.message_id,
        within=PATIENCE,
    )
    if draft is None:
        return False
    for upload_id in await _uploads(needs, bot, chat, message):
        draft = await store.add_picture(needs.pool, draft.id, upload_id, prompt) or draft
    if draft.order_id is None:
        await drafts.show_below(needs, bot, draft, language, thread_id=thread_of(message))
    return True


async def _begin(
    needs: Needs,
    bot: Bot,
    chat: Chat,
    message: Message,
    language: Language,
    update: Update,
    prompt: str,
) -> None:
    draft = await drafts.begin(
        needs,
        bot,
        chat,
        message,
        key=f"update:{update.update_id}",
        prompt=prompt,
        upload_ids=await _uploads(needs, bot, chat, message),
    )
    if draft.order_id is None:
        await drafts.show(needs, bot, draft, language, thread_id=thread_of(message))
        await drafts.ask_for_wish(needs, chat, draft)


async def _uploads(needs: Needs, bot: Bot, chat: Chat, message: Message) -> Sequence[UUID]:
    """The message's pictures as the person's uploads, each once."""
    kept = [
        (await upload(needs, bot, chat.user_id, picture)).id for picture in pictures_of(message)
    ]
    return list(dict.fromkeys(kept))


async def _refuse_length(message: Message, language: Language) -> None:
    facts = {"limit": PROMPT_MAX}
    await show_screen(message, rich_text(language, "picture.prompt_too_long", facts))


def prompt_of(words: str | None) -> str:
    """The wish in a message's words, as the database can keep it."""
    return (words or "").replace("\x00", "").strip()


# --- the panel's buttons --------------------------------------------------------------------------


async def turn(
    query: CallbackQuery,
    callback_data: Show,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """Another side of the panel."""
    with refusals_said(callback_answer, language):
        draft = await own_draft(needs, callback_data.draft, chat, language, callback_answer)
        if draft is not None:
            screen = side(language, draft, await offer(needs, draft), callback_data)
            await drafts.put(bot, draft.chat_id, message_of(query), screen)


def side(language: Language, draft: Draft, found: Offer, wanted: Show) -> Screen:
    """What a panel shows; what is not offered any more leads to its front."""
    if wanted.view is View.MODELS:
        return models_screen(language, draft, found)
    if wanted.view is View.VALUES and found.sale is not None:
        model = found.sale.model
        name = meant(wanted.option, model.options)
        if name is not None:
            return values_screen(language, draft, model, found.options, name, wanted.page)
    return panel(language, draft, found)


async def choose(
    query: CallbackQuery,
    callback_data: Choose,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """Another model, or another value of an option."""
    with refusals_said(callback_answer, language):
        draft = await own_draft(needs, callback_data.draft, chat, language, callback_answer)
        if draft is None:
            return
        wanted = changed(draft, await offer(needs, draft), callback_data)
        if wanted is None:
            say(callback_answer, text(language, "picture.not_offered"))
        else:
            key, options = wanted
            draft = (
                await store.choose(needs.pool, draft.id, model_key=key, options=options) or draft
            )
        await drafts.show_in(needs, bot, draft, message_of(query), language)


def changed(draft: Draft, found: Offer, wanted: Choose) -> tuple[str, dict[str, str]] | None:
    """The draft's model and values after a choice; None for what is not offered any more."""
    if not wanted.option:
        key = meant(wanted.value, [priced.model.key for priced in found.choices])
        return None if key is None else (key, dict(draft.options))
    if found.sale is None:
        return None
    options = found.sale.model.options
    name = meant(wanted.option, options)
    value = meant(wanted.value, options[name].values) if name is not None else None
    if name is None or value is None:
        return None
    return draft.model_key, {**draft.options, name: value}


async def create(
    query: CallbackQuery,
    callback_data: Create,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """Order what the panel shows, for the price on the button; and show how the order stands."""
    draft = await store.own(needs.pool, callback_data.draft, chat.user_id)
    if draft is None:
        say(callback_answer, text(language, "picture.panel_gone"))
        return
    thread_id = thread_of(query.message)
    destination = Destination(draft.chat_id, message_of(query), draft.prompt_message_id, thread_id)
    with refusals_said(callback_answer, language):
        shown_amount = callback_data.amount
        ordered = await ended.order_and_show(
            needs, bot, chat, draft, destination, language, shown_amount=shown_amount
        )
        say(callback_answer, said_of(language, ordered))


async def show_shop(query: CallbackQuery, needs: Needs, language: Language) -> None:
    """How to get more credits, below the panel: it stays for when they are there."""
    below = query.message if isinstance(query.message, Message) else query
    await show_ways(below, needs, language)
