"""What can be switched in the simulated Telegram, through ``POST /_control/settings``."""

from __future__ import annotations

from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    model_validator,
)

DEFAULT_TOKEN = "777000:sandbox-token-0123456789abcdefghijk"  # noqa: S105 - Opens nothing real.
TOKEN_PATTERN = r"^[1-9][0-9]{0,15}:[A-Za-z0-9_-]{35}$"  # noqa: S105 - It is a pattern.


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BotSettings(_Section):
    """One bot. Its id is what stands before the colon of its token."""

    token: str = Field(DEFAULT_TOKEN, pattern=TOKEN_PATTERN)
    username: str = Field("hamyon_sandbox_bot", pattern=r"^[A-Za-z][A-Za-z0-9_]{4,31}$")
    first_name: str = Field("Hamyon Sandbox", min_length=1, max_length=64)

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])


class UpdateSettings(_Section):
    """What befalls updates of every kind that is not ``spared``.

    ``lost``: they never reach the bot. ``copies``: how often each is delivered, under one id.
    ``reorder``: each one waits up to ``reorder_wait_s`` for the next, which then goes first.
    Pre-checkout queries are spared at first, because without them nobody could pay.
    """

    lost: bool = False
    copies: int = Field(1, ge=1, le=50)
    reorder: bool = False
    reorder_wait_s: NonNegativeFloat = 0.5
    spared: tuple[str, ...] = ("pre_checkout_query",)


class WebhookSettings(_Section):
    """``retry_scale`` multiplies the waits between attempts. ``timeout_s`` is an assumption."""

    timeout_s: PositiveFloat = 60.0
    retry_scale: float = Field(1.0, gt=0)


class TelegramSettings(_Section):
    """``star_balance`` is what each person has before the first payment."""

    bots: tuple[BotSettings, ...] = Field((BotSettings(),), min_length=1)
    pre_checkout_timeout_s: PositiveFloat = 10.0
    star_balance: NonNegativeInt = 1_000_000
    updates: UpdateSettings = UpdateSettings()
    webhooks: WebhookSettings = WebhookSettings()

    @model_validator(mode="after")
    def _bots_differ(self) -> Self:
        if len({bot.id for bot in self.bots}) < len(self.bots):
            raise ValueError("two bots have the same id")
        return self
