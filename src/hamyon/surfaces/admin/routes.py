"""Everything of operators that is made of several slices."""

from __future__ import annotations

from typing import Final

from hamyon.kit.web.routing import Router
from hamyon.surfaces.admin import credits, models, operations, orders, people, providers  # noqa: A004 -- a module of ours

ROUTERS: Final[tuple[Router, ...]] = (
    operations.router,
    people.router,
    credits.router,
    orders.router,
    models.router,
    providers.router,
)
