"""The HTTP application: every route of the mounted products, behind one edge."""

from __future__ import annotations

from fastapi import FastAPI

from hamyon import __version__
from hamyon.kit.web import docs, edge
from hamyon.kit.web.routing import Router, include
from hamyon.media.routes import api as media
from hamyon.media.routes import files
from hamyon.orders.routes import router as provider_events
from hamyon.payments.routes import ROUTERS as PAYMENTS
from hamyon.products.drawings.routes import router as drawings
from hamyon.products.images.routes import router as images
from hamyon.surfaces.admin.routes import ROUTERS as ADMIN
from hamyon.surfaces.bot.routes import router as bot
from hamyon.surfaces.http.core import root
from hamyon.surfaces.http.core import router as core
from hamyon.surfaces.http.rewards import router as rewards
from hamyon.surfaces.http.types import Needs
from hamyon.users.routes import ROUTERS as USERS

PRODUCTS: dict[str, tuple[Router, ...]] = {"images": (images,), "drawings": (drawings,)}
DESCRIPTION = """A Telegram-first backend for services that people pay for in credits.

Services send their key in `api-key` and name the person by `telegram_id`; people send
`Authorization: Bearer` and are meant themselves. Errors are `application/problem+json` with a
stable `code`. A POST with an `Idempotency-Key` may be repeated as often as needed: it has one
effect and one answer."""


def create_app(needs: Needs) -> FastAPI:
    """The application over what wiring built. Raises UndeclaredPermission."""
    app = FastAPI(
        title="Hamyon",
        version=__version__,
        description=DESCRIPTION,
        separate_input_output_schemas=False,
        # FastAPI's own pages load their programs from elsewhere and are guarded by nobody.
        openapi_url=None,
    )
    app.state.deps = needs
    products = [router for name in needs.settings.products for router in PRODUCTS[name]]
    # Each request is matched against the list from its start: the hottest routes stand first.
    include(
        app,
        core,
        *products,
        docs.router,
        root,
        *USERS,
        media,
        files,
        *PAYMENTS,
        bot,
        rewards,
        provider_events,
        *ADMIN,
    )
    edge.install(
        app,
        settings=needs.settings,
        authenticator=needs.authenticator,
        limiter=needs.limiter,
        metrics=needs.metrics,
    )
    return app
