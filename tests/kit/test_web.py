"""The HTTP edge over real sockets: permissions, bodies, limits, problems, addresses."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
import structlog
from fastapi import APIRouter, FastAPI, File, Request, UploadFile
from hypothesis import given
from hypothesis import strategies as st

from hamyon.kit import log
from hamyon.kit.errors import HamyonError, PermissionDenied, Unauthenticated
from hamyon.kit.limits import Limit, Limiter
from hamyon.kit.metrics import Metrics
from hamyon.kit.redis_link import RedisLink
from hamyon.kit.settings import Settings
from hamyon.kit.web import edge
from hamyon.kit.web.errors import InvalidCursor
from hamyon.kit.web.exchange import SCOPE_KEY, Exchange, client_address, network_key
from hamyon.kit.web.models import (
    JSON,
    AnswerModel,
    IdempotencyKey,
    StrictModel,
    TelegramId,
    required,
)
from hamyon.kit.web.paging import PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import (
    ADMIN,
    FINANCE,
    OPEN,
    OWNER,
    SUPPORT,
    USER,
    VENDOR,
    Authenticator,
    Permission,
    Role,
    Service,
    ServiceOnly,
    ServiceOrUser,
    User,
    acting_for,
    allow,
)
from hamyon.kit.web.problems import problem
from hamyon.kit.web.routing import (
    OperatorCaller,
    Router,
    ServiceOrUserCaller,
    UndeclaredPermission,
    UserCaller,
    include,
)
from tests.fixtures.valkey import ValkeyServer
from tests.kit.servers import free_port, serving

PLENTY = Limit(100_000, 100_000)
KIB = 1024


class UserBlocked(PermissionDenied):
    code = "user_blocked"


class Broke(HamyonError):
    code = "insufficient_funds"
    status = 402


@dataclass
class People:
    """An Authenticator over two small tables; it counts how often it was asked."""

    asked: int = 0
    roles: dict[int, Role] = field(
        default_factory=lambda: {
            1: Role.SUPPORT,
            2: Role.FINANCE,
            3: Role.ADMIN,
            4: Role.OWNER,
        }
    )
    keys: dict[str, frozenset[str]] = field(
        default_factory=lambda: {
            "orders-key": frozenset({"orders"}),
            "users-key": frozenset({"users"}),
            "admin-key": frozenset({"admin", "orders"}),
        }
    )

    async def authenticate_bearer(self, token: str) -> User:
        self.asked += 1
        head, _, number = token.partition("-")
        if head == "blocked":
            raise UserBlocked
        if head != "user" or not number.isdigit():
            raise Unauthenticated
        return User(int(number), "session")

    async def authenticate_key(self, secret: str) -> Service:
        self.asked += 1
        if secret not in self.keys:
            raise Unauthenticated
        return Service(secret, secret, self.keys[secret])

    async def role_of(self, user_id: int) -> Role | None:
        return self.roles.get(user_id)


class Body(StrictModel):
    telegram_id: TelegramId
    amount: int = 1


class Answer(AnswerModel):
    id: UUID


def routes() -> Router:
    router = Router("/api")

    @router.get("/open")
    @allow(OPEN)
    async def get_open() -> JSON:
        return JSON({"ok": True})

    guarded: dict[str, Permission] = {
        "service": ServiceOnly("orders"),
        "support": SUPPORT,
        "finance": FINANCE,
        "admin": ADMIN,
        "owner": OWNER,
        "vendor": VENDOR,
    }
    for name, permission in guarded.items():
        _add(router, name, permission)

    @router.get("/user")
    @allow(USER)
    async def get_user(caller: UserCaller) -> JSON:
        return JSON({"user_id": caller.user_id})

    @router.get("/whoami")
    @allow(SUPPORT)
    async def whoami(caller: OperatorCaller) -> JSON:
        return JSON({"user_id": caller.user_id, "name": caller.name, "role": caller.role.name})

    @router.get("/people/{telegram_id}")
    @allow(ServiceOrUser("orders"), raises=(Broke,))
    async def get_person(telegram_id: TelegramId, caller: ServiceOrUserCaller) -> JSON:
        return JSON({"telegram_id": acting_for(caller, telegram_id)})

    @router.post("/orders", status_code=201, response_model=Answer)
    @allow(ServiceOrUser("orders"), body_bytes_max=4 * KIB, body_timeout_s=0.5)
    async def submit(body: Body, caller: ServiceOrUserCaller, key: IdempotencyKey = None) -> JSON:
        required(key)
        return JSON({"id": UUID(int=acting_for(caller, body.telegram_id))}, 201)

    @router.post("/upload")
    @allow(USER, body_bytes_max=64 * KIB)
    async def upload(file: Annotated[UploadFile, File()], caller: UserCaller) -> JSON:
        return JSON({"bytes": len(await file.read()), "user_id": caller.user_id})

    @router.post("/raw")
    @allow(USER, body_bytes_max=64 * KIB)
    async def raw(request: Request) -> JSON:
        total = 0
        async for chunk in request.stream():
            total += len(chunk)
        return JSON({"bytes": total})

    @router.post("/sign-in")
    @allow(OPEN, limit="sign_in")
    async def sign_in() -> JSON:
        return JSON({})

    @router.get("/list")
    @allow(OPEN)
    async def get_list(limit: PageLimit = 20, cursor: PageCursor = None) -> JSON:
        at = decode_cursor(cursor, datetime, UUID) if cursor else None
        return JSON({"limit": limit, "at": at})

    @router.get("/fail/{how}")
    @allow(OPEN)
    async def fail(how: str) -> JSON:
        errors: Mapping[str, Exception] = {
            "broke": Broke(needed=27, balance=3),
            "bug": RuntimeError("MARKED-detail"),
            "database": asyncpg.ConnectionDoesNotExistError("gone"),
            "closing": asyncpg.InterfaceError("connection is closed"),
            "misuse": asyncpg.InterfaceError("another operation is in progress"),
            "timeout": TimeoutError(),
        }
        raise errors[how]

    return router


def _add(router: Router, name: str, permission: Permission) -> None:
    @router.get(f"/{name}")
    @allow(permission)
    async def endpoint() -> JSON:
        return JSON({"ok": True})


@dataclass
class Site:
    """One running application and what stands around it."""

    url: str
    people: People
    metrics: Metrics
    written: io.StringIO
    client: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.get(self.url + path, headers=names) as answer:
            return answer.status, await answer.json(content_type=None)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@asynccontextmanager
async def running(
    *, limits: Mapping[str, Limit] | None = None, link: RedisLink | None = None, **more: object
) -> AsyncIterator[Site]:
    names = ("address", "failures", "vendor", "user", "key", "sign_in")
    limiter = Limiter(dict.fromkeys(names, PLENTY) | dict(limits or {}), link)
    settings = Settings.model_validate({"log_format": "json", **more})
    people, metrics, written = People(), Metrics(), io.StringIO()
    log.configure(settings, stream=written)
    app = FastAPI(redirect_slashes=False)
    include(app, routes())
    edge.install(app, settings=settings, authenticator=people, limiter=limiter, metrics=metrics)
    try:
        async with serving(app) as url, aiohttp.ClientSession() as client:
            yield Site(url, people, metrics, written, client)
    finally:
        structlog.reset_defaults()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running() as started:
        yield started


def bearer(number: int) -> str:
    return f"Bearer user-{number}"


# --- permissions ---------------------------------------------------------------------------------

NOBODY: dict[str, str] = {}
WRONG_KEY = {"api_key": "no-such-key"}
OTHER_KEY = {"api_key": "users-key"}
RIGHT_KEY = {"api_key": "orders-key"}
ADMIN_KEY = {"api_key": "admin-key"}
PERSON = {"authorization": bearer(777)}
WRONG_PERSON = {"authorization": "Bearer nonsense"}
BLOCKED = {"authorization": "Bearer blocked-777"}
STAFF = [{"authorization": bearer(number)} for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("path", "allowed", "forbidden"),
    [
        ("service", [RIGHT_KEY, ADMIN_KEY], [OTHER_KEY, PERSON, BLOCKED, *STAFF]),
        ("user", [PERSON, *STAFF], [RIGHT_KEY, ADMIN_KEY, BLOCKED]),
        ("people/777", [RIGHT_KEY, PERSON], [OTHER_KEY, BLOCKED]),
        ("support", [ADMIN_KEY, *STAFF], [RIGHT_KEY, PERSON, BLOCKED]),
        ("finance", [ADMIN_KEY, *STAFF[1:]], [RIGHT_KEY, PERSON, BLOCKED, *STAFF[:1]]),
        ("admin", [ADMIN_KEY, *STAFF[2:]], [RIGHT_KEY, PERSON, BLOCKED, *STAFF[:2]]),
        ("owner", [ADMIN_KEY, *STAFF[3:]], [RIGHT_KEY, PERSON, BLOCKED, *STAFF[:3]]),
    ],
)
async def test_who_may_call(
    site: Site, path: str, allowed: list[dict[str, str]], forbidden: list[dict[str, str]]
) -> None:
    for headers in (NOBODY, WRONG_KEY, WRONG_PERSON, {"authorization": "Basic dXNlci03Nzc="}):
        status, problem = await site.get(f"/api/{path}", **headers)
        assert (status, problem["code"]) == (401, "unauthenticated"), headers
    for headers in allowed:
        assert (await site.get(f"/api/{path}", **headers))[0] == 200, headers
    for headers in forbidden:
        status, problem = await site.get(f"/api/{path}", **headers)
        expected = "user_blocked" if headers is BLOCKED else "permission_denied"
        assert (status, problem["code"]) == (403, expected), headers


async def test_open_and_vendor_ask_for_nothing(site: Site) -> None:
    for path in ("open", "vendor"):
        assert (await site.get(f"/api/{path}"))[0] == 200
    assert site.people.asked == 0


async def test_two_credentials_are_nobody(site: Site) -> None:
    status, _ = await site.get("/api/people/777", **RIGHT_KEY, **PERSON)
    assert status == 401
    headers = [("api-key", "orders-key"), ("api-key", "admin-key")]
    async with site.client.get(f"{site.url}/api/service", headers=headers) as answer:
        assert answer.status == 401


async def test_a_user_sees_only_himself(site: Site) -> None:
    assert await site.get("/api/people/5", **RIGHT_KEY) == (200, {"telegram_id": 5})
    assert await site.get("/api/people/777", **PERSON) == (200, {"telegram_id": 777})
    _, foreign = await site.get("/api/people/5", **PERSON)
    _, absent = await site.get("/api/nothing-here", **PERSON)
    for refused in (foreign, absent):
        refused.pop("request_id")
    assert foreign == absent
    assert foreign["status"] == 404


async def test_an_admin_key_acts_as_an_owner_named_after_it(site: Site) -> None:
    assert await site.get("/api/whoami", **ADMIN_KEY) == (
        200,
        {"user_id": None, "name": "admin-key", "role": "OWNER"},
    )


def _install(app: FastAPI, limiter: Limiter | None = None) -> None:
    names = ("address", "failures", "vendor", "user", "key", "sign_in")
    people: Authenticator = People()
    edge.install(
        app,
        settings=Settings(),
        authenticator=people,
        limiter=limiter or Limiter(dict.fromkeys(names, PLENTY)),
        metrics=Metrics(),
    )


def test_an_undeclared_route_stops_the_start() -> None:
    async def endpoint() -> None:
        return

    router = Router("/x")
    with pytest.raises(UndeclaredPermission):
        router.get("/y")(endpoint)

    plain, included, mounted = FastAPI(), FastAPI(), FastAPI()
    plain.get("/y")(endpoint)
    hidden = APIRouter()
    hidden.get("/y")(endpoint)
    included.include_router(hidden)
    mounted.mount("/z", FastAPI())
    for app in (plain, included, mounted):
        with pytest.raises(UndeclaredPermission):
            _install(app)


def test_a_limit_that_does_not_exist_stops_the_start() -> None:
    app = FastAPI()
    include(app, routes())
    names = ("address", "failures", "vendor", "user", "key")
    with pytest.raises(UndeclaredPermission, match="sign_in"):
        _install(app, Limiter(dict.fromkeys(names, PLENTY)))
    with pytest.raises(UndeclaredPermission, match="failures"):
        _install(FastAPI(), Limiter({"address": PLENTY}))


# --- bodies --------------------------------------------------------------------------------------


async def _send_raw(site: Site, head: str, *chunks: bytes, pause_s: float = 0.0) -> bytes:
    """Write a request by hand and read whatever comes until the server closes or is silent."""
    port = int(site.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode())
    received = bytearray()

    async def read() -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                received.extend(piece)

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(15):
            with suppress(ConnectionError):
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                    await asyncio.sleep(pause_s)
            await reading
    finally:
        reading.cancel()
        writer.close()
    return bytes(received)


def _problem_of(raw: bytes) -> tuple[int, str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    problem = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return int(head.split()[1]), str(problem["code"])


HEAD = "POST {path} HTTP/1.1\nHost: x\nAuthorization: {who}\nContent-Type: application/json\n"


async def test_a_declared_length_over_the_limit_is_refused_unread(site: Site) -> None:
    head = HEAD.format(path="/api/orders", who=bearer(777)) + f"Content-Length: {5 * KIB}\n\n"
    raw = await _send_raw(site, head)  # Not one byte of the body is sent.
    assert _problem_of(raw) == (413, "body_too_large")
    assert b"connection: close" in raw.lower()


async def test_an_endless_chunked_body_is_cut_at_the_limit(site: Site) -> None:
    head = HEAD.format(path="/api/orders", who=bearer(777)) + "Transfer-Encoding: chunked\n\n"
    chunk = b"400\r\n" + b" " * KIB + b"\r\n"
    raw = await _send_raw(site, head, *([chunk] * 20_000))
    assert _problem_of(raw) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/api/upload", "/api/raw"])
async def test_uploads_are_cut_too(site: Site, path: str) -> None:
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(b"x" * 200 * KIB), filename="a.png")
    headers = {"Authorization": bearer(777)}
    async with site.client.post(site.url + path, data=form, headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["limit_bytes"] == 64 * KIB

    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(2000):
            yield b"x" * KIB

    headers["Content-Type"] = "multipart/form-data; boundary=b"
    async with site.client.post(site.url + path, data=endless(), headers=headers) as answer:
        assert answer.status == 413


async def test_a_body_at_the_limit_passes(site: Site) -> None:
    headers = {"Authorization": bearer(777)}
    body = b"x" * 64 * KIB
    async with site.client.post(f"{site.url}/api/raw", data=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"bytes": 64 * KIB})
    body += b"x"
    async with site.client.post(f"{site.url}/api/raw", data=body, headers=headers) as answer:
        assert answer.status == 413


async def test_a_slow_body_is_given_up(site: Site) -> None:
    head = HEAD.format(path="/api/orders", who=bearer(777)) + "Content-Length: 100\n\n"
    raw = await _send_raw(site, head, *([b" "] * 10), pause_s=0.1)
    assert _problem_of(raw) == (408, "body_timeout")


async def test_who_may_not_call_is_refused_before_his_body(site: Site) -> None:
    for who, expected in [("Bearer x", 401), ("Bearer blocked-1", 403)]:
        head = HEAD.format(path="/api/orders", who=who) + "Content-Length: 3000\n\n"
        assert _problem_of(await _send_raw(site, head))[0] == expected
    # A form's parts are parsed by the framework: it must not have begun to.
    head = HEAD.format(path="/api/upload", who="Bearer x") + "Transfer-Encoding: chunked\n\n"
    assert _problem_of(await _send_raw(site, head))[0] == 401


async def test_the_answer_goes_out_first_and_the_rest_is_read_for_a_while() -> None:
    """Without the reading, closing could reset the connection before the client has its answer."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "client": None,
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    scope[SCOPE_KEY] = Exchange(scope, ())
    happened: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        happened.append("read")
        return {"type": "http.request", "body": b"x" * 1024 * KIB, "more_body": True}

    async def send(message: Mapping[str, Any]) -> None:
        happened.append("sent" if not message.get("more_body", True) else message["type"])

    await problem(Broke(), scope[SCOPE_KEY])(scope, receive, send)
    assert happened == ["http.response.start", "http.response.body", *["read"] * 8, "sent"]


