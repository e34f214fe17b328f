"""Named crash points: where a test may have this process killed, as a power cut would.

``HAMYON_CRASH_AT=submit.sent`` kills the process with SIGKILL when it reaches that point, and
``HAMYON_CRASH_AT=submit.sent:3`` at the third time. Without the variable a point is one comparison.
Every commit of the main road, of payments and of messages on their way, and every vendor call of
theirs, has one on each side; ``POINTS`` lists them, and a test reaches each.
"""

from __future__ import annotations

import os
import signal
from typing import Final

ORDER_POINTS: Final = (
    "claim.committed",
    "submit.before",
    "submit.sent",
    "submit.saved",
    "poll.before",
    "poll.asked",
    "collect.stored",
    "settle.before_commit",
    "settle.committed",
    "webhook.stored",
)
PAYMENT_POINTS: Final = (
    "payment.kept",
    "payment.opened",
    "event.stored",
    "event.settled",
    "refund.kept",
    "refund.sent",
)
MESSAGE_POINTS: Final = (
    "notice.passed_on",
    "deliver.claimed",
    "deliver.sent",
)
POINTS: Final = ORDER_POINTS + PAYMENT_POINTS + MESSAGE_POINTS

_target, _, _count = os.environ.get("HAMYON_CRASH_AT", "").partition(":")
_left = int(_count or 1)


def reach(point: str) -> None:
    """Die here, if this is where a test wants it."""
    global _left  # noqa: PLW0603 -- counts down to the one death of this process
    if point != _target:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
