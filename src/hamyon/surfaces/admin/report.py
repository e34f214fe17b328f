"""The operators' daily report, and what is watched for them at the providers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import structlog

from hamyon.catalog import service as catalog
from hamyon.catalog.types import ModelCost, ModelForSale
from hamyon.kit.db import Connection, in_transaction
from hamyon.notices import service as notices
from hamyon.notices.types import Notice
from hamyon.orders.service import overview as orders_overview
from hamyon.surfaces.admin import store
from hamyon.surfaces.admin.audits import RECENT, WHOLE
from hamyon.surfaces.admin.statistics import StatisticsAnswer, count
from hamyon.surfaces.admin.types import Needs, PriceSource, Run

REPORT: Final = "daily_report"
MARGINS: Final = "margins"
TOP_MODELS: Final = 5

log = structlog.get_logger(__name__)


async def daily_report(needs: Needs, day: date) -> None:
    """Tell operators of the last 24 hours, once for each ``day``."""
    await in_transaction(needs.pool, _report, needs, day)


async def _report(connection: Connection, needs: Needs, day: date) -> None:
    now = needs.clock.now()
    made = await count(connection, needs, timedelta(days=1))
    facts = {"day": day.isoformat(), **_facts(made), "odd": await _odd(connection, needs)}
    await notices.tell(connection, Notice(key=f"{REPORT}:{day}", kind=REPORT, facts=facts))
    await store.keep_run(connection, Run(REPORT, day, now, 0, {}))


def _facts(made: StatisticsAnswer) -> dict[str, object]:
    by_orders = sorted(made.generations.by_model, key=lambda model: -sum(model.by_status.values()))
    return {
        "users": made.users.model_dump(mode="json"),
        "generations": {
            "total": made.generations.total,
            "by_status": made.generations.by_status,
            "success_rate": made.generations.success_rate,
            "mean_s": made.generations.mean_s,
        },
        "top_models": [
            {"model": model.model, "orders": sum(model.by_status.values())}
            for model in by_orders[:TOP_MODELS]
        ],
        "sold": made.credits.sold,
        "granted": made.credits.granted,
        "spent": made.credits.spent,
        "refunded": made.credits.refunded,
        "revenue": made.revenue,
        "provider_cost_micro_usd": made.margin.provider_cost_micro_usd,
        "margin_micro_usd": made.margin.margin_micro_usd,
    }


async def _odd(connection: Connection, needs: Needs) -> dict[str, object]:
    """What a person should look at; empty on a good day."""
    review, uncertain = await orders_overview.awaiting_people(connection)
    last = await store.last_run(connection, [RECENT, WHOLE])
    closed = [found.name for found in await catalog.read_providers(connection) if found.closed]
    odd: dict[str, object] = {
        "orders_in_review": review,
        "uncertain_jobs": uncertain,
        "audit_findings": last.findings if last else 0,
        "closed_providers": closed,
    }
    # An audit that did not run is odder than one that found something.
    if last is None or needs.clock.now() - last.started_at > timedelta(hours=1):
        odd["last_audit_at"] = last.started_at.isoformat() if last else "never"
    return {name: value for name, value in odd.items() if value}


async def watch_margins(needs: Needs, day: date) -> None:
    """Ask the providers for today's prices, and warn operators of margins that became thin."""
    sales = await catalog.models(needs.pool, needs.catalog)
    costs = [cost for sale in sales for cost in await _costs(needs, sale)]
    thin = catalog.thin_margins(sales, costs, warning_percent=needs.settings.margin_warning_percent)

    async def keep(connection: Connection) -> None:
        await catalog.warn_of_thin_margins(connection, thin, today=day)
        run = Run(MARGINS, day, needs.clock.now(), len(thin), {"asked": len(costs)})
        await store.keep_run(connection, run)

    await in_transaction(needs.pool, keep)


async def _costs(needs: Needs, sale: ModelForSale) -> list[ModelCost]:
    """What the provider takes with default options, and for each rule of the price."""
    engine: object = needs.engines.get(sale.model.engine)
    if not isinstance(engine, PriceSource):
        return []
    defaults = {name: option.default for name, option in sale.model.options.items()}
    found = []
    for options in (defaults, *({**defaults, **rule.when} for rule in sale.price.by_option)):
        cost = await engine.price_micro_usd(sale.model.path_text, options)
        if cost is not None:
            found.append(ModelCost(sale.model.key, options, cost))
    return found


async def poll_balances(needs: Needs) -> None:
    """Ask every provider what is left of our money there."""
    for name, engine in needs.engines.items():
        balance = await engine.balance_micro_usd()
        if balance is not None:
            await catalog.note_balance(needs.pool, name, balance)
