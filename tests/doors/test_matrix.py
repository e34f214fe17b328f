"""Every route x every kind of caller, on a stranger's things.

The routes are those of the application, what must happen follows from the permission that the
OpenAPI document declares, and only how a route is called stands in ``recipes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from hamyon.kit.web.openapi import permission_label
from hamyon.kit.web.permission import OPEN, allow
from hamyon.kit.web.routing import GuardedRoute, Router, UndeclaredPermission
from hamyon.surfaces.http import app as application
from hamyon.surfaces.http.app import create_app
from hamyon.surfaces.http.types import Needs
from tests.doors.calls import ABSENT, Recipe, Things
from tests.doors.permissions import PERMISSIONS
from tests.doors.recipes import RECIPES
from tests.doors.scene import (
    ADMIN,
    BLOCKED,
    FINANCE,
    OTHER,
    SUPPORT,
    VICTIM,
    Scene,
    everything,
    open_scene,
    uploaded,
)
from tests.doors.shop import promo_code, purchases_of
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, working

ROLES = {"support": 1, "finance": 2, "admin": 3, "owner": 4}
OPERATORS = {SUPPORT: "support", FINANCE: "finance", ADMIN: "admin"}


@dataclass(frozen=True, slots=True)
class Door:
    """A route by its method; ``permission`` as the document says it."""

    method: str
    path: str
    permission: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str | None:
        """What a service needs to pass; None where none passes."""
        head = self.permission.partition("|")[0]
        return head.removeprefix("service:") if head.startswith("service:") else None

    @property
    def role(self) -> str | None:
        return self.permission.removeprefix("operator:") if self.is_operators else None

    @property
    def is_operators(self) -> bool:
        return self.permission.startswith("operator:")

    @property
    def lets_users(self) -> bool:
        return self.permission == "user" or self.permission.endswith("|user")

    @property
    def is_open(self) -> bool:
        return self.permission in {"open", "vendor"}

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.name]


def doors(app: FastAPI) -> list[Door]:
    """Every route and method. What the document shows must be what the route checks."""
    shown = app.openapi()["paths"]
    found = []
    for route in app.routes:
        assert isinstance(route, GuardedRoute)
        label = permission_label(route.access.permission)
        for method in sorted(route.methods or ()):
            if route.include_in_schema:
                assert shown[route.path_format][method.lower()]["x-permission"] == label
            found.append(Door(method, route.path_format, label))
    return found


def unknown(app: FastAPI) -> set[str]:
    """Routes without a recipe, and recipes without a route."""
    return {door.name for door in doors(app)} ^ RECIPES.keys()


# --- what nobody may forget ----------------------------------------------------------------------


@pytest.fixture
async def needs(launch: Launch) -> Needs:
    return (await launch(worker=False)).deps


async def test_every_route_has_a_recipe(needs: Needs) -> None:
    app = create_app(needs)
    assert unknown(app) == set()
    stray = Router("/api/v1")

    @stray.get("/stray")
    @allow(OPEN)
    async def endpoint() -> None: ...

    app.router.routes.extend(stray.routes)
    app.openapi_schema = None
    assert unknown(app) == {"GET /api/v1/stray"}


async def test_every_route_declares_what_the_contract_says(needs: Needs) -> None:
    """The matrix believes what routes declare, so this is where a door left open is seen."""
    declared: dict[str, set[str]] = {}
    for door in doors(create_app(needs)):
        declared.setdefault(door.permission, set()).add(door.name)
    assert declared == PERMISSIONS


async def test_a_route_without_a_permission_stops_the_start(
    needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endpoint() -> None: ...

    with pytest.raises(UndeclaredPermission, match="/stray"):
        Router("/stray").get("")(endpoint)
    smuggled = Router()
    smuggled.routes.append(APIRoute("/smuggled", endpoint))
    monkeypatch.setitem(application.PRODUCTS, "images", (smuggled,))
    with pytest.raises(UndeclaredPermission, match="/smuggled is not guarded"):
        create_app(needs)


# --- the matrix ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Matrix:
    """Calls and keeps what was answered otherwise than expected."""

    scene: Scene
    things: Things
    calls: int = 0
    wrong: list[str] = field(default_factory=list)

    async def expect(
        self, door: Door, who: str, headers: dict[str, str], its: Things, status: int
    ) -> bytes:
        """Call as ``who``; the answer's body without the request's id and the ids it repeats."""
        call = door.recipe.call(its)
        options = call.options()
        sent = {**headers, **options.pop("headers", {})}
        got, body, answered = await self.scene.call(door.method, call.path, headers=sent, **options)
        self.calls += 1
        if got != status:
            about = "absent" if its == ABSENT else "named"
            self.wrong.append(f"{door.name} as {who}, {about}: {got} for {status}: {body[:200]!r}")
        return _bare(body, answered["x-request-id"], its)

    def same(self, door: Door, who: str, foreign: bytes, absent: bytes) -> None:
        """What is foreign and what is absent cannot be told apart."""
        if foreign != absent:
            self.wrong.append(f"{door.name} as {who}: {foreign!r} is not {absent!r}")


def _bare(body: bytes, request_id: str, its: Things) -> bytes:
    for spelling in (request_id, *its.spellings()):
        body = body.replace(spelling.encode(), b"*")
    return body


def refused(door: Door) -> Iterator[tuple[str, int]]:
    """Who must not pass this door, and what he hears."""
    if door.is_open:
        return
    yield "nobody", 401
    yield "blocked", 403
    yield f"without {door.scope or 'admin'}", 403
    if door.is_operators:
        yield "other", 403
        for user_id, role in OPERATORS.items():
            if ROLES[role] < ROLES[door.role or "owner"]:
                yield str(user_id), 403
    elif door.permission == f"service:{door.scope}":
        yield "other", 403
        for user_id in OPERATORS:
            yield str(user_id), 403
    elif door.scope is not None and door.recipe.personal:
        yield "other", 404
        for user_id in OPERATORS:
            yield str(user_id), 404


async def credentials(scene: Scene, who: str) -> dict[str, str]:
    match who:
        case "nobody":
            return {}
        case "blocked":
            return {"Authorization": f"Bearer {scene.tokens[BLOCKED]}"}
        case "other":
            return await scene.bearer(OTHER)
        case "victim":
            return await scene.bearer(VICTIM)
        case "owner":
            return scene.owner()
        case _ if who.startswith("without "):
            return await scene.key_without(who.removeprefix("without "))
        case _:
            return await scene.bearer(int(who))


async def refuse(matrix: Matrix, door: Door) -> None:
    """Nobody of those who must not gets through, whatever he names."""
    scene, recipe = matrix.scene, door.recipe
    for who, status in refused(door):
        headers = await credentials(scene, who)
        foreign = await matrix.expect(door, who, headers, matrix.things, status)
        absent = await matrix.expect(door, who, headers, ABSENT, status)
        matrix.same(door, who, foreign, absent)
    if door.is_open and recipe.thing:
        foreign = await matrix.expect(door, "nobody", {}, matrix.things, recipe.done)
        absent = await matrix.expect(door, "nobody", {}, ABSENT, recipe.done)
        matrix.same(door, "nobody", foreign, absent)
    if door.lets_users and recipe.thing:
        # In his own name, with a stranger's thing.
        headers = await scene.bearer(OTHER)
        own, none = (replace(its, user=OTHER) for its in (matrix.things, ABSENT))
        foreign = await matrix.expect(door, "other by himself", headers, own, 404)
        absent = await matrix.expect(door, "other by himself", headers, none, 404)
        matrix.same(door, "other by himself", foreign, absent)


async def admit(matrix: Matrix, door: Door) -> None:
    """Who may, does: without it, a wrong recipe would look like a closed door."""
    scene, done = matrix.scene, door.recipe.done
    rightful = ["nobody"] if door.is_open else []
    if door.is_operators:
        needed = ROLES[door.role or "owner"]
        rightful += [str(user) for user, role in OPERATORS.items() if ROLES[role] >= needed]
    if door.lets_users:
        rightful += ["victim"] if door.recipe.personal else ["victim", "other"]
    if door.scope is not None or door.is_operators:
        rightful.append("owner")
    for who in rightful:
        if door.permission == "user":
            scene.tokens.pop(VICTIM, None)
        fresh = door.recipe.fresh
        its = await fresh(scene, matrix.things) if fresh is not None else matrix.things
        await matrix.expect(door, who, await credentials(scene, who), its, done)
        if door.permission == "user":
            scene.tokens.pop(VICTIM, None)


async def test_nobody_sees_or_touches_anothers(launch: Launch, sandbox: Sandbox) -> None:
    # Behind a proxy, so that forgers have another address than the vendors have.
    scene = await open_scene(
        launch,
        sandbox,
        worker=False,
        webhooks=True,
        max_parallel_generations_per_user=100,
        trusted_proxies=("127.0.0.0/8",),
    )
    # Nobody works while it is looked at whether anything was written.
    async with working(scene.service):
        things = await things_of(scene, sandbox)
    matrix = Matrix(scene, things)
    every = doors(create_app(scene.service.deps))
    for door in every:
        for who, _ in refused(door):
            await credentials(scene, who)
    before = await everything(scene.service)
    for door in every:
        await refuse(matrix, door)
    assert not matrix.wrong, "\n".join(matrix.wrong)
    assert await everything(scene.service) == before
    for door in every:
        await admit(matrix, door)
    assert not matrix.wrong, "\n".join(matrix.wrong)
    assert matrix.calls > 10 * len(every)


async def things_of(scene: Scene, sandbox: Sandbox) -> Things:
    """A finished order, a picture, a key and payments, all real; drawings know him, too."""
    api = scene.service.api
    known = {"chat_id": VICTIM, "username": "victim"}
    assert (await scene.call("POST", "/users", headers=scene.owner(), json=known))[0] == 201
    upload = await uploaded(scene, VICTIM)
    order = await api.ordered(VICTIM, references=[upload["upload_id"]])
    assert (await api.ended(VICTIM, order))["status"] == "completed"
    key = await scene.admin("POST", "/admin/service_keys", {"name": "victims", "scopes": ["users"]})
    signed = upload["url"].removeprefix(scene.service.settings.base_url)
    assert (await scene.call("GET", signed))[0] == 200
    return Things(
        user=VICTIM,
        order=order,
        job=str((await scene.service.job(order))["id"]),
        upload=upload["upload_id"],
        key=key.body["id"],
        path=signed.removeprefix("/files/").partition("?")[0],
        bought=await purchases_of(scene, sandbox, VICTIM),
    )


NAMING_SOMEBODY_BLOCKED = (
    "POST /api/v1/payments/stars/invoice",
    "POST /api/v1/payments/checkout",
    "GET /api/v1/referrals/{telegram_id}",
    "POST /api/v1/promo_codes/redeem",
    "POST /users",
    "GET /users/{chat_id}",
    "POST /users/{chat_id}/daily_bonus",
    "GET /pricing",
    "POST /users/{chat_id}/create_payment",
)


async def test_a_service_can_do_nothing_for_somebody_blocked(
    launch: Launch, sandbox: Sandbox
) -> None:
    """He neither buys nor redeems nor claims, and what is refused leaves no trace."""
    scene = await open_scene(launch, sandbox, worker=False)
    victim = {"chat_id": VICTIM}
    assert (await scene.call("POST", "/users", headers=scene.owner(), json=victim))[0] == 201
    bought = replace(ABSENT.bought, promo=await promo_code(scene))
    await scene.admin("POST", f"/admin/users/{VICTIM}/block", {"reason": "a test"})
    matrix = Matrix(scene, replace(ABSENT, user=VICTIM, bought=bought))
    before = await everything(scene.service)
    every = {door.name: door for door in doors(create_app(scene.service.deps))}
    for name in NAMING_SOMEBODY_BLOCKED:
        said = await matrix.expect(every[name], "owner", scene.owner(), matrix.things, 403)
        assert orjson.loads(said)["code"] == "user_blocked", name
    assert not matrix.wrong, "\n".join(matrix.wrong)
    assert await everything(scene.service) == before


async def test_an_operator_who_lost_his_role_is_one_no_more(launch: Launch) -> None:
    """The role is asked for at every call: nothing remembers what somebody was."""
    scene = await open_scene(launch, worker=False)
    headers = await scene.bearer(ADMIN)
    path = "/api/v1/admin/audit_log"
    assert (await scene.call("GET", path, headers=headers))[0] == 200
    await scene.admin("DELETE", f"/admin/roles/{ADMIN}")
    status, body, _ = await scene.call("GET", path, headers=headers)
    assert (status, orjson.loads(body)["code"]) == (403, "permission_denied")
