"""``GET /v3/payments`` and ``/v3/refunds``: what is asked, and one page of the answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from sandbox.yookassa.envelope import invalid
from sandbox.yookassa.objects import Status
from sandbox.yookassa.timeline import Placed, Position

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_BOUNDS = ("gte", "gt", "lte", "lt")

T = TypeVar("T", bound=Placed)


@dataclass(frozen=True, slots=True)
class Span:
    """Milliseconds from ``since`` up to, and without, ``until``; None is open."""

    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_open(self) -> bool:
        return self.since_ms is None and self.until_ms is None

    def has(self, at_ms: int) -> bool:
        return (self.since_ms is None or at_ms >= self.since_ms) and (
            self.until_ms is None or at_ms < self.until_ms
        )


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for."""

    limit: int
    before: Position | None
    status: Status | None
    created: Span
    captured: Span
    payment_id: str | None = None
    payment_method: str | None = None

    def below(self, until_ms: int | None) -> Position | None:
        """Where to begin: at the cursor or at the end of the time, whichever is older."""
        ends = [(until_ms, 0)] if until_ms is not None else []
        return min([*ends, *([self.before] if self.before is not None else [])], default=None)


def read_query(
    given: Mapping[str, str], *, states: Collection[Status], names: Collection[str] = ()
) -> Query:
    """The parameters. Raises ``RefusedError`` (400) for a bad value or an unknown name.

    ``names`` are those that this list knows beside ``limit``, ``cursor``, ``status`` and
    ``created_at.*``.
    """
    ranges = ["created_at", *(name for name in names if name.endswith("_at"))]
    known = {"limit", "cursor", "status", *names, *(f"{r}.{b}" for r in ranges for b in _BOUNDS)}
    for name in given:
        if name not in known or name in ranges:
            raise invalid(name, "Unknown parameter")
    status = given.get("status")
    if status is not None and status not in states:
        raise invalid("status", "Incorrect status")
    cursor = given.get("cursor")
    return Query(
        limit=_limit(given.get("limit")),
        before=None if cursor is None else _position(cursor),
        status=None if status is None else Status(status),
        created=_span(given, "created_at"),
        captured=_span(given, "captured_at"),
        payment_id=given.get("payment_id"),
        payment_method=given.get("payment_method"),
    )


def page(items: Iterable[T], limit: int, show: Callable[[T], object]) -> dict[str, object]:
    """The answer: at most ``limit`` items, and a cursor when there are more."""
    taken = list(islice(items, limit + 1))
    body: dict[str, object] = {"type": "list", "items": [show(item) for item in taken[:limit]]}
    if len(taken) > limit:
        body["next_cursor"] = _cursor(taken[limit - 1].position)
    return body


def _limit(given: str | None) -> int:
    if given is None:
        return LIMIT_DEFAULT
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:9]) <= LIMIT_MAX:
        raise invalid("limit", f"Incorrect limit: 1 to {LIMIT_MAX}")
    return int(given)


def _cursor(position: Position) -> str:
    text = f"{position[0]}:{position[1]}".encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at_ms, number = text.decode("ascii").split(":")
        return int(at_ms), int(number)
    except (ValueError, binascii.Error) as error:
        raise invalid("cursor", "Incorrect cursor") from error


def _span(given: Mapping[str, str], name: str) -> Span:
    since = [_ms(given, f"{name}.gte", after=False), _ms(given, f"{name}.gt", after=True)]
    until = [_ms(given, f"{name}.lte", after=True), _ms(given, f"{name}.lt", after=False)]
    return Span(
        max((at_ms for at_ms in since if at_ms is not None), default=None),
        min((at_ms for at_ms in until if at_ms is not None), default=None),
    )


def _ms(given: Mapping[str, str], name: str, *, after: bool) -> int | None:
    """The first millisecond that is not before the given time, or the first one after it."""
    text = given.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        whole, rest = divmod(at - _EPOCH, _MS)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "Incorrect time: ISO 8601 in UTC") from error
    return whole + 1 if after or rest else whole
