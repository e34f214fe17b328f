"""Buying credits and revivals: with Stars, and in packages through every way that is set up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message, Update
from pydantic import Field

from hamyon.catalog.errors import PackageNotFound
from hamyon.catalog.service import packages
from hamyon.catalog.types import Package
from hamyon.kit.money import Asset
from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.payments.service import purchase, stars
from hamyon.payments.service.purchase import Asking, PackageWish
from hamyon.payments.service.stars import Options
from hamyon.payments.types import Gateway, Payment
from hamyon.products.drawings.types import PRODUCT as DRAWINGS
from hamyon.rewards import service as rewards
from hamyon.surfaces.bot.filters import Expecting
from hamyon.surfaces.bot.memory import expect, expect_nothing
from hamyon.surfaces.bot.phrases import STAR, amount, number, paragraphs, price
from hamyon.surfaces.bot.places import Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import User

STARS_AMOUNT: Final = "stars_amount"
CALLER: Final = "bot"
PRODUCT_OF: Final[Mapping[Asset, str]] = {
    Asset.CREDIT: "images",
    Asset.REVIVAL: DRAWINGS,
    Asset.TOKEN: "portraits",
}
"""What each asset is spent on: it is sold where that is mounted."""
BUTTONS_MAX: Final = 30
_NUMBER: Final = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:[ \u00a0\u202f,][0-9]{3}){1,3}")
"""With its thousands apart as the bot itself writes them, in any language."""


class BuyStars(CallbackData, prefix="stars"):
    """An invoice for so many Stars; 0: for a number that the person is asked for."""

    stars: Annotated[int, Field(ge=0)]


class Packages(CallbackData, prefix="packs"):
    """What is for sale of an asset."""

    asset: Asset


class BuyPackage(CallbackData, prefix="pack"):
    """A package by its ``mark``, because its key may be longer than a button's data."""

    mark: Annotated[str, Field(max_length=16)]
    gateway: Annotated[str, Field(max_length=32)]


def create_router() -> Router:
    router = Router(name="topup")
    router.message.register(show_ways, Command("topup"))
    router.callback_query.register(show_ways, going(Place.TOPUP))
    router.callback_query.register(ask_amount, BuyStars.filter(F.stars == 0))
    router.callback_query.register(buy_preset, BuyStars.filter())
    router.message.register(buy_amount, Expecting(STARS_AMOUNT), F.text, ~F.text.startswith("/"))
    router.callback_query.register(show_packages, Packages.filter())
    router.callback_query.register(buy_package, BuyPackage.filter())
    return router


async def show_ways(event: Message | CallbackQuery, needs: Needs, language: Language) -> None:
    options = stars.options(needs)
    assets = await _assets_for_sale(needs)
    html = ways_screen(language, options, is_open=options.enabled or bool(assets))
    await show(event, html, ways_rows(language, options, assets))


async def ask_amount(query: CallbackQuery, needs: Needs, person: User, language: Language) -> None:
    await expect(needs, person.id, STARS_AMOUNT)
    await show(query, asking_screen(language, stars.options(needs)), [[back(language)]])


async def buy_preset(
    query: CallbackQuery,
    bot: Bot,
    callback_data: BuyStars,
    needs: Needs,
    person: User,
    language: Language,
) -> None:
    asking = _asking(bot, "bot.stars", query.id, callback_data.stars)
    payment = await _invoice(needs, person, callback_data.stars, asking)
    await _show_payment(query, needs, payment, language)


async def buy_amount(
    message: Message,
    bot: Bot,
    needs: Needs,
    person: User,
    language: Language,
    event_update: Update,
) -> None:
    options = stars.options(needs)
    wanted = stars_of(message.text or "")
    if wanted is None or not options.min <= wanted <= options.max:
        await show(message, asking_screen(language, options, again=True), [[back(language)]])
        return
    asking = _asking(bot, "bot.stars_typed", str(event_update.update_id), wanted)
    payment = await _invoice(needs, person, wanted, asking)
    await _show_payment(message, needs, payment, language)
    await expect_nothing(needs, person.id)


