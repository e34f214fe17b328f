"""Routes that know who may call them, and check it before a byte of the body is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias, TypeVar, assert_never, get_args, get_origin

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hamyon.kit import log
from hamyon.kit.errors import (
    HamyonError,
    InvalidInput,
    PermissionDenied,
    TooManyRequests,
    Unauthenticated,
)
from hamyon.kit.limits import Allowed, Limiter
from hamyon.kit.web.body import BoundedBody
from hamyon.kit.web.errors import LimitUnknown
from hamyon.kit.web.exchange import ANONYMOUS, Exchange, exchange_of
from hamyon.kit.web.openapi import documented
from hamyon.kit.web.permission import (
    Access,
    Anonymous,
    Authenticator,
    Caller,
    Open,
    Operator,
    OperatorOnly,
    Role,
    Service,
    ServiceOnly,
    ServiceOrUser,
    User,
    UserOnly,
    Vendor,
    access_of,
)

ADDRESS_LIMIT: Final = "address"
"""Calls without credentials, by address."""
FAILURES_LIMIT: Final = "failures"
"""Calls whose credentials did not hold, by address; when used up, credentials of that address
are not even looked at."""
VENDOR_LIMIT: Final = "vendor"
USER_LIMIT: Final = "user"
KEY_LIMIT: Final = "key"
LIMITS_NEEDED: Final = frozenset(
    [ADDRESS_LIMIT, FAILURES_LIMIT, VENDOR_LIMIT, USER_LIMIT, KEY_LIMIT]
)

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Guard:
    """What every route asks; ``edge.install`` puts it into the application's state."""

    authenticator: Authenticator
    limiter: Limiter


class UndeclaredPermission(Exception):
    """A route does not say who may call it, so the server does not start."""


class GuardedRoute(APIRoute):
    """An APIRoute whose handler was marked with ``allow``."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        access = access_of(endpoint)
        if access is None:
            raise UndeclaredPermission(f"{path} ({endpoint.__qualname__}) lacks @allow(...)")
        self.access = access
        super().__init__(path, endpoint, **documented(access, options))
        self._lists = frozenset(
            parameter.alias
            for parameter in get_flat_params(self.dependant)
            if get_origin(parameter.field_info.annotation) is list
            or any(get_origin(part) is list for part in get_args(parameter.field_info.annotation))
        )

    def get_route_handler(self) -> Handler:
        handle, access = super().get_route_handler(), self.access

        async def guarded(request: Request) -> Response:
            exchange = exchange_of(request)
            exchange.body = body = BoundedBody(
                request.scope, request.receive, access.body_bytes_max, access.body_timeout_s
            )
            exchange.caller = await admit(request.app.state.guard, exchange, access)
            self._refuse_repeated(request)
            if body.is_read:
                return await handle(request)
            body.check_declared()
            try:
                return await handle(Request(request.scope, body.receive))
            except HTTPException as error:
                if isinstance(error.__cause__, HamyonError):
                    raise error.__cause__ from None
                raise

        return guarded

    def _refuse_repeated(self, request: Request) -> None:
        """Which of two values of one parameter is meant, nobody can know. Raises InvalidInput."""
        if b"&" not in request.scope["query_string"]:
            return
        counts = Counter(name for name, _ in request.query_params.multi_items())
        errors = [
            {"field": name[:64], "message": "given twice"}
            for name, count in counts.items()
            if count > 1 and name not in self._lists
        ]
        if errors:
            raise InvalidInput(errors=errors)


class Router(APIRouter):
    """Give it the whole prefix at once; ``include`` adds its routes as they are."""

    def __init__(self, prefix: str = "", *, tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=[*(tags or [])], route_class=GuardedRoute)


def include(app: FastAPI, *routers: Router) -> None:
    """Add the routers' routes flat: each request is matched once, against one list."""
    for router in routers:
        app.router.routes.extend(router.routes)


