"""HTTP of people, sign-in, roles and keys."""

from __future__ import annotations

from typing import Final

from hamyon.users.routes import operators, people, sign_in

ROUTERS: Final = (
    people.people_router,
    people.operators_router,
    sign_in.sign_in_router,
    operators.operators_router,
)