async def show_packages(
    query: CallbackQuery, callback_data: Packages, needs: Needs, person: User, language: Language
) -> None:
    asset = callback_data.asset
    percent = await _discount(needs, person, asset)
    found = await packages.listed(needs.pool, asset=asset)
    rows = packages_rows(language, found, _gateways(needs), percent)
    await show(query, packages_screen(language, percent, is_empty=len(rows) == 1), rows)


async def buy_package(
    query: CallbackQuery,
    bot: Bot,
    callback_data: BuyPackage,
    needs: Needs,
    person: User,
    language: Language,
) -> None:
    package = await _marked(needs, callback_data.mark)
    is_discounted = await _discount(needs, person, package.asset) is not None
    wish = PackageWish(person.id, package.key, discount_product=DRAWINGS if is_discounted else None)
    asking = _asking(bot, "bot.package", query.id, package.key, callback_data.gateway)
    payment = await purchase.buy_package(needs, callback_data.gateway, wish, asking)
    await _show_payment(query, needs, payment, language)


# --- buying ---------------------------------------------------------------------------------------


def stars_of(said: str) -> int | None:
    """A whole number alone, its thousands apart or not; None for anything else.

    A number in a sentence is none: who writes of a castle 100 years old wishes for a picture.
    """
    if _NUMBER.fullmatch(said.strip()) is None:
        return None
    return int(re.sub(r"\D", "", said))


def mark_of(package_key: str) -> str:
    """A package in a button."""
    return hashlib.sha256(package_key.encode()).hexdigest()[:16]


async def _invoice(needs: Needs, person: User, wanted: int, asking: Asking) -> Payment:
    return await purchase.buy_stars(needs, person.id, wanted, Asset.CREDIT, asking)


def _asking(bot: Bot, route: str, number: str, *given: object) -> Asking:
    """One press, or one message, is one purchase, however often its update comes.

    Telegram counts presses and updates for each bot anew.
    """
    key = f"{bot.id}:{number}"
    return Asking(CALLER, route, key, hashlib.sha256(repr(given).encode()).digest())


async def _marked(needs: Needs, mark: str) -> Package:
    """Raises PackageNotFound when it is not for sale any more."""
    for package in await packages.listed(needs.pool):
        if mark_of(package.key) == mark:
            return package
    raise PackageNotFound(package=mark)


def _gateways(needs: Needs) -> Mapping[str, Gateway]:
    return {
        name: gateway
        for name, gateway in needs.gateways.items()
        if purchase.is_for_sale(needs, gateway)
    }


async def _assets_for_sale(needs: Needs) -> list[Asset]:
    """Assets of mounted products that some package can be bought of now."""
    ways = _gateways(needs).keys()
    found = await packages.listed(needs.pool)
    sold = {one.asset for one in found if ways & one.prices.keys()}
    return [
        asset
        for asset, product in PRODUCT_OF.items()
        if asset in sold and product in needs.settings.products
    ]


async def _discount(needs: Needs, person: User, asset: Asset) -> int | None:
    if asset is not Asset.REVIVAL:
        return None
    discount = await rewards.open_discount(needs.pool, person.id, DRAWINGS)
    return discount.percent if discount is not None else None


async def _show_payment(
    event: Message | CallbackQuery, needs: Needs, payment: Payment, language: Language
) -> None:
    gateway = needs.gateways[payment.gateway]
    rows = payment_rows(language, payment, gateway.scale)
    await show(event, payment_screen(language, payment, gateway.scale), rows)


# --- screens --------------------------------------------------------------------------------------


