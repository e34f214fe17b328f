"""What the ledger refuses."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound


class InsufficientFunds(HamyonError):
    """Facts: ``asset``, ``needed`` and ``balance`` in minor units."""

    code = "insufficient_funds"
    status = 402


class HoldNotFound(NotFound):
    code = "hold_not_found"


class HoldClosed(HamyonError):
    """The hold ended already with another amount; ``captured`` says with which."""

    code = "hold_closed"
    status = 409


class HoldExceeded(HamyonError):
    """More than what was held; ``held`` says how much that is."""

    code = "hold_exceeded"
    status = 409


class TransferNotFound(NotFound):
    code = "transfer_not_found"


class AlreadyReversed(HamyonError):
    """``by`` is the key of the transfer that undid it."""

    code = "already_reversed"
    status = 409
