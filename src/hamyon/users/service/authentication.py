"""The door that every request goes through: ``kit.web``'s Authenticator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from hamyon.kit.cache import Cache, Namespace
from hamyon.kit.clock import Clock
from hamyon.kit.db import Pool
from hamyon.kit.web.permission import Role, Service, User
from hamyon.users.errors import SessionEnded
from hamyon.users.service import operators, people
from hamyon.users.service.service_keys import KEYS, service_of_key
from hamyon.users.service.sessions import SESSIONS
from hamyon.users.service.tokens import read_access_token
from hamyon.users.store import access as store
from hamyon.users.types import AccessClaims, EnvironmentKey, LoginSession

REMEMBERED_MAX: Final = 50_000

NAMESPACES: Final[tuple[Namespace[Any], ...]] = (SESSIONS, KEYS, people.BLOCKED)
"""What the cache must be told of; the profiles' namespace depends on a setting."""


class DatabaseAuthenticator:
    """Believes tokens and keys as far as the database says now.

    Sessions, blocks and keys are remembered for up to a minute and forgotten in every process
    when they change; roles are asked for every time.
    """

    def __init__(
        self,
        pool: Pool,
        cache: Cache,
        clock: Clock,
        *,
        jwt_secret: bytes,
        environment_keys: Sequence[EnvironmentKey] = (),
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._clock = clock
        self._jwt_secret = jwt_secret
        self._environment_keys = environment_keys
        self._touched: OrderedDict[int, datetime] = OrderedDict()

    async def authenticate_bearer(self, token: str) -> User:
        """Raises Unauthenticated, TokenExpired, SessionEnded and UserBlocked."""
        now = self._clock.now()
        claims = read_access_token(self._jwt_secret, token, now=now)
        session = await self._session(claims)
        if session.ended_at is not None or session.user_id != claims.user_id:
            raise SessionEnded
        await people.require_not_blocked(self._pool, self._cache, claims.user_id)
        await self._touch(claims.user_id, now)
        return User(claims.user_id, str(claims.session_id))

    async def authenticate_key(self, secret: str) -> Service:
        """Raises Unauthenticated."""
        return await service_of_key(
            self._pool,
            self._cache,
            secret,
            environment=self._environment_keys,
            now=self._clock.now(),
        )

    async def role_of(self, user_id: int) -> Role | None:
        """From the database, at every call."""
        return await operators.role_of(self._pool, user_id)

    async def _session(self, claims: AccessClaims) -> LoginSession:
        async def load() -> LoginSession:
            session = await store.session(self._pool, claims.session_id)
            if session is None:
                raise SessionEnded
            return session

        return await self._cache.get(SESSIONS, str(claims.session_id), load)

    async def _touch(self, user_id: int, now: datetime) -> None:
        last = self._touched.pop(user_id, None)
        due = last is None or now - last >= people.SEEN_AT_MOST_EVERY
        self._touched[user_id] = now if due or last is None else last
        if len(self._touched) > REMEMBERED_MAX:
            self._touched.popitem(last=False)
        if due:
            await people.touch(self._pool, user_id, now=now)
