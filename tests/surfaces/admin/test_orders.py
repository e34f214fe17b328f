"""Refunds never exceed the charge; reviews end once; lists page."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from hamyon.kit.web.permission import Role
from tests.surfaces.admin.conftest import (
    PRICE,
    Api,
    balance,
    deposit,
    order_in_review,
    ordered,
    paid_order,
    person,
)

USER = 777
REASON = "The picture was broken"


async def _ready(api: Api, credit: int = 1000) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, credit)


def refund(amount: int | None = None) -> dict[str, object]:
    return {"reason": REASON} | ({} if amount is None else {"amount": amount})


async def test_parts_add_up_to_the_charge_and_no_further(api: Api) -> None:
    await _ready(api)
    order_id = await paid_order(api.deps, USER)
    path = f"/orders/{order_id}/refund"
    status, answer = await api.owner("POST", path, refund(10), key="a")
    assert status == 200, answer
    assert (answer["amount"], answer["refunded"], answer["left"]) == (10, 10, PRICE - 10)
    status, answer = await api.owner("POST", path, refund(PRICE - 9), key="b")
    assert (status, answer["code"], answer["left"]) == (409, "refund_too_large", PRICE - 10)
    status, answer = await api.owner("POST", path, refund(), key="c")
    assert (answer["amount"], answer["left"]) == (PRICE - 10, 0)
    status, answer = await api.owner("POST", path, refund(), key="d")
    assert (status, answer["code"], answer["left"]) == (409, "refund_too_large", 0)
    assert await balance(api.deps, USER) == 1000
    acts = await api.acts("order.refund")
    assert [act["after"]["refunded"] for act in acts] == [PRICE, 10]
    assert {act["reason"] for act in acts} == {REASON}


async def test_refunds_at_once_never_exceed_the_charge(api: Api) -> None:
    await _ready(api)
    order_id = await paid_order(api.deps, USER)
    answers = await asyncio.gather(
        *(
            api.owner("POST", f"/orders/{order_id}/refund", refund(10), key=f"k{n}")
            for n in range(8)
        )
    )
    assert sorted(status for status, _ in answers) == [200] * 2 + [409] * 6
    assert await balance(api.deps, USER) == 1000 - PRICE + 20
    assert len(await api.acts("order.refund")) == 2


async def test_a_repetition_gets_the_first_answer(api: Api) -> None:
    await _ready(api)
    order_id = await paid_order(api.deps, USER)
    path = f"/orders/{order_id}/refund"
    answers = await asyncio.gather(
        *(api.owner("POST", path, refund(), key="same") for _ in range(16))
    )
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200
    assert await balance(api.deps, USER) == 1000
    status, answer = await api.owner("POST", path, refund(1), key="same")
    assert (status, answer["code"]) == (409, "idempotency_mismatch")
    other = await paid_order(api.deps, USER)
    status, answer = await api.owner("POST", f"/orders/{other}/refund", refund(), key="same")
    assert (status, answer["code"]) == (409, "idempotency_mismatch")


async def test_what_was_not_charged_is_not_given_back(api: Api) -> None:
    await _ready(api)
    waiting = await ordered(api.deps, USER)
    status, answer = await api.owner("POST", f"/orders/{waiting}/refund", refund(), key="a")
    assert (status, answer["code"]) == (409, "not_refundable")
    released = await order_in_review(api.deps, USER)
    decision = {"decision": "release", "note": "Nothing came"}
    await api.owner("POST", f"/orders/{released}/resolve", decision, key="r")
    status, answer = await api.owner("POST", f"/orders/{released}/refund", refund(), key="b")
    assert (status, answer["code"]) == (409, "not_refundable")
    status, answer = await api.owner("POST", f"/orders/{uuid4()}/refund", refund(), key="c")
    assert (status, answer["code"]) == (404, "order_not_found")
    status, answer = await api.owner("POST", f"/orders/{waiting}/refund", refund(0), key="d")
    assert (status, answer["code"]) == (422, "invalid_input")


async def test_the_person_is_told_of_a_refund(api: Api) -> None:
    await _ready(api)
    order_id = await paid_order(api.deps, USER)
    await api.owner("POST", f"/orders/{order_id}/refund", refund(5), key="a")
    row = await api.deps.pool.fetchrow(
        "SELECT user_id, facts FROM notices WHERE kind = 'order_refunded'"
    )
    assert row is not None
    assert (row["user_id"], row["facts"]["amount"]) == (USER, 5)


async def test_release_gives_the_hold_back_once(api: Api) -> None:
    await _ready(api)
    order_id = await order_in_review(api.deps, USER)
    assert await balance(api.deps, USER) == 1000 - PRICE
    path, decision = f"/orders/{order_id}/resolve", {"decision": "release", "note": "Nothing came"}
    status, answer = await api.owner("POST", path, decision, key="a")
    assert (status, answer["charged"]) == (200, 0), answer
    assert await balance(api.deps, USER) == 1000
    assert (await api.owner("POST", path, decision, key="a")) == (200, answer)
    status, refused = await api.owner("POST", path, decision, key="b")
    assert (status, refused["code"]) == (409, "not_in_review")
    (act,) = await api.acts("order.resolve")
    assert (act["reason"], act["after"]["decision"]) == ("Nothing came", "release")


async def test_charge_needs_something_delivered(api: Api) -> None:
    await _ready(api)
    empty = await order_in_review(api.deps, USER)
    decision = {"decision": "charge", "note": "Seen at the provider"}
    status, answer = await api.owner("POST", f"/orders/{empty}/resolve", decision, key="a")
    assert (status, answer["code"]) == (409, "nothing_to_charge")
    full = await order_in_review(api.deps, USER, delivered=True)
    status, answer = await api.owner("POST", f"/orders/{full}/resolve", decision, key="b")
    assert (status, answer["charged"], answer["status"]) == (200, PRICE, "completed")
    assert len(await api.acts("order.resolve")) == 1


async def test_two_operators_decide_at_once(api: Api) -> None:
    await _ready(api)
    order_id = await order_in_review(api.deps, USER, delivered=True)
    path = f"/orders/{order_id}/resolve"
    answers = await asyncio.gather(
        api.owner("POST", path, {"decision": "charge", "note": "yes"}, key="a"),
        api.owner("POST", path, {"decision": "release", "note": "no"}, key="b"),
    )
    assert sorted(status for status, _ in answers) == [200, 409]


async def test_the_review_list_pages_with_its_jobs(api: Api) -> None:
    await _ready(api)
    made = [str(await order_in_review(api.deps, USER)) for _ in range(5)]
    await ordered(api.deps, USER)
    seen: list[str] = []
    cursor = ""
    while True:
        status, page = await api.owner("GET", f"/orders?limit=2{cursor}")
        assert status == 200, page
        for item in page["items"]:
            seen.append(item["id"])
            assert (item["status"], item["telegram_id"]) == ("review", USER)
            assert item["prompt"] == "a red fox"
            assert [job["status"] for job in item["jobs"]] == ["uncertain"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    status, page = await api.owner("GET", "/orders?state=queued")
    assert len(page["items"]) == 1
    assert (await api.owner("GET", "/orders?state=nonsense"))[0] == 422
    assert (await api.owner("GET", "/orders?cursor=broken"))[1]["code"] == "invalid_cursor"


async def test_roles(api: Api) -> None:
    await _ready(api)
    order_id = await paid_order(api.deps, USER)
    nobody = await api.token(USER, None)
    support = await api.token(1, Role.SUPPORT)
    assert (await api.call("GET", "/orders", token=nobody))[0] == 403
    assert (await api.call("GET", "/orders"))[0] == 401
    assert (await api.call("GET", "/orders", token=support))[0] == 200
    for token in (nobody, support):
        status, _ = await api.call(
            "POST", f"/orders/{order_id}/refund", refund(), token=token, key="k"
        )
        assert status == 403
    assert await balance(api.deps, USER) == 1000 - PRICE
    for path in (f"/orders/{order_id}/refund", f"/orders/{order_id}/resolve"):
        given = refund() if path.endswith("refund") else {"decision": "release", "note": "n"}
        status, answer = await api.owner("POST", path, given)
        assert (status, answer["code"]) == (422, "idempotency_key_required")
