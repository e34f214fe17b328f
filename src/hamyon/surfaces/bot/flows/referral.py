"""Inviting friends."""

from __future__ import annotations

from urllib.parse import urlencode

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from hamyon.kit.money import Asset
from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Referral, ReferralTerms
from hamyon.surfaces.bot.phrases import amount, lines, number, paragraphs
from hamyon.surfaces.bot.places import Place, back, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import User


def create_router() -> Router:
    router = Router(name="referral")
    router.message.register(show_referral, Command("referral"))
    router.callback_query.register(show_referral, going(Place.REFERRAL))
    return router


async def show_referral(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language, bot: Bot
) -> None:
    link = f"https://t.me/{await _username(needs, bot)}?start={person.referral_code}"
    brought = await rewards.referral(needs.pool, person.id)
    terms = ReferralTerms.of(needs.settings)
    html = referral_screen(language, link, brought, terms)
    await show(event, html, referral_rows(language, link))


async def _username(needs: Needs, bot: Bot) -> str:
    """As it is set, or as Telegram says, who is asked once."""
    known = needs.settings.telegram_bot_username or (await bot.me()).username or ""
    return known.removeprefix("@")


# --- screens --------------------------------------------------------------------------------------


def referral_screen(language: Language, link: str, brought: Referral, terms: ReferralTerms) -> str:
    """The link, what it brought, and who counts."""
    counts = {
        "invited": number(language, brought.invited_count),
        "paid": number(language, brought.paid_invited_count),
    }
    earned = [amount(language, asset, much) for asset, much in sorted(brought.earned.items())]
    shown = {"earned": ", ".join(one for one in earned) or amount(language, Asset.CREDIT, 0)}
    return paragraphs(
        rich_text(language, "people.referral.link", {"link": link}),
        rich_text(language, "people.referral.counts", counts | shown),
        lines(_rules(language, terms)),
    )


def _rules(language: Language, terms: ReferralTerms) -> list[str]:
    """The settings in words; what is switched off is not spoken of."""
    rules: list[tuple[bool, str, dict[str, object]]] = [
        (True, "rule_new_people", {}),
        (terms.join_bonus > 0, "rule_join", {"amount": _credits(language, terms.join_bonus)}),
        (
            terms.percent > 0,
            "rule_first_payment" if terms.first_payment_only else "rule_every_payment",
            {"percent": terms.percent},
        ),
        (terms.daily_cap > 0, "rule_cap", {"cap": number(language, terms.daily_cap)}),
        (terms.hold_days > 0, "rule_hold", {"count": terms.hold_days}),
        (terms.percent > 0, "rule_refund", {}),
    ]
    return [
        f"• {rich_text(language, f'people.referral.{key}', facts)}"
        for holds, key, facts in rules
        if holds
    ]


def _credits(language: Language, much: int) -> str:
    return amount(language, Asset.CREDIT, much)


def referral_rows(language: Language, link: str) -> Keyboard:
    """Telegram's own way to choose whom to send the link to."""
    words = text(language, "people.referral.invitation")
    share = f"https://t.me/share/url?{urlencode({'url': link, 'text': words})}"
    return [[Button(text(language, "people.referral.button_share"), url=share)], [back(language)]]
