"""Access tokens hold: nothing but our own fresh ones is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from hamyon.kit.errors import Unauthenticated
from hamyon.kit.ids import new_id
from hamyon.kit.settings import Settings
from hamyon.users.errors import TokenExpired
from hamyon.users.service.tokens import issue_access_token, jwt_secret, read_access_token
from hamyon.users.types import SessionId

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = b"0123456789abcdef0123456789abcdef"
SESSION = SessionId(new_id())


def _issued(secret: bytes = SECRET) -> str:
    return issue_access_token(secret, 777, SESSION, ttl_s=3600, now=NOW)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _claims() -> dict[str, Any]:
    return jwt.decode(_issued(), options={"verify_signature": False})


def _forged(header: object, claims: object, key: bytes, digest: str = "sha256") -> str:
    """A token put together by hand, since PyJWT refuses to make most of these."""
    signed = f"{_part(header)}.{_part(claims)}"
    signature = hmac.digest(key, signed.encode(), digest)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_genuine_token_names_person_and_session_only() -> None:
    claims = read_access_token(SECRET, _issued(), now=NOW)

    assert (claims.user_id, claims.session_id) == (777, SESSION)
    assert set(_claims()) == {"iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ"}


def test_a_hand_made_token_with_our_key_would_be_believed() -> None:
    """So the forgeries below are refused for what is wrong with them, not for how they are made."""
    token = _forged({"alg": "HS256", "typ": "JWT"}, _claims(), SECRET)
    assert read_access_token(SECRET, token, now=NOW).user_id == 777


def test_life_ends_to_the_second_and_only_then_it_says_expired() -> None:
    last = read_access_token(SECRET, _issued(), now=NOW + timedelta(seconds=3599))
    assert last.user_id == 777
    with pytest.raises(TokenExpired):
        read_access_token(SECRET, _issued(), now=NOW + timedelta(seconds=3600))
    with pytest.raises(Unauthenticated) as refused:
        read_access_token(b"x" * 32, _issued(), now=NOW + timedelta(days=9))
    assert refused.type is Unauthenticated


def _edited(**changes: object) -> Callable[[], str]:
    def make() -> str:
        claims = {**_claims(), **changes}
        kept = {name: value for name, value in claims.items() if value is not ...}
        return _forged({"alg": "HS256"}, kept, SECRET)

    return make


def _none(name: str) -> Callable[[], str]:
    return lambda: f"{_part({'alg': name})}.{_part(_claims())}."


PUBLIC_KEY = b"""-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf
9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==
-----END PUBLIC KEY-----
"""


def _with_own_key() -> str:
    own = {"kty": "oct", "k": base64.urlsafe_b64encode(b"y" * 32).decode()}
    return _forged({"alg": "HS256", "jwk": own, "kid": "/dev/null"}, _claims(), b"y" * 32)


FORGERIES: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "words": lambda: "a.b.c",
    "not latin": lambda: "Ў.Ў.Ў",
    "nested header": lambda: "W1tb" * 400 + ".e30.e30",
    "endless": lambda: _issued() + "A" * 5000,
    "other secret": lambda: _issued(b"z" * 32),
    "empty key": lambda: _forged({"alg": "HS256"}, _claims(), b""),
    "alg none": _none("none"),
    "alg None": _none("None"),
    "alg NONE": _none("NONE"),
    "alg empty": _none(""),
    "signature cut off": lambda: _issued().rsplit(".", 1)[0] + ".",
    "HS512": lambda: _forged({"alg": "HS512"}, _claims(), SECRET, "sha512"),
    "says RS256, signed by HMAC": lambda: _forged({"alg": "RS256"}, _claims(), SECRET),
    "signed by a public key": lambda: _forged({"alg": "HS256"}, _claims(), PUBLIC_KEY),
    "RS256": lambda: _forged({"alg": "RS256"}, _claims(), b"x" * 256),
    "brings its own key": _with_own_key,
    "payload swapped": lambda: ".".join(
        [_issued().split(".")[0], _part({**_claims(), "sub": "1"}), _issued().split(".")[2]]
    ),
    "typ refresh": _edited(typ="refresh"),
    "no typ": _edited(typ=...),
    "other issuer": _edited(iss="hamyon2"),
    "no issuer": _edited(iss=...),
    "other audience": _edited(aud="hamyon-admin"),
    "audience among others": _edited(aud=["hamyon-api", "x"]),
    "no audience": _edited(aud=...),
    "no subject": _edited(sub=...),
    "subject a number": _edited(sub=777),
    "subject words": _edited(sub="777 or 1"),
    "subject negative": _edited(sub="-1"),
    "subject too big": _edited(sub=str(2**63)),
    "no session": _edited(sid=...),
    "session words": _edited(sid="1"),
    "session a number": _edited(sid=1),
    "no id": _edited(jti=...),
    "no expiry": _edited(exp=...),
    "expiry words": _edited(exp="tomorrow"),
    "expiry a float": _edited(exp=NOW.timestamp() + 0.5),
    "expiry true": _edited(exp=True),
    "issued in the future": _edited(iat=int(NOW.timestamp()) + 61),
    "not issued": _edited(iat=...),
    "expired": _edited(exp=int(NOW.timestamp())),
    "claims a list": lambda: _forged({"alg": "HS256"}, [1], SECRET),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        read_access_token(SECRET, FORGERIES[name](), now=NOW)
    assert refused.value.status == 401


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hashing_the_secret_is_not_the_secret() -> None:
    token = _forged({"alg": "HS256"}, _claims(), hashlib.sha256(SECRET).digest())
    with pytest.raises(Unauthenticated):
        read_access_token(SECRET, token, now=NOW)


# --- where the secret comes from -----------------------------------------------------------------


def _settings(home: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, hamyon_home=home, **values)


def test_a_laptop_keeps_one_random_secret_for_itself(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: jwt_secret(_settings(home)), range(16)))

    assert len(found) == 1
    assert len(found.pop()) == 64
    assert list(home.iterdir()) == [home / "jwt_secret"]
    assert stat.S_IMODE((home / "jwt_secret").stat().st_mode) == 0o600
    assert jwt_secret(_settings(tmp_path / "other")) != jwt_secret(_settings(home))


def test_a_damaged_or_short_secret_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("short")
    with pytest.raises(ValueError, match="damaged"):
        jwt_secret(_settings(tmp_path))
    with pytest.raises(ValueError, match="32 bytes"):
        jwt_secret(_settings(tmp_path, jwt_secret=SecretStr("x" * 31)))
    assert jwt_secret(_settings(tmp_path, jwt_secret=SecretStr("x" * 32))) == b"x" * 32


def test_production_makes_no_secret_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JWT_SECRET is missing"):
        jwt_secret(_settings(tmp_path, environment="production"))
    assert list(tmp_path.iterdir()) == []
