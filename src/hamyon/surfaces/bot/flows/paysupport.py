"""What to do when a payment is missing. Telegram wants this of every bot that takes Stars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from hamyon.kit.texts import Language, rich_text, text
from hamyon.payments.service import read
from hamyon.payments.types import Gateway, Payment, PaymentState
from hamyon.surfaces.bot.flows.menu import support
from hamyon.surfaces.bot.phrases import day, joined, lines, paragraphs, price, time_of_day
from hamyon.surfaces.bot.places import Place, back, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import User

SHOWN: Final = 3


def create_router() -> Router:
    router = Router(name="paysupport")
    router.message.register(show_payments, Command("paysupport"))
    router.callback_query.register(show_payments, going(Place.PAYSUPPORT))
    return router


async def show_payments(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    payments = await read.of_user(needs.pool, person.id, limit=SHOWN)
    html = payments_screen(language, payments, needs.gateways, needs.settings.zone)
    await show(event, html, [[support(language)], [back(language)]])


# --- screens --------------------------------------------------------------------------------------


def payments_screen(
    language: Language,
    payments: Sequence[Payment],
    gateways: Mapping[str, Gateway],
    zone: ZoneInfo,
) -> str:
    """What to do, and how the newest payments stand."""
    rows = lines([_payment(language, payment, gateways, zone) for payment in payments])
    title = rich_text(language, "people.paysupport.title_payments")
    return paragraphs(
        rich_text(language, "people.paysupport.advice"),
        f"{title}\n{rows}" if rows else rich_text(language, "people.paysupport.nothing"),
    )


def _payment(
    language: Language, payment: Payment, gateways: Mapping[str, Gateway], zone: ZoneInfo
) -> str:
    gateway = gateways.get(payment.gateway)
    scale = gateway.scale if gateway is not None else 0
    when = f"{day(language, payment.created_at, zone)} {time_of_day(payment.created_at, zone)}"
    # An invoice of Stars stays as it was made: Telegram tells of it only when it is paid.
    is_open = payment.state is PaymentState.CREATED and payment.url is not None
    state = PaymentState.PENDING if is_open else payment.state
    label = text(language, f"people.paysupport.label_{state}")
    paid = price(language, payment.currency, payment.amount_minor, scale)
    return joined(when, payment.title, paid, label)
