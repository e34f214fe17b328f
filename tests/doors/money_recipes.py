"""How the routes of payments, rewards and drawings' people are called."""

from __future__ import annotations

from dataclasses import replace

from tests.doors import shop
from tests.doors.calls import REASON, Call, Recipe, Things, at, numbers, of_user, post
from tests.doors.scene import Scene


async def _open_mismatch(scene: Scene, its: Things) -> Things:
    number = await shop.mismatch(scene, its.bought.rubles)
    return replace(its, bought=replace(its.bought, mismatch=number))


def _for_everybody(path: str) -> Recipe:
    return Recipe(lambda _: Call(path), personal=False)


def _of_payment(path: str, payment: str = "rubles") -> Recipe:
    """What operators look at."""
    return Recipe(lambda its: Call(path.format(payment=getattr(its.bought, payment))), thing=True)


def _notification(its: Things) -> Call:
    """As somebody might forge it: the vendor's own comes from its networks."""
    told = {"id": its.bought.external, "status": "succeeded", "paid": True}
    body = {"type": "notification", "event": "payment.succeeded", "object": told}
    address = {"X-Forwarded-For": "203.0.113.66"}
    return Call("/payments/yookassa/notification", body, headers=address)


def _update(its: Things) -> Call:
    """As somebody might forge it, who does not know the secret."""
    person = {"id": its.user, "is_bot": False, "first_name": "A"}
    message = {"from": person, "date": 1_795_000_000, "successful_payment": its.bought.charge}
    update = {"update_id": 1, "message": message}
    secret = {"X-Telegram-Bot-Api-Secret-Token": "0" * 64}
    return Call("/api/v1/telegram/webhook", update, headers=secret)


def _charge(its: Things) -> dict[str, object]:
    return {"telegram_id": its.user, **its.bought.charge}


def _code(_: Things) -> dict[str, object]:
    return {"code": f"MATRIX{next(numbers)}", "asset": "credit", "amount": 5}


_BOOKS = {"gateway": "yookassa", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
_PAYMENTS = "/api/v1/payments"
_ADMIN = "/api/v1/admin/payments"

OF_MONEY: dict[str, Recipe] = {
    # --- buying ---
    f"GET {_PAYMENTS}/stars/options": _for_everybody(f"{_PAYMENTS}/stars/options"),
    f"GET {_PAYMENTS}/packages": _for_everybody(f"{_PAYMENTS}/packages"),
    f"POST {_PAYMENTS}/stars/invoice": post(
        f"{_PAYMENTS}/stars/invoice", lambda its: {"telegram_id": its.user, "stars": 70}
    ),
    # The same charge again: it was credited, and is not credited twice.
    f"POST {_PAYMENTS}/stars/confirm": post(f"{_PAYMENTS}/stars/confirm", _charge, thing=True),
    f"POST {_PAYMENTS}/checkout": post(
        f"{_PAYMENTS}/checkout",
        lambda its: {"telegram_id": its.user, "gateway": "yookassa", "package": "credits_1000"},
        201,
    ),
    f"GET {_PAYMENTS}/{{payment_id}}": Recipe(
        lambda its: Call(f"{_PAYMENTS}/{its.bought.stars}?telegram_id={its.user}"), thing=True
    ),
    # Vendors prove themselves to the route; nobody else does, whatever he tells.
    "POST /payments/{gateway}/notification": Recipe(_notification, 404, thing=True),
    "POST /api/v1/telegram/webhook": Recipe(_update, 404, thing=True),
    # --- operators ---
    f"GET {_ADMIN}": of_user(f"{_ADMIN}?telegram_id={{user}}"),
    f"GET {_ADMIN}/{{payment_id}}": _of_payment(f"{_ADMIN}/{{payment}}", "stars"),
    f"POST {_ADMIN}/{{payment_id}}/refund": post(
        f"{_ADMIN}/{{rubles}}/refund", lambda _: {"amount": 100, **REASON}, thing=True
    ),
    f"POST {_ADMIN}/{{payment_id}}/recheck": _of_payment(f"{_ADMIN}/{{payment}}/recheck"),
    f"GET {_ADMIN}/mismatches": at(f"{_ADMIN}/mismatches"),
    f"POST {_ADMIN}/mismatches/{{mismatch_id}}/resolve": post(
        f"{_ADMIN}/mismatches/{{mismatch}}/resolve",
        lambda _: {"decision": "dismiss", "note": "the matrix"},
        thing=True,
        fresh=_open_mismatch,
    ),
    f"POST {_ADMIN}/reconcile": post(f"{_ADMIN}/reconcile", lambda _: {**_BOOKS}, 202),
    f"GET {_ADMIN}/reconcile/{{run_id}}": _of_payment(f"{_ADMIN}/reconcile/{{payment}}", "run"),
    "GET /api/v1/admin/packages": at("/api/v1/admin/packages"),
    "POST /api/v1/admin/packages": post(
        "/api/v1/admin/packages", lambda _: shop.package_body(f"matrix_{next(numbers)}"), 201
    ),
    "PATCH /api/v1/admin/packages/{key}": post(
        "/api/v1/admin/packages/{package}", lambda _: {"sort": 1, **REASON}, thing=True
    ),
    # --- rewards ---
    "GET /api/v1/referrals/{telegram_id}": of_user("/api/v1/referrals/{user}"),
    "POST /api/v1/promo_codes/redeem": post(
        "/api/v1/promo_codes/redeem",
        lambda its: {"telegram_id": its.user, "code": its.bought.promo},
    ),
    "GET /api/v1/admin/promo_codes": at("/api/v1/admin/promo_codes"),
    "POST /api/v1/admin/promo_codes": post("/api/v1/admin/promo_codes", _code, 201),
    "PATCH /api/v1/admin/promo_codes/{code}": post(
        "/api/v1/admin/promo_codes/{promo}", lambda _: {"amount": 6, **REASON}, thing=True
    ),
    "GET /api/v1/admin/promo_codes/{code}/uses": _of_payment(
        "/api/v1/admin/promo_codes/{payment}/uses", "promo"
    ),
    "GET /api/v1/admin/referrals": of_user("/api/v1/admin/referrals?telegram_id={user}"),
    # --- drawings ---
    "POST /users": post("/users", lambda its: {"chat_id": its.user, "username": "victim"}),
    "GET /users/{chat_id}": of_user("/users/{user}"),
    "POST /users/{chat_id}/daily_bonus": post("/users/{user}/daily_bonus", lambda _: None),
    "GET /pricing": of_user("/pricing?chat_id={user}"),
    "POST /users/{chat_id}/create_payment": post(
        "/users/{user}/create_payment",
        lambda _: {"item_name": "revivals_5", "quantity": 1, "price": "149.00"},
        201,
    ),
}
