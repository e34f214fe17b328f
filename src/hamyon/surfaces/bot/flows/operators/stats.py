"""The numbers: people, pictures, credits, money, the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hamyon.kit.web.permission import Role
from hamyon.messages.types import Button
from hamyon.surfaces.admin.statistics import StatisticsAnswer, statistics
from hamyon.surfaces.bot.flows.operators.desk import Desk, Screen, See, Shown
from hamyon.surfaces.bot.flows.operators.money import paid, usd
from hamyon.surfaces.bot.phrases import number, paragraphs

PERIODS_DAYS: Final = (1, 7, 30)
PERIOD: Final = 7


async def render(desk: Desk, of: str) -> Shown:
    days = int(of) if of in {str(one) for one in PERIODS_DAYS} else PERIOD
    made = await statistics(desk.needs, days)
    return Shown(html_of(desk, made), [periods(desk, days), [desk.back()]])


def periods(desk: Desk, chosen: int) -> list[Button]:
    """One button a period; the chosen one has a point."""
    return [
        Button(
            ("• " if days == chosen else "") + desk.word("stats.button_days", count=days),
            data=See(screen="stats", of=str(days)).pack(),
        )
        for days in PERIODS_DAYS
    ]


def html_of(desk: Desk, made: StatisticsAnswer) -> str:
    """All of them on one screen."""
    users, generations, moved, margin = made.users, made.generations, made.credits, made.margin
    return paragraphs(
        desk.say("stats.title", period=desk.word("stats.button_days", count=made.days)),
        desk.say(
            "stats.line_users",
            **_counted(
                desk,
                total=users.total,
                blocked=users.blocked,
                today=users.new_today,
                week=users.new_week,
                month=users.new_month,
                active_1=users.active_1d,
                active_7=users.active_7d,
                active_30=users.active_30d,
            ),
        ),
        desk.say(
            "stats.line_generations",
            **_counted(desk, total=generations.total, uncertain=generations.uncertain_jobs),
            success=_percent(generations.success_rate),
            mean="–" if generations.mean_s is None else f"{generations.mean_s:.1f}",
        ),
        desk.say(
            "stats.line_credits",
            **_counted(
                desk,
                sold=moved.sold,
                granted=moved.granted,
                spent=moved.spent,
                refunded=moved.refunded,
            ),
        ),
        desk.say(
            "stats.line_money",
            revenue=_revenue(desk, made.revenue),
            cost=usd(desk.language, margin.provider_cost_micro_usd),
            earned=usd(desk.language, margin.earned_micro_usd),
            margin=usd(desk.language, margin.margin_micro_usd),
            percent="–" if margin.margin_percent is None else f"{margin.margin_percent:g}%",
        ),
        desk.say(
            "stats.line_queue",
            **_counted(desk, depth=made.queue.depth, oldest=round(made.queue.oldest_s)),
        ),
    )


def _counted(desk: Desk, **numbers: int) -> dict[str, str]:
    """Numbers as his language writes them."""
    return {name: number(desk.language, value) for name, value in numbers.items()}


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate * 100:.1f}%"


def _revenue(desk: Desk, revenue: Mapping[str, int]) -> str:
    found = [paid(desk, currency, minor) for currency, minor in sorted(revenue.items())]
    return ", ".join(found) or "–"


SCREENS: Final = {"stats": Screen(Role.SUPPORT, render)}
COMMANDS: Final = {"admin_stats": "stats"}
