"""Orders of pictures in the chat: stopping one, and what comes after it."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from aiogram.utils.callback_answer import CallbackAnswer

from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button
from hamyon.orders.service import decide, read
from hamyon.orders.service.read import OrderView
from hamyon.orders.types import OrderState
from hamyon.products.images.types import PRODUCT
from hamyon.surfaces.bot.pictures import drafts, ended
from hamyon.surfaces.bot.pictures.callbacks import Act, Ended, History, Stop, order_code
from hamyon.surfaces.bot.pictures.lengths import LABEL_MAX, cut
from hamyon.surfaces.bot.pictures.offers import models
from hamyon.surfaces.bot.pictures.panel import Screen
from hamyon.surfaces.bot.pictures.presses import (
    message_of,
    own_order,
    refusals_said,
    say,
    thread_of,
)
from hamyon.surfaces.bot.screens import show as show_screen
from hamyon.surfaces.bot.types import Chat, Needs

HISTORY_LENGTH = 8


def create_router() -> Router:
    router = Router(name="results")
    router.message.register(show_history, Command("history"))
    router.callback_query.register(show_history, History.filter())
    router.callback_query.register(stop, Stop.filter())
    router.callback_query.register(again, Ended.filter(F.act.in_({Act.AGAIN, Act.CHANGE})))
    router.callback_query.register(use_as_reference, Ended.filter(F.act == Act.REFERENCE))
    router.callback_query.register(send, Ended.filter(F.act == Act.SEND))
    return router


async def stop(
    query: CallbackQuery,
    callback_data: Stop,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """Cancel an order that waits. The letter that says so takes the status away."""
    with refusals_said(callback_answer, language):
        await decide.cancel(needs, await own_order(needs, callback_data.order, chat))
        screen = Screen(rich_text(language, "picture.canceling"), [])
        await drafts.put(bot, chat.user_id, message_of(query), screen)


async def again(
    query: CallbackQuery,
    callback_data: Ended,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """A panel with the same wish, values and references, at today's price.

    Nothing is ordered by this press: whoever taps twice has one panel, and has seen the price.
    """
    with refusals_said(callback_answer, language):
        order = await own_order(needs, callback_data.order, chat)
        draft = await ended.reopen(needs, bot, order, key=_button(query, callback_data))
        await drafts.show_below(needs, bot, draft, language, thread_id=thread_of(query.message))


async def use_as_reference(
    query: CallbackQuery,
    callback_data: Ended,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """The pictures go into a new draft, which asks for the wish."""
    with refusals_said(callback_answer, language):
        order = await own_order(needs, callback_data.order, chat)
        key = _button(query, callback_data)
        draft = await ended.as_reference(needs, bot, chat, order, key=key)
        await drafts.show_below(needs, bot, draft, language, thread_id=thread_of(query.message))
        await drafts.ask_for_wish(needs, chat, draft)


def _button(query: CallbackQuery, pressed: Ended) -> str:
    """The button of a message, whatever press of it this is."""
    return f"ended:{pressed.act}:{pressed.order}:{message_of(query)}"


async def show_history(
    event: Message | CallbackQuery, needs: Needs, chat: Chat, language: Language
) -> None:
    """The last pictures, each with a button that brings it again."""
    views = await read.history(
        needs.pool,
        chat.user_id,
        product=PRODUCT,
        states=[OrderState.COMPLETED],
        limit=HISTORY_LENGTH,
    )
    names = {sale.model.key: sale.model.name for sale in await models(needs)}
    rows = [[_earlier(view, names.get(view.order.model_key))] for view in views]
    said = "picture.history" if rows else "picture.history_empty"
    await show_screen(event, rich_text(language, said), rows)


def _earlier(view: OrderView, model: str | None) -> Button:
    order = view.order
    name = cut(model or order.model_key, LABEL_MAX // 3)
    label = cut(f"{name} · {order.input['prompt']}", LABEL_MAX)
    return Button(label, data=Ended(act=Act.SEND, order=order_code(order.id)).pack())


async def send(
    query: CallbackQuery,
    callback_data: Ended,
    needs: Needs,
    bot: Bot,
    chat: Chat,
    language: Language,
    callback_answer: CallbackAnswer,
) -> None:
    """Bring pictures again, out of our storage."""
    key, thread_id = f"again:{bot.id}:{query.id}", thread_of(query.message)
    with refusals_said(callback_answer, language):
        order = await own_order(needs, callback_data.order, chat)
        await ended.send_again(needs, order, thread_id=thread_id, key=key)
        say(callback_answer, text(language, "picture.sending"))
