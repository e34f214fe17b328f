"""What can be refused about people, sign-in, roles and keys."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound, PermissionDenied, Unauthenticated


class UserNotFound(NotFound):
    code = "user_not_found"


class UserBlocked(PermissionDenied):
    """An operator closed this person's account."""

    code = "user_blocked"


class ProtectedUser(PermissionDenied):
    """An operator may block only people whose role is lower than his own; never himself."""

    code = "protected_user"


class SignInUnavailable(HamyonError):
    """No bot token is configured, so no proof of Telegram's can be checked."""

    code = "sign_in_unavailable"
    status = 503


class SignInRefused(Unauthenticated):
    """The proof is malformed, or was not signed by Telegram for our bot."""

    code = "sign_in_refused"


class SignInExpired(Unauthenticated):
    """The proof was genuine, but is too old or was used before; a new one helps."""

    code = "sign_in_expired"


class TokenExpired(Unauthenticated):
    """The access token is genuine and too old; the refresh token gets a new one."""

    code = "token_expired"


class SessionEnded(Unauthenticated):
    """Logged out, expired, or ended because a refresh token was used twice; sign in again."""

    code = "session_ended"


class RoleNotFound(NotFound):
    code = "role_not_found"


class LastOwner(HamyonError):
    """Somebody must be left who can grant roles."""

    code = "last_owner"
    status = 409


class ServiceKeyNotFound(NotFound):
    code = "service_key_not_found"


class ServiceKeyNameTaken(HamyonError):
    """``name`` belongs to a valid key; rotate that one instead."""

    code = "service_key_name_taken"
    status = 409


class RotationUnderWay(HamyonError):
    """Two keys of this ``name`` are valid already; revoke one first."""

    code = "rotation_under_way"
    status = 409
