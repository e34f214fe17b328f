"""What other slices may hold of rewards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TrialEnd = Literal["used", "returned"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A person's free orders of one product. ``used`` counts the reserved ones too."""

    used: int
    limit: int
    last_used_at: datetime | None

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, 0)