async def test_nobody_listens_to_an_endless_body_without_a_route(site: Site) -> None:
    head = HEAD.format(path="/nothing", who="x") + "Transfer-Encoding: chunked\n\n"
    chunk = b"400\r\n" + b" " * KIB + b"\r\n"
    raw = await _send_raw(site, head, *([chunk] * 20_000))
    assert _problem_of(raw) == (404, "not_found")
    assert b"connection: close" in raw.lower()


async def test_a_connection_lives_on_after_a_refusal_with_a_read_body(site: Site) -> None:
    head = HEAD.format(path="/api/orders", who=bearer(777)) + "Content-Length: 2\n\n"
    last = "GET /api/open HTTP/1.1\nHost: x\nConnection: close\n\n".replace("\n", "\r\n").encode()
    raw = await _send_raw(site, head, b"{}", last, pause_s=0.2)
    assert raw.count(b"HTTP/1.1 422") == 1
    assert raw.count(b"HTTP/1.1 200") == 1


# --- input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field_name"),
    [
        ('{"telegram_id": 0}', "telegram_id"),
        ('{"telegram_id": 9223372036854775808}', "telegram_id"),
        ('{"telegram_id": 1, "surprise": 1}', "surprise"),
        ('{"telegram_id": 1, "amount": 1.5}', "amount"),
        ("{", "1"),
        ("\udcff", ""),
        ("[]", ""),
        ("", ""),
    ],
)
async def test_malformed_input_names_the_field(site: Site, body: str, field_name: str) -> None:
    headers = {"api-key": "orders-key", "Content-Type": "application/json"}
    data = body.encode(errors="surrogateescape")
    async with site.client.post(f"{site.url}/api/orders", data=data, headers=headers) as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["code"]) == (422, "invalid_input")
        assert field_name in [error["field"] for error in problem["errors"]]
        assert answer.content_type == "application/problem+json"


