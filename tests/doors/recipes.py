"""How each route is called on somebody's things; a route that lacks here fails the matrix."""

from __future__ import annotations

from tests.doors.broadcasts import OF_BROADCASTS
from tests.doors.calls import REASON, Call, Recipe, Things, at, numbers, of_user, post
from tests.doors.desk import OF_DESK
from tests.doors.money_recipes import OF_MONEY
from tests.media.pictures import picture


def _of_order(path: str, done: int = 200) -> Recipe:
    def call(its: Things) -> Call:
        return Call(f"/api/v1/generations/{its.order}{path}?telegram_id={its.user}")

    return Recipe(call, done, thing=True)


def _to_order(path: str, done: int) -> Recipe:
    def call(its: Things) -> Call:
        return Call(f"/api/v1/generations/{its.order}{path}", {"telegram_id": its.user})

    return Recipe(call, done, thing=True)


def _wish(its: Things) -> dict[str, object]:
    return {
        "telegram_id": its.user,
        "model": "seedream-v4",
        "prompt": "a fox",
        "size": "1024*1024",
        "use_trial": False,
    }


_price = {"amount": 27, "unit": "picture", "reason": "the matrix"}

RECIPES: dict[str, Recipe] = {
    **OF_MONEY,
    **OF_BROADCASTS,
    **OF_DESK,
    "GET /": at("/"),
    "GET /health": at("/health"),
    "GET /metrics": at("/metrics"),
    "GET /openapi.json": at("/openapi.json"),
    "GET /docs": at("/docs"),
    "GET /redoc": at("/redoc"),
    "GET /docs/assets/{name}": at("/docs/assets/swagger-ui.css"),
    "GET /api/v1/info": at("/api/v1/info"),
    "GET /api/v1/health": at("/api/v1/health"),
    "GET /api/v1/users/{telegram_id}/balance": of_user("/api/v1/users/{user}/balance"),
    "GET /api/v1/users/{telegram_id}/ledger": of_user("/api/v1/users/{user}/ledger"),
    "GET /api/v1/users/{telegram_id}/trial": of_user("/api/v1/users/{user}/trial"),
    "POST /api/v1/users/sync": post("/api/v1/users/sync", lambda its: {"telegram_id": its.user}),
    "GET /api/v1/admin/users": at("/api/v1/admin/users"),
    "GET /api/v1/admin/users/{telegram_id}": of_user("/api/v1/admin/users/{user}"),
    "POST /api/v1/admin/users/{telegram_id}/block": post(
        "/api/v1/admin/users/{user}/block", lambda _: REASON
    ),
    "POST /api/v1/admin/users/{telegram_id}/unblock": post(
        "/api/v1/admin/users/{user}/unblock", lambda _: REASON
    ),
    # Nobody can forge these: an answer of 401 is what everybody gets.
    "POST /api/v1/auth/telegram/miniapp": post(
        "/api/v1/auth/telegram/miniapp",
        lambda its: {"init_data": f"user=%7B%22id%22%3A{its.user}%7D&auth_date=1&hash=" + "0" * 64},
        401,
    ),
    "POST /api/auth/telegram": post(
        "/api/auth/telegram", lambda its: {"id": its.user, "auth_date": 1, "hash": "0" * 64}, 401
    ),
    "POST /api/v1/auth/refresh": post(
        "/api/v1/auth/refresh", lambda its: {"refresh_token": its.key}, 401
    ),
    "POST /api/v1/auth/logout": post("/api/v1/auth/logout", lambda _: None),
    "POST /api/v1/auth/logout_all": post("/api/v1/auth/logout_all", lambda _: None),
    "GET /api/v1/admin/audit_log": at("/api/v1/admin/audit_log"),
    "GET /api/v1/admin/roles": at("/api/v1/admin/roles"),
    "POST /api/v1/admin/roles": post(
        "/api/v1/admin/roles", lambda its: {"telegram_id": its.user, "role": "support"}
    ),
    "DELETE /api/v1/admin/roles/{telegram_id}": Recipe(
        lambda its: Call(f"/api/v1/admin/roles/{its.user}"), 204
    ),
    "GET /api/v1/admin/service_keys": at("/api/v1/admin/service_keys"),
    "POST /api/v1/admin/service_keys": post(
        "/api/v1/admin/service_keys",
        lambda _: {"name": f"made-{next(numbers)}", "scopes": ["users"]},
        201,
    ),
    "POST /api/v1/admin/service_keys/{key_id}/rotate": post(
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
    "GET /api/v1/models": at("/api/v1/models"),
    "GET /api/v1/sizes": at("/api/v1/sizes"),
    "POST /api/v1/generations/price": post(
        "/api/v1/generations/price", lambda its: {"telegram_id": its.user, "model": "seedream-v4"}
    ),
    "POST /api/v1/generations/submit": post(
        "/api/v1/generations/submit",
        lambda its: {**_wish(its), "references": [its.upload]},
        202,
        thing=True,
    ),
    "POST /api/v1/generations/{generation_id}/retry": _to_order("/retry", 202),
    "GET /api/v1/generations/active": of_user("/api/v1/generations/active?telegram_id={user}"),
    "GET /api/v1/generations": of_user("/api/v1/generations?telegram_id={user}"),
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
    "GET /api/v1/admin/health": at("/api/v1/admin/health"),
    "GET /api/v1/admin/stats": at("/api/v1/admin/stats"),
    "GET /api/v1/admin/queue": at("/api/v1/admin/queue"),
    "POST /api/v1/admin/credits": post(
        "/api/v1/admin/credits",
        lambda its: {"telegram_id": its.user, "amount": 5, "reason": "the matrix"},
    ),
    "GET /api/v1/admin/orders": at("/api/v1/admin/orders"),
    "POST /api/v1/admin/orders/{order_id}/refund": post(
        "/api/v1/admin/orders/{order}/refund", lambda _: {"amount": 1, **REASON}, thing=True
    ),
    # The order is settled: who may decide hears that there is nothing to decide.
    "POST /api/v1/admin/orders/{order_id}/resolve": post(
        "/api/v1/admin/orders/{order}/resolve",
        lambda _: {"decision": "charge", "note": "the matrix"},
        409,
        thing=True,
    ),
    "GET /api/v1/admin/models": at("/api/v1/admin/models"),
    "GET /api/v1/admin/models/{key}": Recipe(
        lambda its: Call(f"/api/v1/admin/models/{its.model}"), thing=True
    ),
    "PATCH /api/v1/admin/models/{key}": post(
        "/api/v1/admin/models/{model}", lambda _: {"sort": 1}, thing=True
    ),
    "PUT /api/v1/admin/models/{key}/price": post(
        "/api/v1/admin/models/{model}/price", lambda _: _price, thing=True
    ),
    "GET /api/v1/admin/providers": at("/api/v1/admin/providers"),
    "POST /api/v1/admin/providers/{name}/pause": post(
        "/api/v1/admin/providers/{provider}/pause", lambda _: REASON, thing=True
    ),
    "POST /api/v1/admin/providers/{name}/resume": post(
        "/api/v1/admin/providers/{provider}/resume", lambda _: REASON, thing=True
    ),
}
