"""What every button of pictures needs: its message, its draft or order, and the answer to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiogram.types import CallbackQuery, InaccessibleMessage, Message
from aiogram.utils.callback_answer import CallbackAnswer

from hamyon.kit.errors import HamyonError, Unavailable
from hamyon.kit.texts import Language, text
from hamyon.orders.errors import OrderNotFound
from hamyon.orders.service import read
from hamyon.orders.types import Order, OrderId
from hamyon.products.images.types import PRODUCT
from hamyon.surfaces.bot.draft import Draft
from hamyon.surfaces.bot.phrases import amount
from hamyon.surfaces.bot.pictures import drafts
from hamyon.surfaces.bot.pictures.callbacks import order_of_code
from hamyon.surfaces.bot.pictures.lengths import ANSWER_MAX, cut
from hamyon.surfaces.bot.pictures.ordering import Ordered
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import Chat, Needs


def message_of(query: CallbackQuery) -> int:
    """The number of the message whose button was pressed."""
    assert query.message is not None, "buttons of inline messages are not ours"
    return query.message.message_id


def thread_of(message: Message | InaccessibleMessage | None) -> int | None:
    """The topic that a message stands in."""
    if isinstance(message, Message) and message.is_topic_message:
        return message.message_thread_id
    return None


def say(answer: CallbackAnswer, sentence: str, *, alert: bool = False) -> None:
    """What pops up when the handler is done; a press is answered once."""
    answer.text = cut(sentence, ANSWER_MAX)
    answer.show_alert = alert


def said_of(language: Language, ordered: Ordered) -> str:
    """That it was ordered, and for how much."""
    if ordered.is_free:
        return text(language, "picture.ordered_free")
    return text(
        language, "picture.ordered", {"price": amount(language, ordered.asset, ordered.amount)}
    )


async def own_draft(
    needs: Needs, draft_id: int, chat: Chat, language: Language, answer: CallbackAnswer
) -> Draft | None:
    """The person's draft while it can be changed; None when its panel is over, which is said."""
    draft = await store.own(needs.pool, draft_id, chat.user_id)
    if draft is None or draft.order_id is not None:
        say(answer, text(language, "picture.panel_gone"))
        return None
    return draft


async def own_order(needs: Needs, code: str, chat: Chat) -> Order:
    """The person's order of images that a button names. Raises OrderNotFound for any other."""
    order_id = order_of_code(code)
    if order_id is None:
        raise OrderNotFound
    order = await read.own_order(needs.pool, OrderId(order_id), chat.user_id)
    if order.product != PRODUCT:
        raise OrderNotFound
    return order


@contextmanager
def refusals_said(answer: CallbackAnswer, language: Language) -> Iterator[None]:
    """A refusal pops up in the person's words; what is away now goes on up, and comes again."""
    try:
        yield
    except Unavailable:
        raise
    except HamyonError as refusal:
        say(answer, drafts.sentence(language, refusal), alert=True)