def check_permissions(app: FastAPI, limits: frozenset[str]) -> None:
    """Raises UndeclaredPermission unless every route is guarded and its limits exist.

    Only the documentation's own pages are let through; an included router or a mounted
    application would hide routes from the check, so they are refused too.
    """
    documents = {app.openapi_url, app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
    missing = LIMITS_NEEDED - limits
    if missing:
        raise UndeclaredPermission(f"limits that every server needs are missing: {sorted(missing)}")
    for route in app.routes:
        _check_route(route, documents, limits)


def _check_route(route: BaseRoute, documents: set[str | None], limits: frozenset[str]) -> None:
    if isinstance(route, GuardedRoute):
        if route.access.limit is not None and route.access.limit not in limits:
            raise UndeclaredPermission(f"{route.path} names no limit: {route.access.limit}")
        return
    if isinstance(route, Route) and not isinstance(route, APIRoute) and route.path in documents:
        return
    raise UndeclaredPermission(f"{getattr(route, 'path', route)!s} is not guarded")


# --- admission -----------------------------------------------------------------------------------


async def admit(guard: Guard, exchange: Exchange, access: Access) -> Caller:
    """Who calls, once it is certain that he may. Raises the refusals of DESIGN, section 5."""
    match access.permission:
        case Open():
            await count(guard.limiter, ADDRESS_LIMIT, exchange.address_key)
            if access.limit is not None:
                await count(guard.limiter, access.limit, exchange.address_key)
            return ANONYMOUS
        case Vendor():
            await count(guard.limiter, access.limit or VENDOR_LIMIT, exchange.address_key)
            return ANONYMOUS
        case ServiceOnly() | UserOnly() | ServiceOrUser() | OperatorOnly():
            known = await _authenticate(guard, exchange)
        case _ as never:
            assert_never(never)
    name, key = _limit_of(known)
    log.bind(caller=f"{name}:{key}")
    await count(guard.limiter, name, key)
    caller = await _authorize(guard.authenticator, known, access)
    if access.limit is not None:
        await count(guard.limiter, access.limit, f"{name}:{key}")
    return caller


async def count(limiter: Limiter, name: str, key: str) -> None:
    """Count one call. Raises TooManyRequests, and LimitUnknown for a closed limit."""
    decision = await limiter.check(name, key)
    if isinstance(decision, Allowed):
        return
    retry_after_s = max(1, math.ceil(decision.retry_after_s))
    if decision.because == "limit":
        raise TooManyRequests(retry_after_s=retry_after_s)
    raise LimitUnknown(retry_after_s=retry_after_s)


async def _authenticate(guard: Guard, exchange: Exchange) -> Service | User:
    secret = exchange.headers.get(b"api-key")
    scheme, _, token = exchange.headers.get(b"authorization", b"").partition(b" ")
    token = token.strip() if scheme.lower() == b"bearer" else b""
    if not secret and not token:
        await count(guard.limiter, ADDRESS_LIMIT, exchange.address_key)
        raise Unauthenticated
    refused_for_s = guard.limiter.refused_for_s(FAILURES_LIMIT, exchange.address_key)
    if refused_for_s > 0:
        raise TooManyRequests(retry_after_s=max(1, math.ceil(refused_for_s)))
    # With two credentials nobody can say who is meant.
    ambiguous = bool(exchange.twice & {b"api-key", b"authorization"}) or bool(secret and token)
    try:
        return await _verify(guard.authenticator, b"" if ambiguous else secret, token)
    except Unauthenticated:
        await count(guard.limiter, FAILURES_LIMIT, exchange.address_key)
        raise


async def _verify(
    authenticator: Authenticator, secret: bytes | None, token: bytes
) -> Service | User:
    if secret is None:
        return await authenticator.authenticate_bearer(token.decode("latin-1"))
    if not secret:
        raise Unauthenticated
    return await authenticator.authenticate_key(secret.decode("latin-1"))


def _limit_of(caller: Service | User) -> tuple[str, str]:
    if isinstance(caller, Service):
        return KEY_LIMIT, caller.key_id
    return USER_LIMIT, str(caller.user_id)


async def _authorize(
    authenticator: Authenticator, caller: Service | User, access: Access
) -> Service | User | Operator:
    match access.permission:
        case ServiceOnly(scope):
            allowed = isinstance(caller, Service) and scope in caller.scopes
        case UserOnly():
            allowed = isinstance(caller, User)
        case ServiceOrUser(scope):
            allowed = isinstance(caller, User) or scope in caller.scopes
        case OperatorOnly(role):
            return await _as_operator(authenticator, caller, role)
        case Open() | Vendor():
            raise AssertionError("open routes authenticate nobody")
        case _ as never:
            assert_never(never)
    if not allowed:
        raise PermissionDenied
    return caller


async def _as_operator(
    authenticator: Authenticator, caller: Service | User, needed: Role
) -> Operator:
    if isinstance(caller, Service):
        if "admin" not in caller.scopes:
            raise PermissionDenied
        return Operator(None, caller.name, Role.OWNER)
    role = await authenticator.role_of(caller.user_id)
    if role is None or role < needed:
        raise PermissionDenied
    return Operator(caller.user_id, str(caller.user_id), role)


# --- what handlers take --------------------------------------------------------------------------

Kind = TypeVar("Kind", bound=Caller)


def service_or_user_of(request: Request) -> Service | User:
    """Who calls, for the hottest handlers: as a dependency it costs a tenth of a balance."""
    caller = exchange_of(request).caller
    assert not isinstance(caller, Anonymous | Operator), "the route declares another permission"
    return caller


async def _service(request: Request) -> Service:
    return _narrow(request, Service)


async def _user(request: Request) -> User:
    return _narrow(request, User)


async def _operator(request: Request) -> Operator:
    return _narrow(request, Operator)


async def _service_or_user(request: Request) -> Service | User:
    return service_or_user_of(request)


def _narrow(request: Request, kind: type[Kind]) -> Kind:
    caller = exchange_of(request).caller
    assert isinstance(caller, kind), "the route declares another permission"
    return caller


ServiceCaller = Annotated[Service, Depends(_service)]
UserCaller = Annotated[User, Depends(_user)]
OperatorCaller = Annotated[Operator, Depends(_operator)]
ServiceOrUserCaller = Annotated[Service | User, Depends(_service_or_user)]


async def _exchange(request: Request) -> Exchange:
    return exchange_of(request)


RequestFacts = Annotated[Exchange, Depends(_exchange)]
"""For handlers that need the request's id, address or language."""
