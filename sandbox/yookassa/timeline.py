"""Things in the order of their creation, however many there are."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

Position = tuple[int, int]
"""When something was created (ms since 1970), and its number: no two are the same."""


class Placed(Protocol):
    """What can stand on a timeline."""

    @property
    def position(self) -> Position: ...


T = TypeVar("T", bound=Placed)


def _position(item: Placed) -> Position:
    return item.position


class Timeline(Generic[T]):
    """Sorted, oldest first. Finding a place takes the logarithm of the length."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: list[T] = sorted(items, key=_position)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T) -> None:
        """Put an item into its place, at the end in most cases."""
        if not self._items or self._items[-1].position < item.position:
            self._items.append(item)
        else:
            insort(self._items, item, key=_position)

    def extend(self, items: Iterable[T]) -> None:
        """Put many items into their places at once."""
        self._items += items
        self._items.sort(key=_position)

    def remove(self, item: T) -> None:
        """Take an item out that is there."""
        index = bisect_left(self._items, item.position, key=_position)
        if index == len(self._items) or self._items[index] is not item:
            raise LookupError(f"nothing at {item.position}")
        del self._items[index]

    def newest_first(self, since_ms: int | None, below: Position | None) -> Iterator[T]:
        """From the newest before ``below`` down to what was created at ``since_ms``."""
        items = self._items
        index = len(items) if below is None else bisect_left(items, below, key=_position)
        for number in range(index - 1, -1, -1):
            if since_ms is not None and items[number].position[0] < since_ms:
                return
            yield items[number]

    def oldest(self) -> T:
        """The first. Raises ``IndexError`` when there is nothing."""
        return self._items[0]

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
