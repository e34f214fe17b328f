"""What a person does with an order that has ended: the same again, another way, on from here."""

from __future__ import annotations

from collections.abc import Sequence

from aiogram import Bot

from hamyon.kit.errors import HamyonError, Unavailable
from hamyon.kit.storage import NoSuchFile
from hamyon.kit.texts import Language, rich_text
from hamyon.media.errors import UploadNotFound
from hamyon.messages.types import Outgoing, Sent, Target
from hamyon.orders.service import read
from hamyon.orders.types import Order
from hamyon.surfaces.bot.draft import REFERENCES_MAX, Draft, NewDraft
from hamyon.surfaces.bot.pictures import drafts, status
from hamyon.surfaces.bot.pictures.letters import PictureLetters
from hamyon.surfaces.bot.pictures.ordering import Destination, Ordered, order
from hamyon.surfaces.bot.pictures.panel import Screen
from hamyon.surfaces.bot.pictures.references import keep
from hamyon.surfaces.bot.pictures.results import draft_of, outputs_of
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import Chat, Needs


async def again(
    needs: Needs,
    bot: Bot,
    chat: Chat,
    earlier: Order,
    language: Language,
    *,
    key: str,
    thread_id: int | None,
) -> Ordered:
    """One more order with the same input, at today's price; ``key`` names the press.

    What is refused is raised, and leaves a panel, on which it can be put right.
    """
    draft = await store.begin(needs.pool, draft_of(earlier, key=key))
    message_id = draft.panel_message_id
    if message_id is None:
        starting = Screen(rich_text(language, "picture.starting"), [])
        message_id = await drafts.send(needs, bot, draft, starting, thread_id=thread_id)
    destination = Destination(draft.chat_id, message_id, draft.prompt_message_id, thread_id)
    return await order_and_show(needs, bot, chat, draft, destination, language, shown_amount=None)


async def order_and_show(
    needs: Needs,
    bot: Bot,
    chat: Chat,
    draft: Draft,
    destination: Destination,
    language: Language,
    *,
    shown_amount: int | None,
) -> Ordered:
    """Order, and put the status in the panel's place. Raises what is refused, and keeps the panel
    with the word why."""
    try:
        ordered = await order(needs, chat, draft, destination, shown_amount=shown_amount)
    except Unavailable:
        raise
    except HamyonError as refusal:
        trouble, message_id = drafts.sentence(language, refusal), destination.status_message_id
        await drafts.show_in(needs, bot, draft, message_id, language, trouble=trouble)
        raise
    made = await read.own_order(needs.pool, ordered.id, chat.user_id)
    screen = await status.look(needs, made, language)
    await drafts.put(bot, destination.chat_id, destination.status_message_id, screen)
    return ordered


async def as_reference(needs: Needs, chat: Chat, earlier: Order, *, key: str) -> Draft:
    """The order's pictures become references of a new wish.

    Raises UploadNotFound when they are not kept any more, and what uploading refuses.
    """
    view = await read.view(needs.pool, earlier)
    outputs = outputs_of(view.jobs)[:REFERENCES_MAX]
    try:
        contents = [await needs.storage.get(output.path) for output in outputs]
    except NoSuchFile as gone:
        raise UploadNotFound(upload_id=str(gone)) from gone
    uploads = await keep(needs, chat.user_id, contents)
    like = draft_of(earlier, key=key)
    new = NewDraft(
        user_id=chat.user_id,
        chat_id=like.chat_id,
        model_key=like.model_key,
        key=key,
        options=like.options,
        upload_ids=list(dict.fromkeys(upload.id for upload in uploads)),
        prompt_message_id=like.prompt_message_id,
    )
    return await store.begin(needs.pool, new)


async def send_again(needs: Needs, earlier: Order, language: Language, target: Target) -> bool:
    """The pictures once more, out of our storage. Whether all of them arrived."""
    sender = needs.senders.get("telegram")
    if sender is None:
        return False
    letters = PictureLetters(needs.pool, needs.storage, needs.catalog)
    sent: Sequence[Outgoing] = await letters.again(language, earlier)
    for message in sent:
        if not isinstance(await sender.send(target, message), Sent):
            return False
    return True
