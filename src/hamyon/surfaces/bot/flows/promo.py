"""Promo codes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message, Update

from hamyon.kit.db import in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Keyboard
from hamyon.products.images.types import PRODUCT
from hamyon.rewards import service as rewards
from hamyon.rewards.errors import PromoCodeNotApplicable, PromoCodeNotFound, PromoTriesExhausted
from hamyon.rewards.types import Redeemed, Redemption
from hamyon.surfaces.bot.filters import Expecting
from hamyon.surfaces.bot.memory import expect, expect_nothing, remember_choices
from hamyon.surfaces.bot.phrases import amount, wait
from hamyon.surfaces.bot.places import Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Chat, Needs
from hamyon.users.types import User

CODE: Final = "promo_code"
WRONG: Final = "promo_wrong"
"""Among what is remembered of the chat: the message that was counted as a wrong try last."""
CODE_LENGTH_MAX: Final = 64
CODE_WORDS_MAX: Final = 3
"""What is longer is a wish, or anything else, but no code."""
CALLER: Final = "bot"


def create_router() -> Router:
    router = Router(name="promo")
    router.message.register(redeem_typed, Command("promo"))
    router.callback_query.register(ask, going(Place.PROMO))
    router.message.register(redeem_answer, Expecting(CODE), F.text, ~F.text.startswith("/"))
    return router


async def ask(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    await expect(needs, person.id, CODE)
    await show(event, rich_text(language, "people.promo.ask"), [[back(language)]])


async def redeem_typed(
    message: Message,
    command: CommandObject,
    bot: Bot,
    needs: Needs,
    person: User,
    chat: Chat,
    language: Language,
    event_update: Update,
) -> None:
    if command.args:
        key = f"{bot.id}:{event_update.update_id}"
        await _redeem(message, command.args, needs, chat, language, key)
    else:
        await ask(message, needs, person, language)


async def redeem_answer(
    message: Message,
    bot: Bot,
    needs: Needs,
    chat: Chat,
    language: Language,
    event_update: Update,
) -> None:
    key = f"{bot.id}:{event_update.update_id}"
    await _redeem(message, message.text or "", needs, chat, language, key)


async def _redeem(
    message: Message, typed: str, needs: Needs, chat: Chat, language: Language, key: str
) -> None:
    """A refusal leaves the question open, unless no answer would help now.

    A wrong code counts once, also when its message is handled again because the answer was lost.
    """
    if not may_be_code(typed):
        await expect(needs, chat.user_id, CODE)
        await show(message, rich_text(language, "people.promo.no_code"), [[back(language)]])
        return
    outcome: Redeemed | HamyonError = PromoCodeNotFound()
    if chat.choices.get(WRONG) != key:
        outcome = await redeemed(needs, chat.user_id, typed, key)
    if isinstance(outcome, Redeemed):
        await show(message, redeemed_screen(language, outcome), _rows(language))
    else:
        if isinstance(outcome, PromoCodeNotFound):
            await remember_choices(needs, chat.user_id, {WRONG: key})
        await expect(needs, chat.user_id, CODE)
        await show(message, refused_screen(language, outcome), [[back(language)]])
    if isinstance(outcome, Redeemed | PromoTriesExhausted):
        await expect_nothing(needs, chat.user_id)


def may_be_code(typed: str) -> bool:
    """Whether somebody may have meant a code at all."""
    return len(typed.strip()) <= CODE_LENGTH_MAX and len(typed.split()) <= CODE_WORDS_MAX


async def redeemed(needs: Needs, user_id: int, typed: str, key: str) -> Redeemed | HamyonError:
    """Redeem a code for pictures, or for whichever mounted product it is made for."""
    outcome = await _redeem_for(needs, user_id, typed, PRODUCT, key)
    if not isinstance(outcome, PromoCodeNotApplicable):
        return outcome
    wanted = outcome.facts["products"]
    assert isinstance(wanted, list)
    for product in needs.settings.products:
        if product in wanted:
            return await _redeem_for(needs, user_id, typed, product, f"{key}:{product}")
    return outcome


async def _redeem_for(
    needs: Needs, user_id: int, typed: str, product: str, key: str
) -> Redeemed | HamyonError:
    wish = Redemption(user_id, typed, product, CALLER, key)
    return await in_transaction(needs.pool, rewards.redeem, wish, now=needs.clock.now())


# --- screens --------------------------------------------------------------------------------------


def redeemed_screen(language: Language, redeemed: Redeemed) -> str:
    """What the code gave."""
    if redeemed.asset is None or redeemed.amount is None:
        facts: dict[str, object] = {"code": redeemed.code, "percent": redeemed.percent}
        return rich_text(language, "people.promo.percent", facts)
    facts = {
        "code": redeemed.code,
        "amount": amount(language, redeemed.asset, redeemed.amount),
        "balance": amount(language, redeemed.asset, redeemed.balance or 0),
    }
    return rich_text(language, "people.promo.amount", facts)


def refused_screen(language: Language, refusal: HamyonError) -> str:
    """Why not, and when again."""
    if isinstance(refusal, PromoTriesExhausted):
        left = timedelta(seconds=int(str(refusal.facts["retry_after_s"])))
        return rich_text(language, "people.promo.exhausted", {"wait": wait(language, left)})
    sentence = text(language, f"error.{refusal.code}", refusal.facts)
    return rich_text(language, "bot.refusal", {"sentence": sentence})


def _rows(language: Language) -> Keyboard:
    return [[door(language, Place.BALANCE), back(language)]]
