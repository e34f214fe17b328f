"""What operators' handlers take from a request, and the one effect of a key."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, in_transaction
from hamyon.kit.web.models import IdempotencyKey, required
from hamyon.surfaces.admin.types import Needs
from hamyon.users.types import Acting

A = TypeVar("A", bound=BaseModel)


async def _needs(request: Request) -> Needs:
    return cast("Needs", request.app.state.deps)


async def _key(key: IdempotencyKey = None) -> str:
    return required(key)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, in UTC."""

Deps = Annotated[Needs, Depends(_needs)]
RequiredKey = Annotated[str, Depends(_key)]
"""The ``Idempotency-Key`` of a route that moves money. Raises KeyRequired."""


async def once(
    needs: Needs,
    acting: Acting,
    key: str,
    effect: Callable[[Connection], Awaitable[A]],
    *,
    answer: type[A],
    route: str,
    user_id: int,
    given: tuple[object, ...],
) -> A:
    """Run ``effect`` in a transaction that claims ``key``; a repetition gets the first answer.

    ``given`` is the whole input. A refusal claims nothing, so the key may be tried again.
    Raises IdempotencyMismatch, and what ``effect`` raises.
    """
    input_hash = hashlib.sha256(repr(given).encode()).digest()

    async def use_case(connection: Connection) -> A:
        first = await kit_store.claim_key(
            connection,
            caller=acting.actor,
            user_id=user_id,
            route=route,
            key=key,
            input_hash=input_hash,
        )
        if first is not None:
            return answer.model_validate(first)
        made = await effect(connection)
        await kit_store.answer_key(
            connection,
            caller=acting.actor,
            user_id=user_id,
            route=route,
            key=key,
            answer=made.model_dump(mode="json"),
        )
        return made

    return await in_transaction(needs.pool, use_case)