async def test_a_validation_answer_does_not_repeat_the_value(site: Site) -> None:
    headers = {"api-key": "orders-key"}
    body = {"telegram_id": "MARKED-value"}
    async with site.client.post(f"{site.url}/api/orders", json=body, headers=headers) as answer:
        assert answer.status == 422
        assert "MARKED" not in await answer.text()


async def test_the_key_of_a_route_that_moves_money(site: Site) -> None:
    async def submit(**more: str) -> tuple[int, str]:
        headers = {"api-key": "orders-key", **more}
        async with site.client.post(
            f"{site.url}/api/orders", json={"telegram_id": 9}, headers=headers
        ) as answer:
            return answer.status, (await answer.json(content_type=None)).get("code", "")

    assert await submit() == (422, "idempotency_key_required")
    assert await submit(**{"Idempotency-Key": "k" * 201}) == (422, "invalid_input")
    assert await submit(**{"Idempotency-Key": "a\u00e9"}) == (422, "invalid_input")
    assert await submit(**{"Idempotency-Key": "k" * 200}) == (201, "")


@given(
    st.datetimes(timezones=st.just(UTC)), st.uuids(), st.integers(-(2**63), 2**63 - 1), st.text()
)
def test_cursors_come_back_as_they_were(at: datetime, uid: UUID, number: int, word: str) -> None:
    assert decode_cursor(encode_cursor(at, uid), datetime, UUID) == (at, uid)
    assert decode_cursor(encode_cursor(number), int) == (number,)
    if "\0" not in word and word.isprintable():
        assert decode_cursor(encode_cursor(word), str) == (word,)


