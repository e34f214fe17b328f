"""Every kind of notice: who may switch it off, and which operators hear of it.

A kind that is told to people and to operators has a line in both tables. A test keeps them whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hamyon.kit.web.permission import Role
from hamyon.messages.types import Kind, Topic
from hamyon.notices.types import Notice

PEOPLE: Final[Mapping[str, Kind]] = {
    "order_completed": Kind(),
    "order_failed": Kind(),
    "order_canceled": Kind(),
    "order_refunded": Kind(),
    "payment_received": Kind(Topic.PAYMENTS),
    "payment_canceled": Kind(Topic.PAYMENTS),
    "payment_refunded": Kind(Topic.PAYMENTS),
    "refund_failed": Kind(Topic.PAYMENTS),
    "referral_bonus": Kind(Topic.REWARDS),
    "referral_join_bonus": Kind(Topic.REWARDS),
    "referral_first_bonus": Kind(Topic.REWARDS),
    "promo_bonus": Kind(Topic.REWARDS),
    "support_reply": Kind(),
    "support_closed": Kind(),
}

OPERATORS: Final[Mapping[str, Kind]] = {
    "payment_received": Kind(Topic.OPERATOR_PAYMENTS, Role.FINANCE),
    "refund_failed": Kind(Topic.OPERATOR_PAYMENTS, Role.FINANCE),
    "payment_mismatch": Kind(Topic.OPERATOR_PAYMENTS, Role.FINANCE),
    "payment_mismatches": Kind(Topic.OPERATOR_PAYMENTS, Role.FINANCE),
    "discount_used_again": Kind(Topic.OPERATOR_PAYMENTS, Role.FINANCE),
    "order_review": Kind(Topic.OPERATOR_ORDERS, Role.FINANCE),
    "thin_margin": Kind(Topic.OPERATOR_PROVIDERS, Role.ADMIN),
    "audit_findings": Kind(Topic.OPERATOR_AUDIT, Role.ADMIN),
    "daily_report": Kind(Topic.OPERATOR_REPORT, Role.ADMIN),
    "support_message": Kind(Topic.OPERATOR_SUPPORT, Role.SUPPORT),
    "broadcast_finished": Kind(None, Role.ADMIN),
    "broadcast_stopped": Kind(None, Role.ADMIN),
}

PEOPLES_TOPICS: Final = (Topic.PAYMENTS, Topic.REWARDS, Topic.NEWS)

LASTING_KINDS: Final = frozenset(
    {"order_completed", "order_failed", "order_canceled", "order_refunded", "support_reply"}
)
"""How orders ended and what support answers, which people wait for: they are told even days
later."""
LASTING_FOR: Final = timedelta(days=7)
"""So old the news of such a kind may be when it is brought at last."""


def kind_of(notice: Notice) -> Kind:
    """What is known of a notice's kind; one that nobody has written down goes to admins."""
    table = OPERATORS if notice.user_id is None else PEOPLE
    return table.get(notice.kind, Kind())


def operator_topics(role: Role) -> tuple[Topic, ...]:
    """What operators of a role hear of, in the order of the topics."""
    heard = {kind.topic for kind in OPERATORS.values() if kind.role <= role}
    return tuple(topic for topic in Topic if topic in heard)