def ways_screen(language: Language, options: Options, *, is_open: bool) -> str:
    """How one can pay here."""
    title = rich_text(language, "people.topup.title")
    if not is_open:
        return paragraphs(title, rich_text(language, "people.topup.closed"))
    if not options.enabled:
        return paragraphs(title, rich_text(language, "people.topup.choose"))
    facts = {
        "stars": number(language, options.rate.stars),
        "credits": amount(language, Asset.CREDIT, options.rate.credits),
    }
    rate = rich_text(language, "people.topup.rate", facts)
    return paragraphs(title, rate, rich_text(language, "people.topup.choose"))


def ways_rows(language: Language, options: Options, assets: Sequence[Asset]) -> Keyboard:
    """Stars two in a row, then packages, then codes."""
    presets = [
        Button(
            f"{number(language, one.stars)} {STAR} → {number(language, one.credits)}",
            data=BuyStars(stars=one.stars).pack(),
        )
        for one in (options.presets[:BUTTONS_MAX] if options.enabled else ())
    ]
    rows = [presets[at : at + 2] for at in range(0, len(presets), 2)]
    if options.enabled:
        other = text(language, "people.topup.button_other")
        rows.append([Button(other, data=BuyStars(stars=0).pack())])
    rows += [
        [
            Button(
                text(language, f"people.topup.button_packages_{asset}"),
                data=Packages(asset=asset).pack(),
            )
        ]
        for asset in assets
    ]
    return [*rows, [door(language, Place.PROMO), back(language)]]


def asking_screen(language: Language, options: Options, *, again: bool = False) -> str:
    """How many Stars?"""
    facts = {"least": number(language, options.min), "most": number(language, options.max)}
    return rich_text(language, f"people.topup.{'ask_again' if again else 'ask'}", facts)


def packages_screen(language: Language, percent: int | None, *, is_empty: bool) -> str:
    """What the buttons below are, and the discount in their prices."""
    if is_empty:
        return rich_text(language, "people.topup.nothing_for_sale")
    discount = None
    if percent is not None:
        discount = rich_text(language, "people.topup.discount", {"percent": percent})
    return paragraphs(rich_text(language, "people.topup.packages"), discount)


def packages_rows(
    language: Language,
    found: Sequence[Package],
    gateways: Mapping[str, Gateway],
    percent: int | None,
) -> Keyboard:
    """A button for each package and way to pay."""
    buttons = [
        Button(
            f"{_content(language, package)} — {_price(language, gateways[name], minor, percent)}",
            data=BuyPackage(mark=mark_of(package.key), gateway=name).pack(),
        )
        for package in found
        for name, minor in sorted(package.prices.items())
        if name in gateways
    ]
    ways_back = [door(language, Place.TOPUP), back(language)]
    return [*([button] for button in buttons[:BUTTONS_MAX]), ways_back]


def _content(language: Language, package: Package) -> str:
    title = package.title(language)
    return f"{title} + {number(language, package.bonus)}" if package.bonus else title


def _price(language: Language, gateway: Gateway, minor: int, percent: int | None) -> str:
    if percent is not None:
        minor = purchase.discounted(minor, percent)
    return price(language, gateway.currency, minor, gateway.scale)


def payment_screen(language: Language, payment: Payment, scale: int) -> str:
    """What is bought and what it costs; it arrives by itself when it was paid."""
    facts = {
        "title": payment.title,
        "amount": amount(language, payment.asset, payment.amount),
        "price": price(language, payment.currency, payment.amount_minor, scale),
    }
    return rich_text(language, "people.topup.payment", facts)


def payment_rows(language: Language, payment: Payment, scale: int) -> Keyboard:
    """The way to the vendor's page, or to Telegram's own for Stars."""
    facts = {"price": price(language, payment.currency, payment.amount_minor, scale)}
    assert payment.url is not None, "a purchase that was opened has a place to pay"
    pay = Button(text(language, "people.topup.button_pay", facts), url=payment.url)
    return [[pay], [door(language, Place.TOPUP), back(language)]]
