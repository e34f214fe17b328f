"""Payments or refunds by id and in order of creation, all of them and those of each state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from sandbox.yookassa.objects import Status
from sandbox.yookassa.timeline import Position, Timeline


class Kept(Protocol):
    """What a shelf keeps."""

    @property
    def id(self) -> str: ...

    @property
    def position(self) -> Position: ...

    status: Status


T = TypeVar("T", bound=Kept)


class Shelf(Generic[T]):
    """Every item is found by id, and listed newest first, without looking at the others."""

    def __init__(self) -> None:
        self._by_id: dict[str, T] = {}
        self._all: Timeline[T] = Timeline()
        self._by_status: dict[Status, Timeline[T]] = {status: Timeline() for status in Status}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, item_id: str) -> T | None:
        return self._by_id.get(item_id)

    def listed(self, status: Status | None) -> Timeline[T]:
        """All, or those of one state."""
        return self._all if status is None else self._by_status[status]

    def by_status(self) -> dict[str, int]:
        """How many there are of each state."""
        return {status.value: len(kept) for status, kept in self._by_status.items() if len(kept)}

    def add(self, item: T) -> None:
        self._by_id[item.id] = item
        self._all.add(item)
        self._by_status[item.status].add(item)

    def extend(self, items: Iterable[T]) -> None:
        """Add many at once."""
        added = list(items)
        self._by_id |= {item.id: item for item in added}
        self._all.extend(added)
        for status, kept in self._by_status.items():
            kept.extend(item for item in added if item.status is status)

    def move(self, item: T, status: Status) -> None:
        """Change the state of an item."""
        self._by_status[item.status].remove(item)
        item.status = status
        self._by_status[status].add(item)

    def remove(self, item: T) -> None:
        del self._by_id[item.id]
        self._all.remove(item)
        self._by_status[item.status].remove(item)

    def oldest(self) -> T:
        return self._all.oldest()
