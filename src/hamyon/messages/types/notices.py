"""How a notice becomes messages: who hears of which kind, and who writes the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hamyon.kit.web.permission import Role
from hamyon.messages.types.outgoing import Outgoing, Target
from hamyon.notices.types import Notice
from hamyon.users.types import User


class Topic(StrEnum):
    """What people, and those that operators, can switch off for themselves."""

    PAYMENTS = "payments"
    REWARDS = "rewards"
    NEWS = "news"
    OPERATOR_PAYMENTS = "operator_payments"
    OPERATOR_ORDERS = "operator_orders"
    OPERATOR_PROVIDERS = "operator_providers"
    OPERATOR_AUDIT = "operator_audit"
    OPERATOR_REPORT = "operator_report"
    OPERATOR_SUPPORT = "operator_support"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notices. ``topic`` None: nobody can switch it off.

    ``role``: the least role of the operators who hear of it when it is for operators.
    """

    topic: Topic | None = None
    role: Role = Role.ADMIN


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice for one person, in his language: messages that are sent one after the other.

    Composing the same notice again gives the same messages in the same order, because a delivery
    that broke off goes on where it stopped.
    """

    target: Target
    messages: Sequence[Outgoing]


class Composer(Protocol):
    """Writes the letters of some kinds of notices."""

    async def compose(self, notice: Notice, user: User) -> Letter | None:
        """The letter for ``user``; None when this person need not be told through the bot."""
        ...
