"""What a person does with an order that has ended: the same again, another way, on from here."""

from __future__ import annotations

from dataclasses import replace

from aiogram import Bot

from hamyon.kit.db import transaction
from hamyon.kit.errors import HamyonError, Unavailable
from hamyon.kit.storage import NoSuchFile
from hamyon.kit.texts import Language
from hamyon.media.errors import UploadNotFound
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders.errors import OrderNotFound
from hamyon.orders.service import read
from hamyon.orders.types import Order, OrderState
from hamyon.products.images.rules import ImagesRules
from hamyon.surfaces.bot.draft import REFERENCES_MAX, Draft
from hamyon.surfaces.bot.pictures import drafts, status
from hamyon.surfaces.bot.pictures.letters import COMPLETED
from hamyon.surfaces.bot.pictures.ordering import Destination, Ordered, order
from hamyon.surfaces.bot.pictures.references import keep
from hamyon.surfaces.bot.pictures.results import draft_of, outputs_of
from hamyon.surfaces.bot.types import Chat, Needs


async def reopen(needs: Needs, bot: Bot, earlier: Order, *, key: str) -> Draft:
    """A draft with the same input, for a panel with today's price; ``key`` names the button.

    A button that is pressed twice has one draft until that is ordered.
    """
    return await drafts.begin_unordered(needs, draft_of(earlier, bot_id=bot.id, key=key))


async def order_and_show(
    needs: Needs,
    bot: Bot,
    chat: Chat,
    draft: Draft,
    destination: Destination,
    language: Language,
    *,
    shown_amount: int,
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


async def as_reference(needs: Needs, bot: Bot, chat: Chat, earlier: Order, *, key: str) -> Draft:
    """The order's pictures become references of a new wish.

    Raises UploadNotFound when they are not kept any more, and what uploading refuses.
    """
    view = await read.view(needs.pool, earlier)
    outputs = outputs_of(view.jobs)[: REFERENCES_MAX + 1]
    try:
        contents = [await needs.storage.get(output.path) for output in outputs]
    except NoSuchFile as gone:
        raise UploadNotFound(upload_id=str(gone)) from gone
    uploads = await keep(needs, chat.user_id, contents)
    kept = list(dict.fromkeys(upload.id for upload in uploads))
    like = draft_of(earlier, bot_id=bot.id, key=key)
    return await drafts.begin_unordered(needs, replace(like, prompt="", upload_ids=kept))


async def send_again(needs: Needs, earlier: Order, *, thread_id: int | None, key: str) -> None:
    """Bring the pictures once more, out of our storage; ``key`` names the press.

    They come as they came the first time: each message is written down when it arrived, so what
    is slow is not sent from the beginning again. Raises OrderNotFound when there are none.
    """
    if earlier.state is not OrderState.COMPLETED:
        raise OrderNotFound
    here = {"chat_id": earlier.user_id, "message_thread_id": thread_id}
    facts = {**ImagesRules().delivery(earlier), "deliver": here}
    async with transaction(needs.pool) as connection:
        await notices.tell(connection, Notice(key, COMPLETED, facts, earlier.user_id))
    needs.waker.wake()
