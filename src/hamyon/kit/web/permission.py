"""Who calls, who may, and how a route says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, Protocol, TypeAlias, TypeVar

from hamyon.kit.errors import HamyonError, InvalidInput, NotFound

Scope: TypeAlias = Literal[
    "users", "media", "orders", "payments", "rewards", "traffic", "metrics", "admin"
]
"""What a service key may do; ``admin`` acts as an owner named after the key."""


class Role(IntEnum):
    """Operators; each may what those before it may."""

    SUPPORT = 1
    FINANCE = 2
    ADMIN = 3
    OWNER = 4


# --- callers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular: open routes, and vendors whose routes verify them by themselves."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program with an ``api-key``."""

    key_id: str
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in person. ``user_id`` is the Telegram id."""

    user_id: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Operator:
    """A person with a role, or (``user_id`` None) a service key with the scope ``admin``."""

    user_id: int | None
    name: str
    role: Role


Caller: TypeAlias = Anonymous | Service | User | Operator


class Authenticator(Protocol):
    """Turns credentials into callers. The slice ``users`` implements it."""

    async def authenticate_bearer(self, token: str) -> User:
        """Raises Unauthenticated, or PermissionDenied's kin ``user_blocked`` for the blocked."""
        ...

    async def authenticate_key(self, secret: str) -> Service:
        """Raises Unauthenticated for an unknown, expired or revoked key."""
        ...

    async def role_of(self, user_id: int) -> Role | None:
        """The role that the database says now; None for who is no operator."""
        ...


# --- permissions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """Everybody."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's webhook; the route checks its signature or address before anything else."""


@dataclass(frozen=True, slots=True)
class ServiceOnly:
    """A key with the scope."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class UserOnly:
    """A signed-in person, for himself."""


@dataclass(frozen=True, slots=True)
class ServiceOrUser:
    """A key with the scope, for anybody; or a signed-in person, for himself."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class OperatorOnly:
    """An operator of at least this role."""

    role: Role


Permission: TypeAlias = Open | Vendor | ServiceOnly | UserOnly | ServiceOrUser | OperatorOnly

OPEN: Final = Open()
VENDOR: Final = Vendor()
USER: Final = UserOnly()
SUPPORT: Final = OperatorOnly(Role.SUPPORT)
FINANCE: Final = OperatorOnly(Role.FINANCE)
ADMIN: Final = OperatorOnly(Role.ADMIN)
OWNER: Final = OperatorOnly(Role.OWNER)

BODY_BYTES_MAX: Final = 256 * 1024
BODY_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Access:
    """What a route says about its callers.

    ``limit`` names a stricter limit on top of the caller's own, counted by address on open
    routes and by caller elsewhere. ``raises`` is documentation: the refusals of this route.
    """

    permission: Permission
    body_bytes_max: int = BODY_BYTES_MAX
    body_timeout_s: float = BODY_TIMEOUT_S
    limit: str | None = None
    raises: tuple[type[HamyonError], ...] = ()


_ATTRIBUTE: Final = "__hamyon_access__"
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def allow(
    permission: Permission,
    *,
    body_bytes_max: int = BODY_BYTES_MAX,
    body_timeout_s: float = BODY_TIMEOUT_S,
    limit: str | None = None,
    raises: tuple[type[HamyonError], ...] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Declare who may call a handler; it stands below the route's own decorator."""
    access = Access(permission, body_bytes_max, body_timeout_s, limit, raises)

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, access)
        return endpoint

    return declare


def access_of(endpoint: Callable[..., object]) -> Access | None:
    """What ``allow`` declared; None when nothing was."""
    access = getattr(endpoint, _ATTRIBUTE, None)
    return access if isinstance(access, Access) else None


def acting_for(caller: Service | User, telegram_id: int) -> int:
    """The person the request is about.

    A service may name anyone. A user may name himself; anybody else is answered like somebody
    who does not exist. Raises NotFound. It does not know who is blocked: the service called
    with the result checks that.
    """
    if isinstance(caller, User) and caller.user_id != telegram_id:
        raise NotFound
    return telegram_id


def owner_of(caller: Service | User, telegram_id: int | None) -> int:
    """The person meant: a service must name one, a signed-in person is meant by himself.

    Raises InvalidInput, and NotFound as ``acting_for`` does.
    """
    if telegram_id is None:
        if isinstance(caller, User):
            return caller.user_id
        raise InvalidInput(errors=[{"field": "telegram_id", "message": "is required"}])
    return acting_for(caller, telegram_id)


def caller_name(caller: Service | User) -> str:
    """Whose keys of idempotency these are."""
    return f"user:{caller.user_id}" if isinstance(caller, User) else f"key:{caller.key_id}"
