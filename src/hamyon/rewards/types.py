"""What other slices may hold of rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple, NewType, Protocol, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.money import Asset
from hamyon.kit.settings import Settings

BonusId = NewType("BonusId", int)
DiscountId = NewType("DiscountId", int)
TrialEnd = Literal["used", "returned"]
BonusState = Literal["held", "granted", "canceled"]

SHARED_ASSETS: Final = frozenset({Asset.CREDIT, Asset.TOKEN})
"""What an inviter gets his percent of. Revivals are too few and too dear to be divided."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A person's free orders of one product. ``used`` counts the reserved ones too."""

    used: int
    limit: int
    last_used_at: datetime | None

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, 0)


# --- bonuses -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReferralTerms:
    """What inviting people brings. ``daily_cap`` 0: no cap; it counts for each asset alone."""

    percent: int
    first_payment_only: bool
    join_bonus: int
    daily_cap: int
    hold_days: int
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(
            settings.referral_bonus_percent,
            settings.referral_first_payment_only,
            settings.referral_join_bonus_credits,
            settings.referral_daily_cap,
            settings.referral_hold_days,
            settings.zone,
        )

    @property
    def hold(self) -> timedelta:
        """How long a bonus waits before it is granted."""
        return timedelta(days=self.hold_days)


@dataclass(frozen=True, slots=True)
class Deposit:
    """A payment that brought ``granted`` of ``asset`` to a person at ``at``."""

    user_id: int
    payment_id: UUID
    asset: str
    granted: int
    at: datetime


class BonusKind(StrEnum):
    """Why somebody got a bonus."""

    REFERRAL = "referral"
    REFERRAL_JOIN = "referral_join"
    REFERRAL_FIRST = "referral_first"
    PROMO_PERCENT = "promo_percent"


@dataclass(frozen=True, slots=True)
class NewBonus:
    """A bonus to be written. ``due_at`` None: it is granted at once, else held until then."""

    key: str
    kind: BonusKind
    user_id: int
    from_user_id: int | None
    payment_id: UUID | None
    asset: str
    amount: int
    at: datetime
    zone: ZoneInfo
    due_at: datetime | None = None

    @property
    def day(self) -> date:
        """The local day by which an inviter's cap is counted."""
        return self.at.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Bonus:
    """What somebody got, or will get, because of another one's act or payment.

    ``held``: it waits for its day. ``granted``: the ledger holds ``amount - taken_back`` of it.
    ``canceled``: a refund took all of it before it was granted.
    """

    id: BonusId
    key: str
    kind: BonusKind
    user_id: int
    from_user_id: int | None
    payment_id: UUID | None
    asset: str
    amount: int
    taken_back: int
    state: BonusState

    @property
    def left(self) -> int:
        """What refunds have left of it."""
        return self.amount - self.taken_back


@dataclass(frozen=True, slots=True)
class Taking:
    """What one refund took of one bonus. ``posted`` False: on paper, while it was held."""

    bonus: Bonus
    amount: int
    posted: bool


# --- referral as it is shown ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Referral:
    """What inviting has brought a person: ``earned`` by asset, without what refunds took."""

    invited_count: int
    paid_invited_count: int
    earned: Mapping[str, int]


class ReferralFlag(StrEnum):
    """What makes an operator look twice."""

    MANY_JOINS_UNPAID = "many_joins_unpaid"
    INVITER_BLOCKED = "inviter_blocked"
    INVITED_BLOCKED = "invited_blocked"


@dataclass(frozen=True, slots=True)
class Relative:
    """The inviter of a person, or one whom he invited, and what the inviter earned by it."""

    user_id: int
    username: str | None
    joined_at: datetime
    is_blocked: bool
    has_paid: bool
    earned: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReferralTree:
    """One level up and one down; ``next_before`` is where the next page of invited ones begins."""

    user_id: int
    own: Referral
    inviter: Relative | None
    invited: Sequence[Relative]
    flags: Sequence[ReferralFlag]
    next_before: tuple[datetime, int] | None


# --- promo codes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PromoTerms:
    """What a code gives, to whom and when: ``amount`` of ``asset``, or ``percent`` on top of the
    next payment. ``products`` None: all of them."""

    asset: str | None
    amount: int | None
    percent: int | None
    total_limit: int | None
    per_user_limit: int
    valid_from: datetime | None
    valid_until: datetime | None
    products: Sequence[str] | None
    active: bool

    def is_valid(self, now: datetime) -> bool:
        """Switched on, and neither too early nor too late."""
        begun = self.valid_from is None or self.valid_from <= now
        ended = self.valid_until is not None and self.valid_until <= now
        return self.active and begun and not ended


@dataclass(frozen=True, slots=True)
class PromoCode:
    """``code`` is normalised, ``shown`` is as its author wrote it."""

    code: str
    shown: str
    terms: PromoTerms
    uses: int
    created_by: str
    created_at: datetime

    @property
    def is_used_up(self) -> bool:
        """All of its uses are gone."""
        return self.terms.total_limit is not None and self.uses >= self.terms.total_limit


@dataclass(frozen=True, slots=True)
class PromoUse:
    """One redemption. ``payment_id``: the payment that a percentage was used by."""

    id: int
    code: str
    user_id: int
    use: int
    asset: str | None
    amount: int | None
    percent: int | None
    payment_id: UUID | None
    used_at: datetime

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return f"promo:{self.code}:{self.user_id}:{self.use}"


@dataclass(frozen=True, slots=True)
class PromoGuard:
    """When a person was wrong lately, and until when he may not try."""

    wrong_at: Sequence[datetime]
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Redemption:
    """Somebody's wish to redeem what he typed. ``caller`` and ``key`` make it idempotent."""

    user_id: int
    typed: str
    product: str | None = None
    caller: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code gave. ``balance``: of that asset, afterwards; None for a percentage."""

    code: str
    asset: str | None
    amount: int | None
    percent: int | None
    balance: int | None


# --- the daily bonus and the discount -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """A day's bonus, how many days in a row it was, and when the next one can be had."""

    granted: int
    streak: int
    next_at: datetime


class DailyStatus(NamedTuple):
    """``streak`` 0: a day was missed, or none was ever claimed."""

    claimed_today: bool
    streak: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A one-time discount that its person has not used yet."""

    id: DiscountId
    percent: int


class Needs(Protocol):
    """What the tasks of rewards take from wiring."""

    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
