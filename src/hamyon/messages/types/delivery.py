"""A notice on its way to one person through one channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

DeliveryId = NewType("DeliveryId", int)


class DeliveryState(StrEnum):
    """``muted``: the person does not want this kind, or need not be told. ``gone``: he cannot be
    reached. ``failed``: the channel will not take it, or did not for too long."""

    PENDING = "pending"
    SENT = "sent"
    MUTED = "muted"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """A delivery in the hands of one worker, until its lease ends.

    ``step``: how many of its messages have arrived. ``attempts``: how often it was taken up, this
    time among them. ``doubts``: how often the message of this step was sent and very probably
    arrived without our learning of it.
    """

    id: DeliveryId
    notice_id: int
    user_id: int
    channel: str
    step: int
    attempts: int
    doubts: int
    lease: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryHeld:
    """Another worker has it, for so long at most."""

    for_s: float
