"""Lists: ``limit`` and an opaque ``cursor``."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar, overload
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel

from hamyon.kit.web.errors import InvalidCursor

Part: TypeAlias = int | str | datetime | UUID

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 100
CURSOR_CHARACTERS_MAX: Final = 500
PageLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items at most.")]
PageCursor = Annotated[
    str | None,
    Query(max_length=CURSOR_CHARACTERS_MAX, description="`next_cursor` of the page before."),
]

T = TypeVar("T")
A = TypeVar("A", bound=Part)
B = TypeVar("B", bound=Part)


class Page(BaseModel, Generic[T]):
    """One page; ``next_cursor`` null on the last."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*parts: Part) -> str:
    """Where the next page begins: the sort key of the last item that was given out.

    It is not signed: it holds nothing secret and grants nothing, since every list filters by its
    caller first. It is only checked, so that a broken one is an answer and not a crash.
    """
    raw = orjson.dumps([part.isoformat() if isinstance(part, datetime) else part for part in parts])
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@overload
def decode_cursor(cursor: str, first: type[A], /) -> tuple[A]: ...
@overload
def decode_cursor(cursor: str, first: type[A], second: type[B], /) -> tuple[A, B]: ...
def decode_cursor(cursor: str, /, *shape: type[Any]) -> tuple[Part, ...]:
    """What ``encode_cursor`` was given. Raises InvalidCursor for anything else."""
    try:
        raw = cursor.encode("ascii")
        values = orjson.loads(urlsafe_b64decode(raw + b"=" * (-len(raw) % 4)))
        if not isinstance(values, list) or len(values) != len(shape):
            raise InvalidCursor
        parts = tuple(_part(value, kind) for value, kind in zip(values, shape, strict=True))
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise InvalidCursor from error
    if encode_cursor(*parts) != cursor:
        raise InvalidCursor
    return parts


def _part(value: object, kind: type[Part]) -> Part:
    if kind is int:
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise InvalidCursor
        return value
    if not isinstance(value, str) or "\0" in value:
        raise InvalidCursor
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise InvalidCursor
        return moment
    return UUID(value) if kind is UUID else value
