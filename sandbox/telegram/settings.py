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
    PositiveInt,
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


class LimitSettings(_Section):
    """How fast a bot may send; None is no limit. Edits and chat actions are not counted.

    ``per_second``: over all chats, in any second. ``paid_per_second``: with allow_paid_broadcast,
    which ``paid_broadcasts_enabled`` (BotFather's switch) allows. ``per_chat_per_second``, after
    ``per_chat_burst`` at once. ``per_group_per_minute``: in any minute. ``retry_after_s`` takes
    the place of the time after which there is room again.
    """

    per_second: PositiveInt | None = None
    paid_per_second: PositiveInt | None = None
    paid_broadcasts_enabled: bool = False
    per_chat_per_second: PositiveFloat | None = None
    per_chat_burst: PositiveInt = 1
    per_group_per_minute: PositiveInt | None = None
    retry_after_s: PositiveInt | None = None


class TelegramSettings(_Section):
    """``star_balance`` is what each person has before the first payment. With
    ``people_must_start`` a bot may write only to who has written to it before.
    ``callback_lifetime_s`` is how long a tap may be answered, and an assumption.
    """

    bots: tuple[BotSettings, ...] = Field((BotSettings(),), min_length=1)
    pre_checkout_timeout_s: PositiveFloat = 10.0
    star_balance: NonNegativeInt = 1_000_000
    people_must_start: bool = False
    callback_lifetime_s: PositiveFloat = 150.0
    limits: LimitSettings = LimitSettings()
    updates: UpdateSettings = UpdateSettings()
    webhooks: WebhookSettings = WebhookSettings()

    @model_validator(mode="after")
    def _bots_differ(self) -> Self:
        if len({bot.id for bot in self.bots}) < len(self.bots):
            raise ValueError("two bots have the same id")
        return self
