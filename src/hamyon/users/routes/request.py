"""What the handlers of this slice, and of those above, take from a request."""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Depends, Path, Request
from pydantic import Field

from hamyon.kit.web.models import TelegramId
from hamyon.kit.web.routing import OperatorCaller, RequestFacts
from hamyon.users.types import Acting, Needs


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


async def _acting(operator: OperatorCaller, facts: RequestFacts) -> Acting:
    return Acting(operator, facts.address, facts.request_id)


Deps = Annotated[Needs, Depends(_needs)]
ActingOperator = Annotated[Acting, Depends(_acting)]

TEXT: Final = r"^[^\x00]*$"
"""PostgreSQL stores every character but NUL."""

PersonName = Annotated[str, Field(max_length=256, pattern=TEXT)]
Reason = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=TEXT, examples=["Asked for it in thread 12"])
]
PersonId = Annotated[TelegramId, Path()]
