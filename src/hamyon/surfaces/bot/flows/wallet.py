"""What somebody has, and how it came and went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from aiogram import Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message
from pydantic import Field

from hamyon.kit.money import Asset
from hamyon.kit.texts import Language, rich_text, text
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Balance, LedgerLine
from hamyon.messages.types import Button, Keyboard
from hamyon.surfaces.bot.phrases import amount, change, day, joined, lines, paragraphs, time_of_day
from hamyon.surfaces.bot.places import Place, back, door, going
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Needs
from hamyon.users.types import User

RECENT: Final = 5
PAGE: Final = 10


class History(CallbackData, prefix="led"):
    """A page of a wallet's lines: those before ``before``; 0: the newest."""

    asset: Asset
    before: Annotated[int, Field(ge=0)] = 0


def create_router() -> Router:
    router = Router(name="wallet")
    router.message.register(show_balance, Command("balance"))
    router.callback_query.register(show_balance, going(Place.BALANCE))
    router.callback_query.register(show_history, History.filter())
    return router


async def show_balance(
    event: Message | CallbackQuery, needs: Needs, person: User, language: Language
) -> None:
    wallets = _with_credits(await ledger.balances(needs.pool, person.id))
    debts = await ledger.debts(needs.pool, person.id)
    recent = await ledger.recent(needs.pool, person.id, limit=RECENT)
    html = balance_screen(language, wallets, debts, recent, needs.settings.zone)
    await show(event, html, balance_rows(language, wallets))


async def show_history(
    query: CallbackQuery, callback_data: History, needs: Needs, person: User, language: Language
) -> None:
    asset, before = callback_data.asset, callback_data.before or None
    found = await ledger.history(needs.pool, person.id, asset, before_id=before, limit=PAGE + 1)
    page = found[:PAGE]
    older = page[-1].id if len(found) > PAGE else None
    html = history_screen(language, asset, page, needs.settings.zone)
    await show(query, html, history_rows(language, callback_data, older))


def _with_credits(wallets: Sequence[Balance]) -> list[Balance]:
    """Credits are shown first, and also to somebody who never had any."""
    first = [one for one in wallets if one.asset == Asset.CREDIT]
    others = [one for one in wallets if one.asset != Asset.CREDIT]
    return [*(first or [Balance(Asset.CREDIT, 0, 0)]), *others]


# --- screens --------------------------------------------------------------------------------------


def balance_screen(
    language: Language,
    wallets: Sequence[Balance],
    debts: Sequence[Balance],
    recent: Sequence[tuple[str, LedgerLine]],
    zone: ZoneInfo,
) -> str:
    """What can be spent, what is set aside or owed, and what happened last."""
    moved = lines([_line(language, asset, line, zone) for asset, line in recent])
    title = rich_text(language, "people.wallet.title_recent")
    return paragraphs(
        rich_text(language, "people.wallet.title_balance"),
        lines([_wallet(language, wallet) for wallet in wallets]),
        lines([_debt(language, debt) for debt in debts]),
        f"{title}\n{moved}" if moved else rich_text(language, "people.wallet.empty"),
    )


def _wallet(language: Language, wallet: Balance) -> str:
    facts = {
        "available": amount(language, wallet.asset, wallet.available),
        "held": amount(language, wallet.asset, wallet.held),
    }
    key = "line_with_held" if wallet.held else "line_available"
    return rich_text(language, f"people.wallet.{key}", facts)


def _debt(language: Language, debt: Balance) -> str:
    facts = {"debt": amount(language, debt.asset, -debt.posted)}
    return rich_text(language, "people.wallet.line_debt", facts)


def _line(language: Language, asset: str, line: LedgerLine, zone: ZoneInfo) -> str:
    when = f"{day(language, line.created_at, zone)} {time_of_day(line.created_at, zone)}"
    return joined(change(language, asset, line.amount), text(language, f"ledger.{line.kind}"), when)


def balance_rows(language: Language, wallets: Sequence[Balance]) -> Keyboard:
    """To each wallet's history, and to more."""
    histories = [
        Button(
            text(language, f"people.wallet.button_history_{wallet.asset.lower()}"),
            data=History(asset=Asset(wallet.asset)).pack(),
        )
        for wallet in wallets
    ]
    return [
        [door(language, Place.TOPUP), door(language, Place.PROMO)],
        *(histories[at : at + 2] for at in range(0, len(histories), 2)),
        [back(language)],
    ]


def history_screen(
    language: Language, asset: str, page: Sequence[LedgerLine], zone: ZoneInfo
) -> str:
    """A page of a wallet's lines, newest first."""
    return paragraphs(
        rich_text(language, f"people.wallet.title_history_{asset.lower()}"),
        lines([_line(language, asset, line, zone) for line in page])
        or rich_text(language, "people.wallet.empty"),
    )


def history_rows(language: Language, page: History, older: int | None) -> Keyboard:
    """Back to the newest lines, and on to the ones before."""
    turns = []
    if page.before:
        newest = History(asset=page.asset).pack()
        turns.append(Button(text(language, "people.wallet.button_newest"), data=newest))
    if older is not None:
        before = History(asset=page.asset, before=older).pack()
        turns.append(Button(text(language, "people.wallet.button_older"), data=before))
    return [*([turns] if turns else []), [door(language, Place.BALANCE), back(language)]]
