"""What a broadcast's outcomes say together: is it about the person, the message or the channel?

One person's outcome never tells. Whom nothing reaches is given up only while others get theirs;
what is refused for many in a row stops the broadcast; and so does a channel that is silent for so
long that somebody must know.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from hamyon.messages.types import SendOutcome, Sent, Unclear, Wait
from hamyon.messages.types.broadcast import Recipient

ATTEMPTS_MAX: Final = 5
"""So often a message of unclear outcome is sent to one person while others get theirs."""
REFUSALS_MAX: Final = 20
"""After so many equal refusals in a row the message itself is at fault, or the bot."""
WAIT_MAX_S: Final = 300.0
"""So long the channel may say nothing but that we must wait, as it does to a token that it does not
know, or while our storage is away."""
OUTAGE_MAX_S: Final = 3600.0
"""So long nothing may become clear for anybody. Nobody is given up for it, however long it is."""
OUTAGE_WAIT_MAX_S: Final = 30.0


@dataclass(slots=True)
class Evidence:
    """Of one process's turn at a broadcast. ``stop_reason`` is why it must not go on."""

    places: int
    stop_reason: str | None = None
    _reached: int = 0
    _doubts: int = 0
    _waits_since: float | None = None
    _silent_since: float | None = None
    _unclear: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of a person: how many attempts count, and how many people were reached at the last."""
    _refusal: str = ""
    _refusals: int = 0
    _is_first_refusal: bool = False
    """Whether any of those in a row was somebody's first."""

    def hear(self, outcome: SendOutcome) -> None:
        """Note whether the channel answers at all."""
        now = time.monotonic()
        if not isinstance(outcome, Wait):
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = now
        elif now - self._waits_since > WAIT_MAX_S:
            self.stop_reason = f"for {WAIT_MAX_S:.0f} s nothing but requests to wait"
        if not isinstance(outcome, Wait | Unclear):
            self._silent_since, self._doubts = None, 0
        elif self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since > OUTAGE_MAX_S:
            self.stop_reason = f"for {OUTAGE_MAX_S:.0f} s no clear answer for anybody"
        if isinstance(outcome, Sent):
            self._reached += 1
            self._refusals, self._is_first_refusal = 0, False

    def is_his_own(self, recipient: Recipient, reason: str) -> bool:
        """Whether a refusal is about the person, as far as is known; else he is to wait.

        Whom the same was said of before somebody resumed the broadcast is refused for himself: of
        such alone it does not stop again, or it would never end. ``Gone`` in between changes
        nothing, because it says nothing about the message.
        """
        if reason != self._refusal:
            self._refusal, self._refusals, self._is_first_refusal = reason, 0, False
        self._refusals += 1
        self._is_first_refusal |= recipient.error != reason
        if self._refusals < REFUSALS_MAX or not self._is_first_refusal:
            return True
        if self.stop_reason is not None:
            # It was on its way when the others were found to be refused, too.
            return False
        self.stop_reason = reason
        return True

    def is_in_vain(self, user_id: int) -> bool:
        """Whether to give somebody up whose message is unclear again.

        An attempt counts when anybody was reached since his last one. So in an outage none does,
        however long it is and however often the process changes.
        """
        count, reached = self._unclear.get(user_id, (0, -1))
        if reached != self._reached:
            count += 1
        self._unclear[user_id] = count, self._reached
        return count >= ATTEMPTS_MAX

    def doubt(self) -> float:
        """One more unclear outcome: for how many seconds everybody waits. 0 is not at all.

        When nobody's outcome is clear the channel is down, and they wait longer each time.
        """
        self._doubts += 1
        if self._doubts <= self.places:
            return 0.0
        return float(min(2.0 ** min(self._doubts // self.places, 10), OUTAGE_WAIT_MAX_S))
