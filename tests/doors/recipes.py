"""How each route is called on somebody's things; a route that lacks here fails the matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from tests.media.pictures import picture

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Things:
    """Somebody and what is his: the things of the person that the matrix calls about."""

    user: int
    order: str
    job: str
    upload: str
    key: str
    path: str
    model: str = "seedream-v4"
    provider: str = "wavespeed"

    def spellings(self) -> list[str]:
        """The ids as an answer may repeat them."""
        raw = [str(self.user), self.order, self.job, self.upload, self.key, self.path]
        return [*raw, self.model, self.provider]


ABSENT = Things(
    user=79_999,
    order=str(UUID(int=1, version=4)),
    job=str(UUID(int=2, version=4)),
    upload=str(UUID(int=3, version=4)),
    key=str(UUID(int=4, version=4)),
    path="uploads/00/" + "0" * 64 + ".jpg",
    model="absent",
    provider="absent",
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``form``: sent as multipart instead of JSON."""

    path: str
    json: object = None
    form: dict[str, str | bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """As aiohttp takes it; made anew each time, since a form can be sent once."""
        if self.form is None:
            return {"json": self.json, "headers": self.headers} if self.json is not None else {}
        form = aiohttp.FormData()
        for name, value in self.form.items():
            filename = "a.png" if isinstance(value, bytes) else None
            form.add_field(name, value, filename=filename)
        return {"data": form, "headers": self.headers}


@dataclass(frozen=True, slots=True)
class Recipe:
    """``done``: what the rightful caller gets. ``thing``: the call names more than a person."""

    call: Callable[[Things], Call]
    done: int = 200
    thing: bool = False


def _at(path: str, done: int = 200) -> Recipe:
    return Recipe(lambda _: Call(path), done)


def _of_user(path: str) -> Recipe:
    return Recipe(lambda its: Call(path.format(user=its.user)))


def _of_order(path: str, done: int = 200) -> Recipe:
    def call(its: Things) -> Call:
        return Call(f"/api/v1/generations/{its.order}{path}?telegram_id={its.user}")

    return Recipe(call, done, thing=True)


def _to_order(path: str, done: int) -> Recipe:
    def call(its: Things) -> Call:
        return Call(f"/api/v1/generations/{its.order}{path}", {"telegram_id": its.user})

    return Recipe(call, done, thing=True)


def _post(
    path: str, body: Callable[[Things], object], done: int = 200, *, thing: bool = False
) -> Recipe:
    def call(its: Things) -> Call:
        filled = path.format(user=its.user, order=its.order, key=its.key, model=its.model,
                             provider=its.provider)  # fmt: skip
        return Call(filled, body(its), headers={"Idempotency-Key": f"matrix-{next(_numbers)}"})

    return Recipe(call, done, thing=thing)


def _wish(its: Things) -> dict[str, object]:
    return {
        "telegram_id": its.user,
        "model": "seedream-v4",
        "prompt": "a fox",
        "size": "1024*1024",
        "use_trial": False,
    }


_reason = {"reason": "the matrix"}
_price = {"amount": 27, "unit": "picture", "reason": "the matrix"}

RECIPES: dict[str, Recipe] = {
    "GET /": _at("/"),
    "GET /health": _at("/health"),
    "GET /metrics": _at("/metrics"),
    "GET /openapi.json": _at("/openapi.json"),
    "GET /docs": _at("/docs"),
    "GET /redoc": _at("/redoc"),
    "GET /docs/assets/{name}": _at("/docs/assets/swagger-ui.css"),
    "GET /api/v1/info": _at("/api/v1/info"),
    "GET /api/v1/health": _at("/api/v1/health"),
    "GET /api/v1/users/{telegram_id}/balance": _of_user("/api/v1/users/{user}/balance"),
    "GET /api/v1/users/{telegram_id}/ledger": _of_user("/api/v1/users/{user}/ledger"),
    "GET /api/v1/users/{telegram_id}/trial": _of_user("/api/v1/users/{user}/trial"),
    "POST /api/v1/users/sync": _post("/api/v1/users/sync", lambda its: {"telegram_id": its.user}),
    "GET /api/v1/admin/users": _at("/api/v1/admin/users"),
    "GET /api/v1/admin/users/{telegram_id}": _of_user("/api/v1/admin/users/{user}"),
    "POST /api/v1/admin/users/{telegram_id}/block": _post(
        "/api/v1/admin/users/{user}/block", lambda _: _reason
    ),
    "POST /api/v1/admin/users/{telegram_id}/unblock": _post(
        "/api/v1/admin/users/{user}/unblock", lambda _: _reason
    ),
    # Nobody can forge these: an answer of 401 is what everybody gets.
    "POST /api/v1/auth/telegram/miniapp": _post(
        "/api/v1/auth/telegram/miniapp",
        lambda its: {"init_data": f"user=%7B%22id%22%3A{its.user}%7D&auth_date=1&hash=" + "0" * 64},
        401,
    ),
    "POST /api/auth/telegram": _post(
        "/api/auth/telegram", lambda its: {"id": its.user, "auth_date": 1, "hash": "0" * 64}, 401
    ),
    "POST /api/v1/auth/refresh": _post(
        "/api/v1/auth/refresh", lambda its: {"refresh_token": its.key}, 401
    ),
    "POST /api/v1/auth/logout": _post("/api/v1/auth/logout", lambda _: None),
    "POST /api/v1/auth/logout_all": _post("/api/v1/auth/logout_all", lambda _: None),
    "GET /api/v1/admin/audit_log": _at("/api/v1/admin/audit_log"),
    "GET /api/v1/admin/roles": _at("/api/v1/admin/roles"),
    "POST /api/v1/admin/roles": _post(
        "/api/v1/admin/roles", lambda its: {"telegram_id": its.user, "role": "support"}
    ),
    "DELETE /api/v1/admin/roles/{telegram_id}": Recipe(
        lambda its: Call(f"/api/v1/admin/roles/{its.user}"), 204
    ),
    "GET /api/v1/admin/service_keys": _at("/api/v1/admin/service_keys"),
    "POST /api/v1/admin/service_keys": _post(
        "/api/v1/admin/service_keys",
        lambda _: {"name": f"made-{next(_numbers)}", "scopes": ["users"]},
        201,
    ),
    "POST /api/v1/admin/service_keys/{key_id}/rotate": _post(
        "/api/v1/admin/service_keys/{key}/rotate", lambda _: {"overlap_hours": 1}, 201
    ),
    "DELETE /api/v1/admin/service_keys/{key_id}": Recipe(
        lambda its: Call(f"/api/v1/admin/service_keys/{its.key}"), 204
    ),
    "POST /api/v1/media/upload": Recipe(
        lambda its: Call(
            "/api/v1/media/upload",
            form={"telegram_id": str(its.user), "file": picture("PNG", seed=9)},
        ),
        201,
    ),
    # A path without its signature opens nothing to anybody.
    "GET /files/{path}": Recipe(lambda its: Call(f"/files/{its.path}"), 404, thing=True),
    "GET /api/v1/models": _at("/api/v1/models"),
    "GET /api/v1/sizes": _at("/api/v1/sizes"),
    "POST /api/v1/generations/price": _post(
        "/api/v1/generations/price", lambda its: {"telegram_id": its.user, "model": "seedream-v4"}
    ),
    "POST /api/v1/generations/submit": _post(
        "/api/v1/generations/submit",
        lambda its: {**_wish(its), "references": [its.upload]},
        202,
        thing=True,
    ),
    "POST /api/v1/generations/{generation_id}/retry": _to_order("/retry", 202),
    "GET /api/v1/generations/active": _of_user("/api/v1/generations/active?telegram_id={user}"),
    "GET /api/v1/generations": _of_user("/api/v1/generations?telegram_id={user}"),
    "GET /api/v1/generations/{generation_id}": _of_order(""),
    "POST /api/v1/generations/{generation_id}/refresh": _to_order("/refresh", 200),
    "GET /api/v1/generations/{generation_id}/results": _of_order("/results"),
    "POST /api/v1/generations/{generation_id}/cancel": _to_order("/cancel", 409),
    "GET /api/v1/generations/{generation_id}/events": _of_order("/events"),
    "POST /api/v1/webhooks/{engine}/{job_id}": Recipe(
        lambda its: Call(
            f"/api/v1/webhooks/wavespeed/{its.job}?token=" + "0" * 40, {"id": its.job}
        ),
        404,
        thing=True,
    ),
    "GET /api/v1/admin/health": _at("/api/v1/admin/health"),
    "GET /api/v1/admin/stats": _at("/api/v1/admin/stats"),
    "GET /api/v1/admin/queue": _at("/api/v1/admin/queue"),
    "POST /api/v1/admin/credits": _post(
        "/api/v1/admin/credits",
        lambda its: {"telegram_id": its.user, "amount": 5, "reason": "the matrix"},
    ),
    "GET /api/v1/admin/orders": _at("/api/v1/admin/orders"),
    "POST /api/v1/admin/orders/{order_id}/refund": _post(
        "/api/v1/admin/orders/{order}/refund", lambda _: {"amount": 1, **_reason}, thing=True
    ),
    # The order is settled: who may decide hears that there is nothing to decide.
    "POST /api/v1/admin/orders/{order_id}/resolve": _post(
        "/api/v1/admin/orders/{order}/resolve",
        lambda _: {"decision": "charge", "note": "the matrix"},
        409,
        thing=True,
    ),
    "GET /api/v1/admin/models": _at("/api/v1/admin/models"),
    "GET /api/v1/admin/models/{key}": Recipe(
        lambda its: Call(f"/api/v1/admin/models/{its.model}"), thing=True
    ),
    "PATCH /api/v1/admin/models/{key}": _post(
        "/api/v1/admin/models/{model}", lambda _: {"sort": 1}, thing=True
    ),
    "PUT /api/v1/admin/models/{key}/price": _post(
        "/api/v1/admin/models/{model}/price", lambda _: _price, thing=True
    ),
    "GET /api/v1/admin/providers": _at("/api/v1/admin/providers"),
    "POST /api/v1/admin/providers/{name}/pause": _post(
        "/api/v1/admin/providers/{provider}/pause", lambda _: _reason, thing=True
    ),
    "POST /api/v1/admin/providers/{name}/resume": _post(
        "/api/v1/admin/providers/{provider}/resume", lambda _: _reason, thing=True
    ),
}