@given(st.one_of(st.text(), st.text(alphabet="WyIxMjMsLl0=-_ABC")))
def test_no_cursor_is_a_crash(text: str) -> None:
    for shape in (int, str, datetime, UUID):
        try:
            decode_cursor(text, shape)
        except InvalidCursor:
            continue


async def test_lists_check_their_parameters(site: Site) -> None:
    assert (await site.get("/api/list"))[1] == {"limit": 20, "at": None}
    for query in ("limit=0", "limit=101", "limit=x"):
        assert (await site.get(f"/api/list?{query}"))[1]["code"] == "invalid_input"
    for cursor in ("x", "W10", encode_cursor(1, 2), encode_cursor(2**63 - 1), "%00"):
        status, problem = await site.get(f"/api/list?cursor={cursor}")
        assert (status, problem["code"]) == (422, "invalid_cursor")
    good = encode_cursor(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7))
    assert (await site.get(f"/api/list?limit=5&cursor={good}"))[1] == {
        "limit": 5,
        "at": ["2026-01-01T00:00:00Z", str(UUID(int=7))],
    }


# --- problems ------------------------------------------------------------------------------------


async def test_a_refusal_carries_its_facts(site: Site) -> None:
    status, problem = await site.get("/api/fail/broke", X_Request_ID="abc-1")
    assert status == 402
    assert {"needed": 27, "balance": 3, "code": "insufficient_funds"}.items() <= problem.items()
    assert {"status": 402, "request_id": "abc-1"}.items() <= problem.items()
    assert {"type", "title", "detail"} <= problem.keys()


