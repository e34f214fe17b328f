"""What the ledger refuses."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound


class InsufficientFunds(HamyonError):
    """Facts: ``asset``, ``needed`` and ``balance`` in minor units."""

    code = "insufficient_funds"
    status = 402


class InvalidAmount(HamyonError):
    """An amount under ``least``, which is 1 where something must move and 0 where nothing may."""

    code = "invalid_amount"
    status = 422


class AmountTooLarge(HamyonError):
    """An amount, or the balance that it would make, is beyond ``limit`` (``AMOUNT_LIMIT``)."""

    code = "amount_too_large"
    status = 422


class InvalidTransfer(HamyonError):
    """The lines make no transfer; ``problem`` says why.

    ``too_few_lines``, ``empty_line`` (nothing moves, or no account is named), ``unknown_role``,
    ``account_twice`` (a transfer to oneself too), ``unbalanced``, ``more_than_owed`` (a debt would
    turn into money), ``nothing_to_undo``.
    """

    code = "invalid_transfer"
    status = 422


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
