"""What is left of a price after the provider took its share. Nothing here changes a price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from hamyon.catalog.service.sale import quote
from hamyon.catalog.types import MICRO_USD_PER_CREDIT, ModelCost, ModelForSale, ThinMargin
from hamyon.kit.db import Connection
from hamyon.kit.money import Asset
from hamyon.notices.service import tell
from hamyon.notices.types import Notice

THIN_MARGIN_NOTICE: Final = "thin_margin"


def margin_percent(price_credits: int, cost_micro_usd: int) -> int:
    """How much of a price in credits remains, in whole percent rounded down; below 0 is a loss.

    1 USD is 1000 credits.
    """
    price_micro_usd = price_credits * MICRO_USD_PER_CREDIT
    return (price_micro_usd - cost_micro_usd) * 100 // price_micro_usd


def thin_margins(
    sales: Sequence[ModelForSale], costs: Sequence[ModelCost], *, warning_percent: int
) -> Sequence[ThinMargin]:
    """The costs that leave less than ``warning_percent`` of what one picture is sold for.

    Costs of models that are not for sale are passed over, and so are prices in other assets than
    credits: those have no rate to dollars.
    """
    by_key = {sale.model.key: sale for sale in sales}
    found: list[ThinMargin] = []
    for cost in costs:
        sale = by_key.get(cost.model_key)
        if sale is None or sale.price.asset is not Asset.CREDIT:
            continue
        amount = quote(sale, cost.options, references_count=0).amount
        percent = margin_percent(amount, cost.cost_micro_usd)
        if percent < warning_percent:
            found.append(ThinMargin(cost, amount, percent))
    return found


async def warn_of_thin_margins(
    connection: Connection, margins: Sequence[ThinMargin], *, today: date
) -> None:
    """Tell the operators of the thinnest margin of each model, once a day."""
    thinnest: dict[str, ThinMargin] = {}
    for margin in sorted(margins, key=lambda margin: margin.percent):
        thinnest.setdefault(margin.cost.model_key, margin)
    for key, margin in thinnest.items():
        notice = Notice(
            key=f"{THIN_MARGIN_NOTICE}:{key}:{today.isoformat()}",
            kind=THIN_MARGIN_NOTICE,
            facts={
                "model": key,
                "options": dict(margin.cost.options),
                "price": margin.amount,
                "cost_micro_usd": margin.cost.cost_micro_usd,
                "percent": margin.percent,
            },
        )
        await tell(connection, notice)