@pytest.mark.parametrize("how", ["bug", "misuse"])
async def test_our_own_mistake_is_logged_and_not_shown(site: Site, how: str) -> None:
    status, problem = await site.get(f"/api/fail/{how}", X_Request_ID="abc-2")
    assert (status, problem["code"], problem["request_id"]) == (500, "internal_error", "abc-2")
    assert "MARKED" not in str(problem)
    failure = next(event for event in site.events() if event["event"] == "unexpected_error")
    assert failure["request_id"] == "abc-2"
    assert "Traceback" in failure["exception"]


@pytest.mark.parametrize("how", ["database", "closing", "timeout"])
async def test_a_database_that_is_away_is_503(site: Site, how: str) -> None:
    async with site.client.get(f"{site.url}/api/fail/{how}") as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await answer.json(content_type=None))["code"] == "unavailable"


async def test_a_database_that_refuses_connections_is_503() -> None:
    router = Router()

    @router.get("/x")
    @allow(OPEN)
    async def endpoint() -> JSON:
        connection = await asyncpg.connect(host="127.0.0.1", port=free_port(), user="x", ssl=False)
        await connection.close()
        return JSON({})

    app = FastAPI()
    include(app, router)
    _install(app)
    async with serving(app) as url, aiohttp.ClientSession() as client, client.get(f"{url}/x") as a:
        assert a.status == 503


