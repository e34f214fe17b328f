"""Thin margins are told to operators, and prices stay as they are."""

from __future__ import annotations

from datetime import date

import pytest

from hamyon.catalog import service
from hamyon.catalog.types import ModelCost, ModelForSale
from hamyon.kit.db import Pool, transaction


@pytest.mark.parametrize(
    ("price_credits", "cost_micro_usd", "percent"),
    [
        (27, 27_000, 0),
        (27, 0, 100),
        (100, 80_000, 20),
        (100, 80_001, 19),
        (38, 39_000, -3),
        (1, 3_000, -200),
    ],
)
def test_margin(price_credits: int, cost_micro_usd: int, percent: int) -> None:
    assert service.margin_percent(price_credits, cost_micro_usd) == percent


async def test_operators_are_told_once_a_day(pool: Pool) -> None:
    sales = [entry for entry in await service.entries(pool) if entry.price]
    for_sale = [ModelForSale(entry.model, entry.price) for entry in sales if entry.price]
    costs = [
        ModelCost("seedream-v4", {"size": "2048*2048"}, 25_000),  # 7 % of 27 credits
        ModelCost("nano-banana", {}, 20_000),  # 47 %: fine
        ModelCost("nano-banana-pro", {"resolution": "1k"}, 120_000),  # 14 %
        ModelCost("nano-banana-pro", {"resolution": "4k"}, 250_000),  # a loss
        ModelCost("none-such", {}, 10**9),
    ]
    thin = service.thin_margins(for_sale, costs, warning_percent=20)
    assert [(margin.cost.model_key, margin.amount, margin.percent) for margin in thin] == [
        ("seedream-v4", 27, 7),
        ("nano-banana-pro", 140, 14),
        ("nano-banana-pro", 240, -5),
    ]
    for day in (1, 1, 2):
        async with transaction(pool) as connection:
            await service.warn_of_thin_margins(connection, thin, today=date(2026, 11, day))
    notices = await pool.fetch("SELECT key, kind, user_id, facts FROM notices ORDER BY id")
    assert {notice["key"] for notice in notices} == {
        f"thin_margin:{model}:2026-11-0{day}"
        for model in ("seedream-v4", "nano-banana-pro")
        for day in (1, 2)
    }
    assert len(notices) == 4
    worst = next(notice for notice in notices if "pro" in notice["key"])
    assert (worst["user_id"], worst["kind"]) == (None, "thin_margin")
    assert worst["facts"] == {
        "model": "nano-banana-pro",
        "options": {"resolution": "4k"},
        "price": 240,
        "cost_micro_usd": 250_000,
        "percent": -5,
    }
    assert [entry.price for entry in await service.entries(pool)] == [
        sale.price for sale in for_sale
    ]
