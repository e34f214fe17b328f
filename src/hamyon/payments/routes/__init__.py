"""The doors of payments: for people and services, and for vendors."""

from __future__ import annotations

from typing import Final

from hamyon.kit.web.routing import Router
from hamyon.payments.routes import people, vendors

ROUTERS: Final[tuple[Router, ...]] = (people.router, vendors.router)
