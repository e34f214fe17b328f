"""What the buttons of pictures say to the bot: at most 64 bytes, whatever operators name things.

Values of the catalogue are named by a short fingerprint, not by their place: the catalogue may
change between the moment at which a panel is shown and the press.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from aiogram.filters.callback_data import CallbackData


class View(StrEnum):
    """What a panel shows."""

    MAIN = "m"
    MODELS = "l"
    VALUES = "v"


class Show(CallbackData, prefix="ps"):
    """Turn the panel: to its front, its models, or an option's values; ``page`` from 0."""

    draft: int
    view: View
    option: str = ""
    page: int = 0


class Choose(CallbackData, prefix="pc"):
    """Choose a model; or, with ``option``, a value of it. Both are fingerprints."""

    draft: int
    option: str
    value: str


class Create(CallbackData, prefix="pn"):
    """Order the draft for ``amount``, which the button shows."""

    draft: int
    attempt: int
    amount: int


class Shop(CallbackData, prefix="pm"):
    """Show how to get more credits, below the panel, which stays."""


class Stop(CallbackData, prefix="px"):
    """Cancel an order."""

    order: str


class Act(StrEnum):
    """What can be done with an order that has ended."""

    AGAIN = "a"
    CHANGE = "c"
    REFERENCE = "r"
    SEND = "s"


class Ended(CallbackData, prefix="pr"):
    """Do something with an order that has ended."""

    act: Act
    order: str


class History(CallbackData, prefix="ph"):
    """Show the last pictures."""


def fingerprint(value: str) -> str:
    """Eight letters that stand for a name or value of the catalogue."""
    digest = hashlib.blake2s(value.encode(), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()


def meant(mark: str, values: Iterable[str]) -> str | None:
    """The value that a fingerprint stands for; None when it is not offered any more."""
    return next((value for value in values if fingerprint(value) == mark), None)


def order_code(order_id: UUID) -> str:
    """An order's id in 22 characters."""
    return base64.urlsafe_b64encode(order_id.bytes).decode().rstrip("=")


def order_of_code(code: str) -> UUID | None:
    """The inverse of ``order_code``; None for anything else."""
    try:
        raw = base64.b64decode(code + "==", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return UUID(bytes=raw) if len(raw) == 16 else None