async def test_the_framework_s_own_errors_are_problems(site: Site) -> None:
    assert (await site.get("/nothing"))[1]["code"] == "not_found"
    async with site.client.delete(f"{site.url}/api/open") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET"
        assert (await answer.json(content_type=None))["code"] == "method_not_allowed"


# --- the edge ------------------------------------------------------------------------------------


async def test_request_ids_go_in_and_out(site: Site) -> None:
    for given_id, kept in [
        ("abc.DEF:1/2=3+4@5_6-7", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("<script>", False),
        ("a\u00e9", False),
    ]:
        async with site.client.get(
            f"{site.url}/api/open", headers={"X-Request-ID": given_id}
        ) as answer:
            assert (answer.headers["X-Request-ID"] == given_id) is kept
            assert 1 <= len(answer.headers["X-Request-ID"]) <= 128


async def test_one_access_line_without_the_query(site: Site) -> None:
    await site.get("/api/people/777?token=MARKED-query", **PERSON, X_Request_ID="line-1")
    (line,) = [event for event in site.events() if event["event"] == "request"]
    assert {
        "method": "GET",
        "path": "/api/people/777",
        "status": 200,
        "request_id": "line-1",
        "caller": "user:777",
        "address": "127.0.0.1",
    }.items() <= line.items()
    assert "MARKED" not in site.written.getvalue()


async def test_metrics_count_by_template(site: Site) -> None:
    for number in (1, 2, 3):
        await site.get(f"/api/people/{number}", **RIGHT_KEY)
        await site.get(f"/wp-admin/{number}")
    text = site.metrics.render().decode()
    template = 'method="GET",route="/api/people/{telegram_id}",status="200"'
    assert f"hamyon_http_request_seconds_count{{{template}}} 3.0" in text
    assert 'route="(none)",status="404"} 3.0' in text
    assert "wp-admin" not in text


async def test_security_headers(site: Site) -> None:
    async with site.client.get(f"{site.url}/api/user", headers={"Authorization": bearer(1)}) as own:
        assert own.headers["X-Content-Type-Options"] == "nosniff"
        assert own.headers["Referrer-Policy"] == "no-referrer"
        assert own.headers["Cache-Control"] == "no-store"
    async with site.client.get(f"{site.url}/api/open") as answer:
        assert "Cache-Control" not in answer.headers


async def test_cors_only_for_the_origins_that_were_named() -> None:
    async with running(cors_origins="https://app.example") as site:
        for path, status in (("open", 200), ("fail/bug", 500)):
            for origin, named in (("https://app.example", True), ("https://evil.example", False)):
                headers = {"Origin": origin}
                async with site.client.get(f"{site.url}/api/{path}", headers=headers) as answer:
                    assert answer.status == status
                    assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is named


async def test_no_cors_without_the_setting(site: Site) -> None:
    headers = {"Origin": "https://app.example"}
    async with site.client.get(f"{site.url}/api/open", headers=headers) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


NETS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.2.2", "1.1.1.1"),
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1:4711", "1.1.1.1"),
        ("fd00::1", "[2001:db8::1]:80", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"),
        ("", "1.1.1.1", ""),
    ],
)
def test_forwarded_addresses(peer: str, forwarded: str | None, client: str) -> None:
    raw = forwarded.encode() if forwarded is not None else None
    assert client_address(peer, raw, NETS) == client
    assert client_address(peer, raw, ()) == peer


