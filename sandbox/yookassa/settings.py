"""What can be switched in the simulated YooKassa, through ``POST /_control/settings``.

Where the vendor documents nothing, the default is an assumption and its docstring says so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

DEFAULT_SHOP_ID = "100500"
DEFAULT_SECRET_KEY = "sandbox-key"  # noqa: S105 - it opens nothing but the simulator.
TEN_YEARS_S = 10 * 365 * 86_400

RefundRefusal = Literal[
    "general_decline",
    "insufficient_funds",
    "payment_expired",
    "rejected_by_payee",
    "rejected_by_timeout",
    "yoo_money_account_closed",
]
"""Why a refund is canceled."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NotificationSettings(_Section):
    """How events are told.

    ``retry_delays_s``: the vendor repeats for 24 hours and documents no intervals; here it goes on
    as long as the list. ``hold`` collects so many notifications before they leave, one after the
    other, in ``order`` (shuffled from the seed); 0 sends each at once, and what was held.
    ``reported_status`` is what every object in a notification claims, whatever it really is: the
    vendor's own example shows a ``payment.succeeded`` whose payment is ``waiting_for_capture``.
    ``forwarded_for`` plays the proxy that tells where a notification came from.
    """

    enabled: bool = True
    delay_s: NonNegativeFloat = 0.0
    timeout_s: PositiveFloat = 5.0
    retry_delays_s: tuple[NonNegativeFloat, ...] = (0.2, 1.0, 5.0, 30.0)
    copies: int = Field(1, ge=1, le=20)
    hold: int = Field(0, ge=0, le=10_000)
    order: Literal["reverse", "shuffle"] = "reverse"
    reported_status: str | None = Field(None, pattern=r"^[a-z_]{1,40}$")
    forwarded_for: str | None = Field(None, pattern=r"^[0-9a-fA-F.:]{2,45}$")


class RefundSettings(_Section):
    """``pending_s`` is how long a refund stays ``pending``; ``cancel_reason`` is how it ends, None
    for success. Without waiting it ends before its answer."""

    pending_s: NonNegativeFloat = 0.0
    cancel_reason: RefundRefusal | None = None


class YooKassaSettings(_Section):
    """One shop, and how its vendor behaves.

    ``clock_offset_s`` moves the vendor's clock: what is due by then happens at once.
    ``receipt_required`` is a shop that must give receipts (54-FZ). ``fee_bps`` is the vendor's
    commission in hundredths of a percent, an assumption that only ``income_amount`` shows.
    ``hold_s``: documented "2 hours to 7 days".
    """

    shop_id: str = Field(DEFAULT_SHOP_ID, pattern=r"^\d{1,20}$")
    secret_key: str = Field(DEFAULT_SECRET_KEY, min_length=1)
    shop_name: str = Field("Sandbox shop", min_length=1, max_length=100)
    clock_offset_s: float = Field(0.0, ge=-TEN_YEARS_S, le=TEN_YEARS_S)
    notification_url: str | None = Field(None, pattern=r"^https?://[^\s/]+\S*$")
    payment_methods: tuple[Literal["bank_card", "yoo_money"], ...] = ("bank_card", "yoo_money")
    receipt_required: bool = False
    fee_bps: int = Field(350, ge=0, le=10_000)
    unpaid_s: PositiveInt = 3600
    hold_s: PositiveInt = 7 * 86_400
    key_s: PositiveInt = 86_400
    notifications: NotificationSettings = NotificationSettings()
    refunds: RefundSettings = RefundSettings()
