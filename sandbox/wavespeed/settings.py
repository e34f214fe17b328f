"""What can be switched in the simulated WaveSpeed, through ``POST /_control/settings``.

Where the vendor documents nothing, the default is an assumption and its docstring says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

DEFAULT_KEY = "sandbox-key"
SECOND_KEY = "sandbox-key-2"
NEVER_PAID_KEY = "sandbox-never-paid-key"


class Level(StrEnum):
    """The vendor's account levels, and one without limits."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    ULTRA = "ultra"
    UNLIMITED = "unlimited"


LIMITS: dict[Level, tuple[int, int]] = {
    Level.BRONZE: (2, 2),
    Level.SILVER: (500, 300),
    Level.GOLD: (3000, 3000),
    Level.ULTRA: (5000, 10_000),
    Level.UNLIMITED: (1_000_000_000, 1_000_000_000),
}
"""Images a minute, tasks at once (wavespeed.ai/docs/account-levels)."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeySettings(_Section):
    """One customer: his key, money and level. A key made before the first top-up does not work."""

    key: str = Field(min_length=1)
    balance_usd: float = Field(1_000_000.0, ge=0)
    topped_up: bool = True
    level: Level = Level.UNLIMITED
    images_per_minute: PositiveInt | None = None
    concurrency: PositiveInt | None = None
    webhook_secret: str | None = Field(None, pattern=r"^whsec_[\x21-\x7e]+$")


class WebhookSettings(_Section):
    """``retry_delays_s`` is an assumption: the vendor documents no schedule. Empty: no repeats.

    ``timeout_s`` is what a third-party client reports.
    """

    enabled: bool = True
    delay_s: NonNegativeFloat = 0.0
    timeout_s: PositiveFloat = 5.0
    retry_delays_s: tuple[NonNegativeFloat, ...] = (1.0, 5.0, 30.0)


class WaveSpeedSettings(_Section):
    """``created_s`` and ``processing_s`` are how long a job stays in these states; 0 skips them.

    ``bad_input``: whether a missing or invalid parameter is refused with the POST (HTTP 400) or
    accepted and failed as a task; the vendor documents the codes, not which of the two.
    ``sync_timeout_shape``: both are documented, the gateway's 504 and code 5004 in an answer.
    ``output_ttl_s``: not documented; None keeps outputs as long as the job is remembered.
    ``refund_failed``: documented "within 3 hours", here at once.
    """

    created_s: NonNegativeFloat = 0.05
    processing_s: NonNegativeFloat = 0.25
    bad_input: Literal["refuse", "fail_task"] = "refuse"
    refuse_unknown_parameters: bool = True
    sync_timeout_s: PositiveFloat = 90.0
    sync_timeout_shape: Literal["answer", "gateway"] = "answer"
    output_ttl_s: PositiveFloat | None = None
    refund_failed: bool = True
    discount_rate: float = Field(0.0, ge=0, lt=1)
    minute_s: PositiveFloat = 60.0
    upload_bytes_max: PositiveInt = 20_000_000
    reference_timeout_s: PositiveFloat = 10.0
    withdrawn_models: tuple[str, ...] = ()
    jobs_max: PositiveInt = 20_000
    webhooks: WebhookSettings = WebhookSettings()
    keys: tuple[KeySettings, ...] = (
        KeySettings(key=DEFAULT_KEY),
        KeySettings(key=SECOND_KEY),
        KeySettings(key=NEVER_PAID_KEY, topped_up=False),
    )
