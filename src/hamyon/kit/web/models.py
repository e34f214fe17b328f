"""What requests and answers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hamyon.kit.errors import KeyRequired

INT64_MAX: Final = 2**63 - 1

TelegramId = Annotated[
    int,
    Field(ge=1, le=INT64_MAX, strict=False, description="A Telegram id, 64 bits.", examples=[777]),
]
PositiveInt64 = Annotated[int, Field(ge=1, le=INT64_MAX)]
Int64 = Annotated[int, Field(ge=-(2**63), le=INT64_MAX)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="Repeat it to repeat the request without a second effect.",
    ),
]


def required(key: str | None) -> str:
    """The key of a route that moves money. Raises KeyRequired."""
    if key is None:
        raise KeyRequired
    return key


class StrictModel(BaseModel):
    """A request's body: an unknown field is a typing error of the caller's, and refused.

    Text is never NUL-free by itself, and PostgreSQL takes none: fields for text should use
    ``Text``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AnswerModel(BaseModel):
    """An answer's shape, for the documentation and for handlers that are not hot."""

    model_config = ConfigDict(frozen=True)


class JSON(Response):
    """An answer made by orjson, past FastAPI's validation; ``response_model`` still documents it.

    Dataclasses, enums, ids and times (UTC, with Z) are written as they are.
    """

    media_type = "application/json"

    def __init__(
        self, content: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        body = orjson.dumps(content, default=_plain, option=orjson.OPT_UTC_Z)
        super().__init__(body, status, dict(headers) if headers else None)


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
