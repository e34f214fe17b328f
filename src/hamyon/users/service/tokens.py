"""Access tokens: short-lived JWTs that name a person and his login session, and nothing else.

Roles and blocks are not in them: a token would remember what has changed since.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jwt

from hamyon.kit.errors import Unauthenticated
from hamyon.kit.ids import new_id
from hamyon.kit.settings import Settings
from hamyon.users.errors import TokenExpired
from hamyon.users.types import TELEGRAM_ID_MAX, AccessClaims, SessionId

ALGORITHM: Final = "HS256"
ISSUER: Final = "hamyon"
AUDIENCE: Final = "hamyon-api"
TYPE: Final = "access"
TOKEN_CHARACTERS_MAX: Final = 2048
SECRET_BYTES_MIN: Final = 32
CLOCK_SKEW_S: Final = 60
SECRET_FILE: Final = "jwt_secret"  # noqa: S105 -- a file's name


def issue_access_token(
    secret: bytes, user_id: int, session_id: SessionId, *, ttl_s: int, now: datetime
) -> str:
    """A signed token that holds ``ttl_s`` seconds."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "jti": new_id().hex,
        "iat": issued_at,
        "exp": issued_at + ttl_s,
        "typ": TYPE,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_access_token(secret: bytes, token: str, *, now: datetime) -> AccessClaims:
    """What a genuine token says. Raises TokenExpired for an old one, else Unauthenticated.

    Whether its session is still open is not asked here.
    """
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise Unauthenticated
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            # Times are checked below, by our own clock.
            options={
                "require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise Unauthenticated from error
    return _checked(claims, now.timestamp())


def _checked(claims: dict[str, Any], now_s: float) -> AccessClaims:
    issued_at, expires_at, subject = claims["iat"], claims["exp"], claims["sub"]
    if claims["typ"] != TYPE or type(issued_at) is not int or type(expires_at) is not int:
        raise Unauthenticated
    if issued_at > now_s + CLOCK_SKEW_S:
        raise Unauthenticated
    if expires_at <= now_s:
        raise TokenExpired
    try:
        session_id = SessionId(UUID(claims["sid"]))
        user_id = int(subject)
    except (ValueError, TypeError, AttributeError) as error:
        raise Unauthenticated from error
    if not 0 < user_id <= TELEGRAM_ID_MAX:
        raise Unauthenticated
    return AccessClaims(user_id, session_id)


def jwt_secret(settings: Settings) -> bytes:
    """``JWT_SECRET``; on a laptop without one, random bytes kept in ``HAMYON_HOME``.

    Raises ValueError when it is missing in production or shorter than 32 bytes, and OSError.
    """
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value().encode()
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"JWT_SECRET must have at least {SECRET_BYTES_MIN} bytes")
        return secret
    if settings.environment == "production":
        raise ValueError("JWT_SECRET is missing; it signs what people sign in with")
    return _kept_secret(settings.hamyon_home / SECRET_FILE)


def _kept_secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Several processes may start at once: linking a finished file lets exactly one win, and
        # nobody ever reads half a secret.
        fresh = path.with_name(f"{path.name}.{new_id().hex}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES_MIN))
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES_MIN:
        raise ValueError(f"{path} is damaged; remove it, and everybody signs in anew")
    return secret