def test_a_household_is_one_address() -> None:
    assert network_key("2001:db8:1:2::1") == network_key("2001:db8:1:2:ffff::9")
    assert network_key("2001:db8:1:2::1") != network_key("2001:db8:1:3::1")
    assert network_key("1.2.3.4") == "1.2.3.4"


# --- limits --------------------------------------------------------------------------------------

FEW = Limit(0.001, 5)


async def test_an_address_is_limited_whatever_it_forges() -> None:
    async with running(limits={"address": FEW}) as site:
        statuses = []
        for number in range(20):
            path = ("/api/open", "/API/open", "/api/open/", "//api/open", "/nothing")[number % 5]
            headers = {"X-Forwarded-For": f"1.2.3.{number}", "Forwarded": f"for=1.2.3.{number}"}
            async with site.client.get(site.url + path, headers=headers) as answer:
                statuses.append(answer.status)
                if answer.status == 429:
                    assert int(answer.headers["Retry-After"]) >= 1
        assert statuses.count(429) == 15
        assert (await site.get("/api/user", **PERSON))[0] == 200, "who signed in is not concerned"


async def test_behind_a_trusted_proxy_addresses_differ() -> None:
    async with running(limits={"address": FEW}, trusted_proxies="127.0.0.0/8") as site:
        for number in range(20):
            assert (await site.get("/api/open", X_Forwarded_For=f"1.2.3.{number}"))[0] == 200
        forged = [
            (await site.get("/api/open", X_Forwarded_For=f"9.9.9.{n}, 5.5.5.5"))[0]
            for n in range(10)
        ]
        assert forged.count(200) == 5


async def test_each_caller_has_his_own_limit() -> None:
    async with running(limits={"user": FEW, "key": FEW}) as site:
        for headers in (PERSON, RIGHT_KEY, {"authorization": bearer(778)}):
            answers = [(await site.get("/api/people/777", **headers))[0] for _ in range(8)]
            assert answers[5:] == [429, 429, 429], headers


async def test_wrong_credentials_are_soon_not_looked_at(own_valkey: ValkeyServer) -> None:
    link = RedisLink(own_valkey.url, timeout_s=5)
    async with running(limits={"failures": FEW}, link=link) as site:
        statuses = [
            (await site.get("/api/user", authorization=f"Bearer x{n}"))[0] for n in range(12)
        ]
        assert statuses == [401] * 5 + [429] * 7
        assert site.people.asked <= 6
        assert (await site.get("/api/open"))[0] == 200
    await link.close()


async def test_a_closed_limit_without_redis_refuses_and_others_go_on(
    own_valkey: ValkeyServer,
) -> None:
    link = RedisLink(own_valkey.url, timeout_s=5)
    closed = Limit(0.001, 5, fail_closed=True)
    async with running(limits={"sign_in": closed, "address": FEW}, link=link) as site:
        async with site.client.post(f"{site.url}/api/sign-in") as answer:
            assert answer.status == 200
        own_valkey.kill()
        async with site.client.post(f"{site.url}/api/sign-in") as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await site.get("/api/open"))[0] == 200
    await link.close()


# --- the document --------------------------------------------------------------------------------


async def test_the_document_tells_permissions_and_refusals(site: Site) -> None:
    _, document = await site.get("/openapi.json")
    operations = {
        path: operation for path, item in document["paths"].items() for operation in item.values()
    }
    assert operations["/api/open"]["security"] == []
    assert operations["/api/people/{telegram_id}"]["security"] == [{"api-key": []}, {"bearer": []}]
    assert operations["/api/finance"]["x-permission"] == "operator:finance"
    assert (
        "`insufficient_funds`"
        in operations["/api/people/{telegram_id}"]["responses"]["402"]["description"]
    )
    assert "413" in operations["/api/orders"]["responses"]
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["securitySchemes"].keys() == {"api-key", "bearer"}
