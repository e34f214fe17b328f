"""What the bot talks about, a module a subject; each makes a router of its own.

The order counts: the first handler that wants an update gets it. Whatever nobody wants is a wish
for a picture.
"""

from __future__ import annotations

from aiogram import Router

from hamyon.surfaces.bot.flows import menu

SUBJECTS = (menu,)


def create_router() -> Router:
    """Every subject's handlers. Routers belong to one dispatcher, so each gets new ones."""
    router = Router(name="flows")
    for subject in SUBJECTS:
        router.include_router(subject.create_router())
    return router
