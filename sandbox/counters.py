"""What the sandbox counts. Counters stay when old jobs are dropped."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

KEYS_MAX = 200_000
KEY_LENGTH_MAX = 200


@dataclass(slots=True)
class Tally:
    """Counts by a key that callers choose, for at most ``KEYS_MAX`` different keys.

    ``overflow`` counts what came under further keys, so that the sum is always right.
    """

    counts: Counter[str] = field(default_factory=Counter)
    overflow: int = 0

    def add(self, key: str) -> None:
        """Count one. A long key is shortened to its beginning and a digest of the whole."""
        if len(key) > KEY_LENGTH_MAX:
            digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
            key = f"{key[:KEY_LENGTH_MAX]}…{digest}"
        if key in self.counts or len(self.counts) < KEYS_MAX:
            self.counts[key] += 1
        else:
            self.overflow += 1

    def repeated(self) -> dict[str, int]:
        """Keys that were counted more than once."""
        return {key: count for key, count in self.counts.items() if count > 1}


@dataclass(slots=True)
class Stats:
    """One vendor's counters. ``accepted`` is how many jobs the vendor took money for.

    ``epoch`` counts the resets.
    """

    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    epoch: int = 0
    accepted: int = 0
    accepted_by_prompt: Tally = field(default_factory=Tally)
    accepted_by_webhook: Tally = field(default_factory=Tally)
    finished: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Back to zero, in place: handlers hold on to this object."""
        self.epoch += 1
        self.accepted = 0
        self.accepted_by_prompt, self.accepted_by_webhook = Tally(), Tally()
        for counter in (self.requests, self.answers, self.finished, self.webhooks, self.bytes):
            counter.clear()

    def report(self, *, brief: bool) -> dict[str, object]:
        """As JSON; ``brief`` leaves the single prompts and webhook addresses out."""
        report: dict[str, object] = {
            "requests": dict(self.requests),
            "answers": dict(self.answers),
            "accepted": self.accepted,
            "finished": dict(self.finished),
            "webhooks": {name: self.webhooks[name] for name in ("sent", "answered", "failed")}
            | dict(self.webhooks),
            "bytes": dict(self.bytes),
            "repeated_prompts": self.accepted_by_prompt.repeated(),
            "repeated_webhooks": self.accepted_by_webhook.repeated(),
        }
        if not brief:
            report["accepted_by_prompt"] = dict(self.accepted_by_prompt.counts)
            report["accepted_by_webhook"] = dict(self.accepted_by_webhook.counts)
        return report
