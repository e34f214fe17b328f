"""Everything of operators that is made of several slices."""

from __future__ import annotations

from typing import Final

from hamyon.kit.web.routing import Router
from hamyon.surfaces.admin import (
    broadcasts,
    credits,  # noqa: A004 -- a module of ours
    models,
    news,
    operations,
    orders,
    packages,
    payments,
    people,
    providers,
    reconcile,
    rewards,
    support,
)

ROUTERS: Final[tuple[Router, ...]] = (
    operations.router,
    people.router,
    credits.router,
    orders.router,
    models.router,
    providers.router,
    packages.router,
    # Before payments, whose {payment_id} would take their names.
    reconcile.router,
    payments.router,
    rewards.router,
    broadcasts.router,
    support.router,
    news.router,
)
