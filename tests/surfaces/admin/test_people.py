"""GET /admin/users/{id}: everything about one person, and nothing of another."""

from __future__ import annotations

from hamyon.kit.web.permission import Role
from tests.surfaces.admin.conftest import PRICE, Api, deposit, order_in_review, paid_order, person

USER, FRIEND, STRANGER = 777, 778, 779


async def test_one_person_whole(api: Api) -> None:
    deps = api.deps
    await api.token(USER, Role.SUPPORT)
    await person(deps, FRIEND, referral_code=f"ref_{USER}")
    for someone in (USER, FRIEND):
        await deposit(deps, someone, 100)
    paid = await paid_order(deps, USER)
    held = await order_in_review(deps, USER)
    await paid_order(deps, FRIEND)
    reason = {"reason": "Spam"}
    assert (await api.owner("POST", f"/users/{USER}/block", reason))[0] == 200
    taken = {"telegram_id": USER, "amount": -60, "reason": "Spam", "allow_debt": True}
    assert (await api.owner("POST", "/credits", taken, key="k"))[0] == 200

    status, found = await api.owner("GET", f"/users/{USER}")
    assert status == 200, found
    assert found["profile"]["telegram_id"] == USER
    assert (found["profile"]["status"], found["profile"]["blocked_reason"]) == ("blocked", "Spam")
    assert found["role"] == "support"
    assert found["balances"] == [{"asset": "credit", "balance": 0, "held": PRICE, "posted": PRICE}]
    assert found["debts"] == [{"asset": "credit", "owed": 60 - (100 - 2 * PRICE)}]
    assert [line["kind"] for line in found["ledger"]] == [
        "admin_adjustment", "generation", "deposit",
    ]  # fmt: skip
    assert [order["id"] for order in found["orders"]] == [str(held), str(paid)]
    assert [order["status"] for order in found["orders"]] == ["review", "completed"]
    assert found["orders"][1]["jobs"][0]["outputs"] == 1
    assert found["referral"] == {
        "referral_code": f"ref_{USER}", "referrer_telegram_id": None, "invited_count": 1,
    }  # fmt: skip
    (session,) = found["sessions"]
    assert (session["origin"], session["address"]) == ("miniapp", "203.0.113.9")
    assert [act["action"] for act in found["acts"]] == ["credits.adjust", "user.block"]

    status, found = await api.owner("GET", f"/users/{FRIEND}")
    assert found["referral"]["referrer_telegram_id"] == USER
    assert (len(found["orders"]), found["sessions"], found["acts"]) == (1, [], [])
    assert (await api.owner("GET", f"/users/{USER}?recent=1"))[1]["ledger"][0]["amount"] < 0


async def test_who_may_look(api: Api) -> None:
    support, nobody = await api.token(1, Role.SUPPORT), await api.token(USER, None)
    assert (await api.call("GET", f"/users/{USER}", token=support))[0] == 200
    assert (await api.call("GET", f"/users/{USER}", token=nobody))[0] == 403
    status, answer = await api.call("GET", f"/users/{STRANGER}", token=support)
    assert (status, answer["code"]) == (404, "user_not_found")
    assert (await api.call("GET", f"/users/{2**63}", token=support))[0] == 422
