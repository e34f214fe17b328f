"""People: finding one, his card, giving and taking credits, blocking."""

from __future__ import annotations

from typing import Final

from hamyon.kit.money import Asset
from hamyon.kit.texts import Markup
from hamyon.kit.web.permission import Role
from hamyon.ledger import service as ledger
from hamyon.ledger.errors import InsufficientFunds
from hamyon.messages.types import Button
from hamyon.surfaces.admin.credits import CreditsRequest, adjust_credits
from hamyon.surfaces.admin.people import PersonOverview, show_user
from hamyon.surfaces.bot.flows.operators.acts import Act, Ask, Wish, once_only
from hamyon.surfaces.bot.flows.operators.desk import (
    LIST_MAX,
    WORDS_MAX,
    Desk,
    Screen,
    Shown,
    name_of,
    rows_of,
)
from hamyon.surfaces.bot.phrases import amount, day, number, paragraphs
from hamyon.surfaces.bot.pictures.lengths import cut
from hamyon.users.service import people
from hamyon.users.types import User

FIND: Final = "operators.find"
"""The next text says who is looked for."""


# --- looking --------------------------------------------------------------------------------------


async def newest(desk: Desk, of: str) -> Shown:
    """The newest people, and the question for another one."""
    await desk.expect(FIND)
    return await _found(desk, None, "users.ask")


async def find(desk: Desk, typed: str) -> Shown:
    """Whoever fits what an operator typed; he may type again."""
    await desk.expect(FIND)
    return await _found(desk, typed[:200].replace("\x00", ""), "users.found")


async def _found(desk: Desk, query: str | None, key: str) -> Shown:
    page = await people.search(
        desk.needs.pool, query=query, status=None, after=None, limit=LIST_MAX
    )
    if not page.users:
        return Shown(desk.say("users.nobody"), [[desk.back()]])
    buttons = [[_button(desk, user)] for user in page.users]
    more = desk.say("users.more") if page.next_after is not None else None
    return Shown(paragraphs(desk.say(key), more), [*buttons, [desk.back()]])


def _button(desk: Desk, user: User) -> Button:
    blocked = "⛔ " if user.is_blocked else ""
    return desk.see(f"{blocked}{name_of(user)} · {user.id}", "user", user.id)


async def card(desk: Desk, of: str) -> Shown:
    """One person with what operators do about him."""
    overview = await show_user(int(of), desk.needs, recent=LIST_MAX)
    user = await people.profile(desk.needs.pool, int(of))
    rows = rows_of(
        desk.see(desk.word("users.button_payments"), "payments", of),
        desk.see(desk.word("users.button_orders"), "user_orders", of),
        desk.do("credit", of) if desk.may(Role.FINANCE) else None,
        desk.do("unblock" if user.is_blocked else "block", of),
    )
    return Shown(_card(desk, user, overview), [*rows, [desk.back("users")]])


def _card(desk: Desk, user: User, overview: PersonOverview) -> str:
    language, zone = desk.language, desk.needs.settings.zone
    balances = [amount(language, one.asset, one.balance) for one in overview.balances]
    debts = [amount(language, one.asset, one.owed) for one in overview.debts]
    blocked = (
        desk.say("users.line_blocked", reason=cut(user.blocked_reason or "–", WORDS_MAX))
        if user.is_blocked
        else None
    )
    debt = desk.say("users.line_debts", debts=", ".join(debts)) if debts else None
    role = desk.say("users.line_role", role=overview.role) if overview.role else None
    return paragraphs(
        desk.say(
            "users.line_person",
            name=name_of(user),
            telegram_id=user.id,
            language=user.language,
            created=day(language, user.created_at, zone),
            seen=day(language, user.seen_at, zone),
        ),
        blocked,
        role,
        desk.say("users.line_balances", balances=", ".join(balances) or "0"),
        debt,
        desk.say(
            "users.line_activity",
            orders=_at_least(desk, len(overview.orders)),
            payments=_at_least(desk, len(overview.payments)),
            invited=number(language, overview.referral.invited_count),
            referrer=overview.referral.referrer_telegram_id or "–",
            code=overview.referral.referral_code,
        ),
    )


def _at_least(desk: Desk, shown: int) -> str:
    return f"{number(desk.language, shown)}+" if shown == LIST_MAX else str(shown)


# --- credits --------------------------------------------------------------------------------------


async def _plan_credit(desk: Desk, wish: Wish) -> str:
    assert wish.amount is not None
    user = await people.profile(desk.needs.pool, int(wish.of))
    wallet = await ledger.balance(desk.needs.pool, user.id, Asset.CREDIT)
    old = wallet.available if wallet is not None else 0
    if old + wish.amount < 0:
        raise InsufficientFunds(asset=Asset.CREDIT, needed=-wish.amount, balance=old)
    key = "credit.plan_give" if wish.amount > 0 else "credit.plan_take"
    return desk.say(
        key,
        name=name_of(user),
        telegram_id=user.id,
        amount=amount(desk.language, Asset.CREDIT, abs(wish.amount)),
        old=number(desk.language, old),
        new=number(desk.language, old + wish.amount),
        reason=wish.why,
    )


async def _credit(desk: Desk, wish: Wish) -> Shown:
    assert wish.amount is not None
    body = CreditsRequest(telegram_id=int(wish.of), amount=wish.amount, reason=wish.why)
    made = await adjust_credits(body, wish.key, desk.acting, desk.needs)
    html = desk.say(
        "credit.done",
        old=number(desk.language, made.old_balance),
        new=number(desk.language, made.new_balance),
        transfer_id=made.transfer_id,
    )
    return Shown(html, [[desk.back("user", wish.of)]])


# --- blocking -------------------------------------------------------------------------------------


async def _plan_block(desk: Desk, wish: Wish) -> str:
    user = await people.profile(desk.needs.pool, int(wish.of))
    name = Markup(desk.say("users.line_who", name=name_of(user), telegram_id=user.id))
    return desk.say(f"{wish.act}.plan", who=name, reason=wish.why)


async def _block(desk: Desk, wish: Wish) -> Shown:
    user_id, now = int(wish.of), desk.needs.clock.now()
    await once_only(
        desk,
        wish,
        lambda connection: people.block(
            connection, user_id, reason=wish.why, acting=desk.acting, now=now
        ),
    )
    return _changed(desk, wish)


async def _unblock(desk: Desk, wish: Wish) -> Shown:
    await once_only(
        desk,
        wish,
        lambda connection: people.unblock(
            connection, int(wish.of), reason=wish.why, acting=desk.acting
        ),
    )
    return _changed(desk, wish)


def _changed(desk: Desk, wish: Wish) -> Shown:
    desk.needs.cache.drop(people.BLOCKED, wish.of)
    return Shown(desk.say(f"{wish.act}.done"), [[desk.back("user", wish.of)]])


SCREENS: Final = {"users": Screen(Role.SUPPORT, newest), "user": Screen(Role.SUPPORT, card)}
ACTS: Final = {
    "credit": Act(Role.FINANCE, _plan_credit, _credit, (Ask.SIGNED, Ask.REASON)),
    "block": Act(Role.SUPPORT, _plan_block, _block, (Ask.REASON,)),
    "unblock": Act(Role.SUPPORT, _plan_block, _unblock, (Ask.REASON,)),
}
COMMANDS: Final = {"admin_users": "users"}
