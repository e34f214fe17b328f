"""What other slices may hold of a person, a role, a sign-in and a service's key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NewType, Protocol, get_args
from uuid import UUID

from hamyon.kit.cache import Cache
from hamyon.kit.clock import Clock
from hamyon.kit.db import Connection, Pool
from hamyon.kit.settings import Settings
from hamyon.kit.texts import Language
from hamyon.kit.web.permission import Operator, Role, Scope, Service

SessionId = NewType("SessionId", UUID)
ServiceKeyId = NewType("ServiceKeyId", UUID)

TELEGRAM_ID_MAX: Final = 2**63 - 1
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_REFERRAL_CODE: Final = re.compile(r"ref_([1-9][0-9]{0,18})", re.ASCII)

Origin = Literal["miniapp", "widget"]
"""Which proof of Telegram's opened a login session."""


def referral_code(user_id: int) -> str:
    """What a person gives to those whom he invites."""
    return f"ref_{user_id}"


def referrer_of_code(code: str | None) -> int | None:
    """Whose referral code this is; None for anything else."""
    match = _REFERRAL_CODE.fullmatch(code or "")
    if match is None or int(match[1]) > TELEGRAM_ID_MAX:
        return None
    return int(match[1])


@dataclass(frozen=True, slots=True)
class User:
    """A person. ``id`` is his Telegram id."""

    id: int
    username: str | None
    first_name: str | None
    last_name: str | None
    language: Language
    referrer_id: int | None
    advertising_source: str | None
    language_chosen: bool
    blocked_at: datetime | None
    blocked_reason: str | None
    created_at: datetime
    seen_at: datetime

    @property
    def referral_code(self) -> str:
        """What he gives to those whom he invites."""
        return referral_code(self.id)

    @property
    def is_blocked(self) -> bool:
        """Blocked people are refused at every door."""
        return self.blocked_at is not None


UserStatus = Literal["active", "blocked"]


@dataclass(frozen=True, slots=True)
class UserPage:
    """``next_after`` is what the next page starts behind; None on the last one."""

    users: Sequence[User]
    next_after: tuple[datetime, int] | None


def role_name(role: Role) -> str:
    """How a role is written in the database and in JSON."""
    return role.name.lower()


def role_of_name(name: str) -> Role:
    """The inverse of ``role_name``. Raises KeyError."""
    return Role[name.upper()]


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Who has which role, and who gave it."""

    user_id: int
    role: Role
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service's key without its secret, of which only a hash is kept."""

    id: ServiceKeyId
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class NewServiceKey:
    """A key just made: the only moment at which its secret is known."""

    key: ServiceKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """A key that the environment brings (``API_KEY``, ``ADMIN_API_KEY``); it has no row."""

    caller: Service
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoginSession:
    """One sign-in and every token that came of it."""

    id: SessionId
    user_id: int
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A login session as operators see it."""

    id: SessionId
    origin: Origin
    address: str | None
    created_at: datetime
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """How many people there are, and who of them is new by the calendar."""

    total: int
    new_today: int
    new_week: int
    new_month: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a signed-in person holds. ``expires_in_s`` is the access token's life."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a genuine access token says."""

    user_id: int
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Contact:
    """What was just learned about a person.

    ``given`` names the fields that were told at all: an absent one leaves what we know as it is,
    a told None erases it. ``referral_code`` and ``source``, the advertisement that he came from,
    count only for somebody new.
    """

    user_id: int
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    language_code: str | None = None
    referral_code: str | None = None
    source: str | None = None
    given: frozenset[str] = frozenset({"username", "first_name", "last_name"})


@dataclass(frozen=True, slots=True)
class Synced:
    """``is_new`` is true for exactly one caller in a person's life."""

    user: User
    is_new: bool
    referral_applied: bool


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who came through one of Telegram's doors."""

    synced: Synced
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class TelegramPerson:
    """A person as a proof of Telegram's describes him. ``proof_hash`` tells proofs apart."""

    id: int
    first_name: str | None
    last_name: str | None
    username: str | None
    language_code: str | None
    start_param: str | None
    auth_date: datetime
    proof_hash: bytes


class FirstContact(Protocol):
    """Told in the transaction that creates a person; welcome gifts live behind it.

    ``user.referrer_id`` is already decided; ``code`` is what he came with, as it was given.
    Raising undoes the creation.
    """

    async def on_first_contact(
        self, connection: Connection, user: User, code: str | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition about a row ``users u``, as a slice's store writes it.

    ``sql`` names its values ``{0}``, ``{1}``...; who builds the whole statement numbers them.
    """

    sql: str
    values: tuple[object, ...] = ()


class SegmentSource(Protocol):
    """What one slice knows of people that a segment may ask for."""

    @property
    def criteria(self) -> frozenset[str]:
        """The criteria of a segment that it answers."""
        ...

    def condition(self, criterion: str, value: object) -> Condition:
        """The people for whom the criterion has this value, which its caller has checked."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that an operator did. ``before`` and ``after`` are JSON values."""

    actor: str
    action: str
    subject: str
    before: object = None
    after: object = None
    reason: str | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """A row of the audit log."""

    id: int
    at: datetime
    act: Act


@dataclass(frozen=True, slots=True)
class Acting:
    """An operator in the middle of a request: what the audit log says of his acts."""

    operator: Operator
    address: str | None = None
    request_id: str | None = None

    @property
    def actor(self) -> str:
        """``user:777``, or ``key:name`` for a service that acts as an owner."""
        if self.operator.user_id is None:
            return f"key:{self.operator.name}"
        return f"user:{self.operator.user_id}"

    def act(
        self,
        action: str,
        subject: str,
        *,
        before: object = None,
        after: object = None,
        reason: str | None = None,
    ) -> Act:
        """One thing that he does."""
        return Act(
            self.actor, action, subject, before, after, reason, self.address, self.request_id
        )


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people come in. ``bot_token`` None: they cannot, and no proof is ever valid."""

    bot_token: str | None = field(repr=False)
    jwt_secret: bytes = field(repr=False)
    proof_ttl_s: int
    access_ttl_s: int
    refresh_ttl_s: int
    first_contacts: Sequence[FirstContact] = ()


class Needs(Protocol):
    """What the routes of this slice take from the application's state."""

    @property
    def pool(self) -> Pool: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def sign_in(self) -> SignIn: ...
