"""POST /admin/credits: one effect a key, nothing spendable below zero, every act written down."""

from __future__ import annotations

import asyncio

import pytest

from hamyon.kit.web.permission import Role
from hamyon.ledger import service as ledger
from tests.surfaces.admin.conftest import Api, balance, deposit, order_in_review, person

USER = 777


def body(amount: int, **more: object) -> dict[str, object]:
    return {"telegram_id": USER, "amount": amount, "reason": "Promised in thread 12"} | more


async def test_giving_answers_both_balances_and_is_written_down(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 100)
    status, answer = await api.owner("POST", "/credits", body(500), key="k1")
    assert status == 200, answer
    assert answer.pop("transfer_id") > 0
    assert answer == {
        "telegram_id": USER, "asset": "credit", "old_balance": 100, "new_balance": 600,
    }  # fmt: skip
    (act,) = await api.acts("credits.adjust")
    assert act["actor"] == "key:env:ADMIN_API_KEY"
    assert act["subject"] == f"user:{USER}"
    assert act["reason"] == "Promised in thread 12"
    assert (act["before"]["balance"], act["after"]["balance"]) == (100, 600)
    (_, line), *_ = await ledger.recent(api.deps.pool, USER, limit=5)
    assert (line.kind, line.amount, line.reason) == ("admin_adjustment", 500, act["reason"])


async def test_32_at_once_with_one_key_have_one_effect(api: Api) -> None:
    await person(api.deps, USER)
    answers = await asyncio.gather(
        *(api.owner("POST", "/credits", body(50), key="same") for _ in range(32))
    )
    assert {status for status, _ in answers} == {200}
    assert all(answer == answers[0][1] for _, answer in answers)
    assert await balance(api.deps, USER) == 50
    assert len(await api.acts("credits.adjust")) == 1


async def test_a_key_with_other_input_is_refused(api: Api) -> None:
    await person(api.deps, USER)
    assert (await api.owner("POST", "/credits", body(50), key="k"))[0] == 200
    for other in (body(51), body(50, asset="token"), body(50, reason="else")):
        status, answer = await api.owner("POST", "/credits", other, key="k")
        assert (status, answer["code"]) == (409, "idempotency_mismatch")
    assert await balance(api.deps, USER) == 50


async def test_taking_more_than_there_is_needs_allow_debt(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 30)
    status, answer = await api.owner("POST", "/credits", body(-50), key="k")
    assert (status, answer["code"]) == (402, "insufficient_funds")
    assert (answer["needed"], answer["balance"]) == (50, 30)
    assert await api.acts("credits.adjust") == []
    # The refusal claimed nothing: the same key may be tried again, even with another input.
    status, answer = await api.owner("POST", "/credits", body(-50, allow_debt=True), key="k")
    assert (status, answer["old_balance"], answer["new_balance"]) == (200, 30, 0)
    (debt,) = await ledger.debts(api.deps.pool, USER)
    assert debt.posted == -20
    # What comes in pays the debt off first, and the answer says what is really there.
    status, answer = await api.owner("POST", "/credits", body(25), key="k2")
    assert (status, answer["old_balance"], answer["new_balance"]) == (200, 0, 5)


async def test_taking_what_is_there(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 30)
    status, answer = await api.owner("POST", "/credits", body(-30), key="k")
    assert (status, answer["old_balance"], answer["new_balance"]) == (200, 30, 0)


async def test_what_is_held_cannot_be_taken(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 30)
    await order_in_review(api.deps, USER)
    status, answer = await api.owner("POST", "/credits", body(-4), key="k")
    assert (status, answer["balance"]) == (402, 3)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (body(0), "invalid_input"),
        (body(2**53), "invalid_input"),
        (body(1, asset="RUB"), "invalid_input"),
        (body(1, reason=""), "invalid_input"),
        (body(1, surprise=1), "invalid_input"),
    ],
)
async def test_bad_input(api: Api, given: dict[str, object], code: str) -> None:
    await person(api.deps, USER)
    status, answer = await api.owner("POST", "/credits", given, key="k")
    assert (status, answer["code"]) == (422, code)
    assert await balance(api.deps, USER) == 0


async def test_key_and_person_are_needed(api: Api) -> None:
    status, answer = await api.owner("POST", "/credits", body(1))
    assert (status, answer["code"]) == (422, "idempotency_key_required")
    status, answer = await api.owner("POST", "/credits", body(1), key="k")
    assert (status, answer["code"]) == (404, "user_not_found")


async def test_support_may_not(api: Api) -> None:
    await person(api.deps, USER)
    support = await api.token(1, Role.SUPPORT)
    finance = await api.token(2, Role.FINANCE)
    status, answer = await api.call("POST", "/credits", body(5), token=support, key="k")
    assert (status, answer["code"]) == (403, "permission_denied")
    assert await balance(api.deps, USER) == 0
    status, _ = await api.call("POST", "/credits", body(5), token=finance, key="k")
    assert status == 200
    (act,) = await api.acts("credits.adjust")
    assert act["actor"] == "user:2"
    # Two operators may use the same key: it is each one's own.
    other = await api.token(3, Role.FINANCE)
    assert (await api.call("POST", "/credits", body(7), token=other, key="k"))[0] == 200
    assert await balance(api.deps, USER) == 12
