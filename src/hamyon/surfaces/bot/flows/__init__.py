"""What the bot talks about, a module a subject; each makes a router of its own.

The order counts: the first handler that wants an update gets it. Whatever nobody wants is a wish
for a picture.
"""

from __future__ import annotations

from aiogram import Router

from hamyon.surfaces.bot.flows import (
    daily,
    membership,
    menu,
    operators,
    paysupport,
    pictures,
    profile,
    promo,
    referral,
    results,
    support,
    topup,
    unknown,
    wallet,
)

SUBJECTS = (
    membership,
    support,
    operators,
    menu,
    wallet,
    topup,
    promo,
    referral,
    daily,
    profile,
    paysupport,
    results,
    pictures,
)


def create_router() -> Router:
    """Every subject's handlers. Routers belong to one dispatcher, so each gets new ones."""
    router = Router(name="flows")
    # Behind all others: it answers every command and button that nobody knows.
    for subject in (*SUBJECTS, unknown):
        router.include_router(subject.create_router())
    return router
