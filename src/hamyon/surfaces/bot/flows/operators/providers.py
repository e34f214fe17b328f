"""Providers: how they stand, and closing and opening them."""

from __future__ import annotations

from typing import Final

from hamyon.catalog import service as catalog
from hamyon.kit.web.permission import Role
from hamyon.surfaces.admin.providers import ProviderAnswer, list_providers
from hamyon.surfaces.bot.flows.operators.acts import Act, Ask, Wish, once_only
from hamyon.surfaces.bot.flows.operators.desk import (
    WORDS_MAX,
    Desk,
    Screen,
    Shown,
    rows_of,
)
from hamyon.surfaces.bot.flows.operators.money import usd
from hamyon.surfaces.bot.phrases import number, paragraphs
from hamyon.surfaces.bot.pictures.lengths import cut

LIGHTS: Final = {"open": "🟢", "paused": "⏸", "closed": "🔴", "probing": "🟡"}
SHOWN_MAX: Final = 20


async def every(desk: Desk, of: str) -> Shown:
    found = (await list_providers(desk.needs)).items[:SHOWN_MAX]
    buttons = [
        [desk.see(f"{LIGHTS[one.status]} {one.name}", "provider", one.name)] for one in found
    ]
    return Shown(desk.say("providers.title"), [*buttons, [desk.back()]])


async def card(desk: Desk, of: str) -> Shown:
    # Raises for a name that is none.
    await catalog.read_provider(desk.needs.pool, of)
    found = next(one for one in (await list_providers(desk.needs)).items if one.name == of)
    verb = "resume" if found.status == "paused" or found.breaker.failures else "pause"
    rows = rows_of(desk.do(f"provider_{verb}", of))
    return Shown(_card(desk, found), [*rows, [desk.back("providers")]])


def _card(desk: Desk, found: ProviderAnswer) -> str:
    language, hour = desk.language, found.last_hour
    balance = "–" if found.balance_micro_usd is None else usd(language, found.balance_micro_usd)
    rate = "–" if hour.error_rate is None else f"{hour.error_rate * 100:.1f}%"
    error = found.breaker.last_error
    reason = found.pause_reason
    return paragraphs(
        desk.say(
            "providers.line_card",
            light=LIGHTS[found.status],
            name=found.name,
            status=desk.word(f"providers.label_{found.status}"),
            balance=balance,
        ),
        desk.say(
            "providers.line_hour",
            succeeded=number(language, hour.succeeded),
            failed=number(language, hour.failed),
            refused=number(language, hour.refused),
            rate=rate,
            cost=usd(language, hour.cost_micro_usd),
        ),
        desk.say("providers.line_breaker", failures=number(language, found.breaker.failures)),
        desk.say("providers.line_error", error=cut(error, WORDS_MAX)) if error else None,
        desk.say("providers.line_paused", by=found.paused_by or "–", reason=cut(reason, WORDS_MAX))
        if reason
        else None,
    )


async def _plan(desk: Desk, wish: Wish) -> str:
    await catalog.read_provider(desk.needs.pool, wish.of)
    return desk.say(f"{wish.act}.plan", name=wish.of, reason=wish.reason or "")


async def _pause(desk: Desk, wish: Wish) -> Shown:
    await once_only(
        desk,
        wish,
        lambda connection: catalog.pause(connection, wish.of, acting=desk.acting, reason=wish.why),
    )
    return _changed(desk, wish)


async def _resume(desk: Desk, wish: Wish) -> Shown:
    await once_only(
        desk,
        wish,
        lambda connection: catalog.resume(connection, wish.of, acting=desk.acting, reason=wish.why),
    )
    return _changed(desk, wish)


def _changed(desk: Desk, wish: Wish) -> Shown:
    desk.needs.cache.drop(catalog.PROVIDERS, wish.of)
    return Shown(desk.say(f"{wish.act}.done"), [[desk.back("provider", wish.of)]])


SCREENS: Final = {
    "providers": Screen(Role.ADMIN, every),
    "provider": Screen(Role.ADMIN, card),
}
ACTS: Final = {
    "provider_pause": Act(Role.ADMIN, _plan, _pause, (Ask.REASON,)),
    "provider_resume": Act(Role.ADMIN, _plan, _resume, (Ask.REASON,)),
}
COMMANDS: Final = {"admin_providers": "providers"}
